/** Directories of a cache: for their owner alone, or with `shared` for a group, whatever the umask is. */
import type { Stats } from "node:fs";
import { chmod, lstat, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import { systemCode } from "../errors.ts";
import { diskError, isSystemError, present, readError } from "../transfer/disk.ts";

/** Others of the group make and remove files in them, which belong to the group as well (setgid). */
const SHARED_DIRECTORY = 0o2775;
const PRIVATE_DIRECTORY = 0o700;

const SETGID_AND_GROUP_WRITES = 0o2020;

/** Makes `path` and what is missing above it; a directory that exists stays as it is. @throws SregistryError DISK. */
export async function makeDirectory(path: string, shared: boolean): Promise<void> {
  try {
    await make(path, shared);
  } catch (error) {
    throw diskError(path, error);
  }
}

async function make(path: string, shared: boolean): Promise<void> {
  try {
    await mkdir(path, { mode: PRIVATE_DIRECTORY });
    // Not by mkdir's mode, which the umask cuts. What the cache's own directory is in is nobody's business here.
    if (shared) await chmod(path, SHARED_DIRECTORY);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    if (systemCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    await make(dirname(path), shared);
    await make(path, shared);
  }
}

/** Undefined also for what this user may not look at: whoever goes on there meets it again, and has words for it. */
export async function seen(path: string): Promise<Stats | undefined> {
  try {
    return await present(stat(path));
  } catch (error) {
    if (systemCode(error) === "EACCES") return undefined;
    throw readError(path, error);
  }
}

/** An administrator made it for a group: setgid, and the group writes. */
export async function looksShared(directory: string): Promise<boolean> {
  const found = await seen(directory);
  return found !== undefined && (found.mode & SETGID_AND_GROUP_WRITES) === SETGID_AND_GROUP_WRITES;
}

/** Nobody but this user (and root) writes there; so too where the directory is still to be made. */
export async function isOurs(directory: string): Promise<boolean> {
  const found = await seen(directory);
  return found === undefined || (found.uid === geteuid?.() && (found.mode & 0o022) === 0);
}

/** This user made it, or would. */
export async function isOwn(directory: string): Promise<boolean> {
  const found = await seen(directory);
  return found === undefined || found.uid === geteuid?.();
}

/** Milliseconds since 1970 by the clock of the file server, which made the file's times too. */
export async function serverTime(probe: string): Promise<number> {
  const file = await open(probe, "w", 0o600);
  try {
    await file.write("1");
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
  }
}

/** Notes and marks are a help only: where they cannot be written (read-only, full, another's) the work goes on. */
export async function ifPossible(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const cause = error instanceof Error && isSystemError(error.cause) ? error.cause : error;
    if (!isSystemError(cause)) throw error;
  }
}

/** Bytes of a regular file; undefined for anything else. @throws SregistryError DISK when it cannot be looked at. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await present(lstat(path));
    return found?.isFile() === true ? found.size : undefined;
  } catch (error) {
    throw readError(path, error);
  }
}
