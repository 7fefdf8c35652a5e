/** What the file system says while images are read and written, as errors that name the place and the way out. */
import { dirname } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { writeError } from "./atomic.ts";

const NO_ROOM: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EFBIG: "a file may not become that large there (see also ulimit -f)",
};

/** A system error of writing the image at `path` as SregistryError DISK; anything else as it is. */
export function diskError(path: string, error: unknown): unknown {
  const directory = dirname(path);
  const words = NO_ROOM[systemCode(error) ?? ""];
  if (words !== undefined) {
    return new SregistryError("DISK", `no more can be written to ${directory}: ${words}`, {
      hint: `df -h ${directory}`,
      cause: error,
    });
  }
  const known = writeError(path, error);
  return known === error && isSystemError(error) ? failed(path, "written", error) : known;
}

/** The same for reading `path`. */
export function readError(path: string, error: unknown): unknown {
  return isSystemError(error) ? failed(path, "read", error) : error;
}

function failed(path: string, done: string, error: unknown): SregistryError {
  // Node appends the call and the path: `EIO: i/o error, read`.
  const reason = error instanceof Error ? error.message.replace(/, \w+(?: '.*')?$/, "") : String(error);
  return new SregistryError("DISK", `${path} cannot be ${done}: ${reason}`, { hint: `ls -ld ${path}`, cause: error });
}

/** ENOENT and its like; Node's own codes for misuse (ERR_...) are defects. */
export function isSystemError(error: unknown): boolean {
  return !(error instanceof SregistryError) && /^E[A-Z0-9]+$/.test(systemCode(error) ?? "");
}

/** Undefined for what is not there. */
export async function present<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ESTALE"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
