/** Threads of our own, and what to make of it when there may be no more of them (ulimit -u, a cgroup's pids.max). */
import { Worker } from "node:worker_threads";
import { systemCode } from "../errors.ts";

/** `code` is CommonJS. Undefined where no thread can be started; one that ends at once for the same reason says so in its "error". */
export function startThread(code: string, workerData: unknown): Worker | undefined {
  try {
    return new Worker(code, { eval: true, workerData, execArgv: [] });
  } catch (error) {
    if (isThreadFailure(error)) return undefined;
    throw error;
  }
}

/** Node's ERR_WORKER_INIT_FAILED, ERR_WORKER_OUT_OF_MEMORY. */
export function isThreadFailure(error: unknown): boolean {
  return systemCode(error)?.startsWith("ERR_WORKER_") === true;
}
