/** The built program, run as a user runs it: its own process, an empty HOME, nothing of this machine's environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const PROGRAM = resolve(import.meta.dirname, "../../bin/sregistry.js");
export const FIXTURES = resolve(import.meta.dirname, "../fixtures");

export interface Run {
  /** Exit status, or the signal's name. */
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** A user with an empty home directory, which is also where the program runs. */
export class User implements AsyncDisposable {
  readonly home: string;
  /** What is run, and words before all others. */
  readonly #program: readonly [string, ...(readonly string[])];

  private constructor(home: string, program: readonly [string, ...(readonly string[])]) {
    this.home = home;
    this.#program = program;
  }

  /** `program`: in place of the built one; looked for in the home's bin/ and PATH. */
  static async create(...program: readonly string[]): Promise<User> {
    const [first = process.execPath, ...words] = program.length === 0 ? [process.execPath, PROGRAM] : program;
    return new User(await mkdtemp(join(tmpdir(), "sregistry-home-")), [first, ...words]);
  }

  path(...names: readonly string[]): string {
    return join(this.home, ...names);
  }

  /** Starts the program without waiting for it. */
  start(words: readonly string[], options: RunOptions = {}): ChildProcess {
    const [program, ...before] = this.#program;
    return spawn(program, [...before, ...words], {
      cwd: options.cwd ?? this.home,
      env: { PATH: `${this.path("bin")}:${process.env["PATH"]}`, HOME: this.home, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Run> {
    return finished(this.start(words, options), options.input);
  }

  /** `sregistry serve` on a free port of loopback; stopped by `stop`. */
  async serve(words: readonly string[] = [], options: RunOptions = {}): Promise<Served> {
    const child = this.start(["serve", "--listen", "127.0.0.1:0", ...words], options);
    const run = finished(child);
    const url = await new Promise<string>((done, failed) => {
      child.stdout?.once("data", (text: Buffer) => done(text.toString().trim()));
      void run.then(({ status, stderr }) => failed(new Error(`serve ended with ${status}: ${stderr}`)));
    });
    return {
      url,
      host: new URL(url).host,
      process: child,
      stop() {
        child.kill("SIGTERM");
        return run;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}

export interface Served {
  readonly url: string;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly process: ChildProcess;
  stop(): Promise<Run>;
}

/** Everything a process wrote, once it has ended. */
export function finished(child: ChildProcess, input = ""): Promise<Run> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin?.on("error", () => undefined).end(input);
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.once("close", (code, signal) => done({ status: code ?? signal, stdout, stderr }));
  });
}
