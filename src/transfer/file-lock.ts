/** One writer at a time for a small file, by whatever name it is called. */
import { basename, dirname, join } from "node:path";
import { finalTarget } from "./atomic.ts";
import { type LockOptions, withLock } from "./lock.ts";

/** Runs `work` while nobody else edits `path`. The lock is beside the file that symbolic links lead to, hidden. */
export async function withFileLock<T>(path: string, work: () => Promise<T>, options: LockOptions): Promise<T> {
  const target = await finalTarget(path);
  return withLock(join(dirname(target), `.${basename(target)}.lock`), work, options);
}
