/** Runs one of Slurm's programs to its end. */
import { spawn } from "node:child_process";
import type { Environment } from "./job.ts";

export interface Ended {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env: Environment;
  readonly signal: AbortSignal;
}

/** Characters: an answer of each of ten thousand nodes. */
const LONGEST = 16 * 1024 * 1024;

/** @throws the system's error when it cannot be started; the signal's reason when that ends it. */
export function run(program: string, words: readonly string[], { env, signal }: RunOptions): Promise<Ended> {
  signal.throwIfAborted();
  return new Promise((done, fail) => {
    // A group of its own: Ctrl-C is ours to pass on, and srun would ask for a second one.
    const child = spawn(program, words, { env: { ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        text[name] = `${text[name]}${chunk}`.slice(-LONGEST);
      });
    }
    // srun ends its step on SIGTERM. What the step does in its last moments is not waited for.
    const stop = (): void => {
      child.kill("SIGTERM");
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
      child.unref();
      fail(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    child.once("error", fail);
    child.once("close", (status) => {
      signal.removeEventListener("abort", stop);
      done({ status, ...text });
    });
  });
}
