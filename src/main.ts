/** The process edge: streams, signals, exit status. The only place that sets the exit status. */
import { setFlagsFromString } from "node:v8";
import { globalFlags } from "./commands/globals.ts";
import { VERBS } from "./commands/index.ts";
import { Flags } from "./commands/verb.ts";
import { createContext } from "./context.ts";
import { SregistryError } from "./errors.ts";
import { type Program, parseProgram } from "./program.ts";
import { createTerminal, type Terminal } from "./terminal/terminal.ts";
import { FORM, VERSION } from "./version.ts";

const interruption = new AbortController();

/** Milliseconds that SIGTERM leaves to steps that are worth their end. Batch systems kill 30 s after it. */
const GRACE = 5_000;

/** What everything is to stop for; soon, while steps are at their end. */
let stopping: SregistryError | undefined;
let steps = 0;

/** Where the story is told, as soon as it is known how. */
let terminal: Terminal | undefined;

/** The first signal stops cleanly (partial files and upload sessions stay resumable); a second one ends at once. */
function onSignal(signal: "SIGINT" | "SIGTERM"): void {
  if (stopping !== undefined) {
    terminal?.close();
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    return;
  }
  const [code, word] =
    signal === "SIGINT" ? (["INTERRUPTED", "interrupted"] as const) : (["TERMINATED", "terminated"] as const);
  stopping = new SregistryError(code, word, { hint: "run the same command again to go on" });
  if (signal === "SIGINT" || steps === 0) interruption.abort(stopping);
  else setTimeout(() => interruption.abort(stopping), GRACE).unref();
}

/** A step that SIGTERM waits for; the last one to end lets everything else stop. */
async function finishing<T>(step: () => Promise<T>): Promise<T> {
  if (stopping !== undefined) throw stopping;
  steps += 1;
  try {
    return await step();
  } finally {
    steps -= 1;
    if (steps === 0 && stopping !== undefined) interruption.abort(stopping);
  }
}

/** All of a run. */
export async function main(): Promise<void> {
  // undici parses heads with WebAssembly. V8 would compile it once more, optimised, beside the transfer, and the process would
  // wait for that at its end (60 ms on Node 20); bodies of any size do not pass through it.
  setFlagsFromString("--liftoff-only");
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const { env, argv, stdin, stdout, stderr } = process;
  // Node would open its debugger.
  process.on("SIGUSR1", () => terminal?.status());
  let signal: AbortSignal = interruption.signal;
  const terminalFor = (flags: Flags, signal: AbortSignal, render?: Program["render"]): Promise<Terminal> =>
    createTerminal({ stdin, stdout, stderr }, { ...globalFlags(flags), env, signal, render });
  try {
    const program = await parseProgram({ argv: argv.slice(2), env, version: VERSION });
    const flags = globalFlags(program.flags);
    signal = withTimeout(interruption.signal, flags.timeout);
    terminal = await terminalFor(program.flags, signal, program.render);
    await using context = createContext({
      flags,
      env,
      cwd: currentDirectory(),
      command: ownCommand(),
      stdin,
      nodeVersion: process.versions.node,
      signal,
      finishing,
      terminal,
      verbs: VERBS,
    });
    await program.run(context);
    process.exitCode = 0;
  } catch (error) {
    const failure = asFailure(error, signal);
    process.exitCode = failure.exitStatus;
    terminal ??= await terminalFor(rawFlags(argv, env), interruption.signal);
    await terminal.failure(failure);
  }
  await terminal.flush();
}

/** Of a job whose scratch directory was removed under it there is none. */
function currentDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new SregistryError("USAGE", "the current directory is not there any more", { hint: "cd, and again", cause });
  }
}

/** A single executable is its own script: what stands in place of one is the word that it was called by. */
function ownCommand(): readonly string[] {
  const { execPath, argv } = process;
  return argv[1] === undefined || FORM === "executable" ? [execPath] : [execPath, argv[1]];
}

/** `--timeout` ends everything with exit 75. */
function withTimeout(signal: AbortSignal, milliseconds: number | undefined): AbortSignal {
  if (milliseconds === undefined) return signal;
  const late = new AbortController();
  const error = new SregistryError("TIMEOUT", `not done after ${milliseconds / 1000} s (--timeout)`, {
    hint: "run the same command again to go on",
  });
  setTimeout(() => late.abort(error), milliseconds).unref();
  return AbortSignal.any([signal, late.signal]);
}

/** Anything that is not an error of ours is a defect, unless it only reports that a signal or --timeout stopped the work. */
function asFailure(error: unknown, { reason, aborted }: AbortSignal): SregistryError {
  if (aborted && reason instanceof SregistryError && !(error instanceof SregistryError)) return reason;
  if (error instanceof SregistryError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SregistryError("INTERNAL", `internal error: ${message}`, {
    hint: "please report this, with the output of the same command and --debug",
    cause: error,
  });
}

/** How to print when the command line could not be parsed. */
function rawFlags(argv: readonly string[], env: NodeJS.ProcessEnv): Flags {
  const names = ["json", "debug", "quiet", "no-color"] as const;
  const values = new Map<string, unknown>(names.map((name) => [name, argv.includes(`--${name}`)]));
  const progress = /(?:^| )--progress[ =](\S+)/.exec(argv.join(" "))?.[1] ?? env["SREGISTRY_PROGRESS"];
  return new Flags(values.set("progress", progress));
}
