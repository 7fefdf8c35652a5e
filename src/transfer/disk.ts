/** What the file system says while images are read and written, as errors that name the place and the way out. */
import { constants } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { shellWord } from "../shell-word.ts";

const NO_ROOM: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EFBIG: "a file may not become that large there (see also ulimit -f)",
};

const WORDS: Readonly<Record<string, string>> = {
  ...NO_ROOM,
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EIO: "the disk reports an error",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ENOENT: "its directory does not exist",
  ENOTDIR: "a part of the path is no directory",
  EISDIR: "it is a directory",
  EEXIST: "a file is in its place",
  ELOOP: "symbolic links that lead in a circle, or one where none may be",
  EXDEV: "it would have to move to another file system",
  ENAMETOOLONG: "the name is too long for the file system",
  ESTALE: "the file server lost the file",
};

/** A failure of the disk or of permissions in words; undefined for any other. */
export function diskWords(error: unknown): string | undefined {
  return error instanceof SregistryError ? undefined : WORDS[systemCode(error) ?? ""];
}

/** A system error of writing the file at `path` as SregistryError DISK; anything else as it is. */
export function diskError(path: string, error: unknown): unknown {
  const directory = dirname(path);
  const full = NO_ROOM[systemCode(error) ?? ""];
  if (full !== undefined) {
    return new SregistryError("DISK", `no more can be written to ${directory}: ${full}`, {
      hint: `df -h ${shellWord(directory)}`,
      cause: error,
    });
  }
  const words = diskWords(error);
  if (words === undefined) return isSystemError(error) ? failed(path, "written", error) : error;
  const hint = `ls -ld ${shellWord(directory)}`;
  return new SregistryError("DISK", `${path} cannot be written: ${words}`, { hint, cause: error });
}

/** The same for reading `path`. */
export function readError(path: string, error: unknown): unknown {
  return isSystemError(error) ? failed(path, "read", error) : error;
}

function failed(path: string, done: string, error: unknown): SregistryError {
  // Node appends the call and the path: `EIO: i/o error, read`.
  const reason = error instanceof Error ? error.message.replace(/, \w+(?: '.*')?$/, "") : String(error);
  return new SregistryError("DISK", `${path} cannot be ${done}: ${reason}`, {
    hint: `ls -ld ${shellWord(path)}`,
    cause: error,
  });
}

/** ENOENT and its like; Node's own codes for misuse (ERR_...) are defects. */
export function isSystemError(error: unknown): boolean {
  return !(error instanceof SregistryError) && /^E[A-Z0-9]+$/.test(systemCode(error) ?? "");
}

/** Of a name that leads nowhere; ESTALE is NFS's for a file that another host has removed. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ESTALE"].includes(systemCode(error) ?? "");
}

/** Undefined for what is not there. */
export async function present<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Removes what a failed write may have left. A read-only file system refuses even when there is nothing: nothing was made. */
export async function removeUnfinished(path: string): Promise<void> {
  try {
    await present(unlink(path));
  } catch (error) {
    if (systemCode(error) !== "EROFS") throw error;
  }
}

/** File systems (FUSE, SMB) that cannot sync a directory say one of these; there is nothing more to be done there. */
const NO_DIRECTORY_SYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EPERM", "EACCES", "EISDIR", "EBADF"];

/** Makes the names in a directory durable: after a rename, before success is told. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (!NO_DIRECTORY_SYNC.includes(systemCode(error) ?? "")) throw error;
  }
}
