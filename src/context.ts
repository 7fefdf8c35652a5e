/** Composition root: what a verb may ask for. Each part is built on first use and remembered. */
import { arch, homedir, platform } from "node:os";
import { type EventLoopUtilization, performance } from "node:perf_hooks";
import type { Readable } from "node:stream";
import { type Call, type Log, silentLog, silentProgress } from "./call.ts";
import type { Environment, Services } from "./client/services.ts";
import type { Clock, HurriedCall } from "./client/words.ts";
import type { GlobalFlags } from "./commands/globals.ts";
import type { VerbEntry } from "./commands/index.ts";
import { SregistryError } from "./errors.ts";
import type { Terminal } from "./terminal/terminal.ts";
import { VERSION } from "./version.ts";

export interface Context extends AsyncDisposable {
  readonly flags: GlobalFlags;
  readonly version: string;
  readonly platform: { readonly node: string; readonly platform: string; readonly architecture: string };
  readonly cwd: string;
  readonly env: Environment;
  /** How this program is run once more: what to run, and its first words. */
  readonly command: readonly string[];
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  /** All verbs, for what is written about them. */
  readonly verbs: readonly VerbEntry[];
  call(): Promise<Call>;
  services(): Promise<Services>;
  /** For what must keep nobody waiting: what the clock runs for is given up after so long, and nothing is said. */
  briefly(milliseconds: number): Promise<Brief>;
  /** All of standard input, for secrets and lists; at most 1 MiB. */
  readInput(): Promise<string>;
}

export interface Brief {
  readonly services: Services;
  readonly call: HurriedCall;
  /** Fails when the time is over. */
  readonly late: Promise<never>;
}

export interface ContextOptions {
  readonly flags: GlobalFlags;
  readonly env: Environment;
  readonly cwd: string;
  readonly command: readonly string[];
  readonly stdin: Readable;
  readonly nodeVersion: string;
  readonly signal: AbortSignal;
  readonly finishing: NonNullable<Call["finishing"]>;
  readonly terminal: Terminal;
  readonly verbs: readonly VerbEntry[];
}

const INPUT_LIMIT = 1024 * 1024;

export function createContext(options: ContextOptions): Context {
  const { flags, env, cwd, command, stdin, nodeVersion, signal, finishing, terminal, verbs } = options;
  let services: Promise<Services> | undefined;
  const more: Services[] = [];
  const buildServices = async (log: Log, signal: AbortSignal, tries?: number): Promise<Services> => {
    const { createServices } = await import("./client/services.ts");
    return createServices({
      env,
      // HOME is honoured, and a process without one (some batch systems) still has an entry in passwd.
      home: env["HOME"] ?? homedir(),
      cwd,
      userAgent: `sregistry/${VERSION} (node ${nodeVersion}; ${platform()} ${arch()})`,
      log,
      flags,
      signal,
      tries,
    });
  };
  const remembered = (): Promise<Services> => {
    services ??= buildServices(terminal.log, signal);
    return services;
  };
  return {
    flags,
    version: VERSION,
    platform: { node: nodeVersion, platform: platform(), architecture: arch() },
    cwd,
    env,
    command,
    signal,
    terminal,
    verbs,
    async call() {
      const { config } = await remembered();
      return { signal, finishing, progress: await terminal.progress(config.progress), log: terminal.log };
    },
    services: remembered,
    async briefly(milliseconds) {
      const over = new AbortController();
      const services = await buildServices(silentLog, AbortSignal.any([signal, over.signal]), 1);
      more.push(services);
      let giveUp: (error: SregistryError) => void = () => undefined;
      const late = new Promise<never>((_done, failed) => {
        giveUp = failed;
      });
      late.catch(() => undefined);
      over.signal.addEventListener("abort", () => giveUp(over.signal.reason), { once: true });
      const clock = idleClock(milliseconds, () => {
        over.abort(new SregistryError("TIMEOUT", `not done after ${milliseconds} ms`));
      });
      const stop = AbortSignal.any([signal, over.signal]);
      return { services, call: { signal: stop, progress: silentProgress, log: silentLog, clock }, late };
    },
    readInput: () => readAll(stdin, signal),
    async [Symbol.asyncDispose]() {
      const built = await services?.catch(() => undefined);
      await Promise.all([built, ...more].map((one) => one?.[Symbol.asyncDispose]()));
    },
  };
}

/** Counts what is waited alone: the program's own work, such as loading what a first request needs, is no network's fault. */
function idleClock(milliseconds: number, end: () => void): Clock {
  let timer: NodeJS.Timeout | undefined;
  const check = (since: EventLoopUtilization, left: number): void => {
    timer = setTimeout(() => {
      const rest = milliseconds - performance.eventLoopUtilization(since).idle;
      if (rest < 1) end();
      else check(since, rest);
    }, left).unref();
  };
  return {
    start() {
      if (timer === undefined) check(performance.eventLoopUtilization(), milliseconds);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

async function readAll(stdin: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    signal.throwIfAborted();
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > INPUT_LIMIT) throw new SregistryError("USAGE", "standard input is longer than 1 MiB");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
