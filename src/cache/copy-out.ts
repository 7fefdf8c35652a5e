/**
 * An entry under a name of the user's: a clone that shares its blocks where the file system has such (reflink), else a
 * copy. Never a hard link: `singularity sign` would write into the entry. It is whole or absent under its name.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Task } from "../call.ts";
import { systemCode } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import { digestAlgorithm, finishDigest } from "../reference/digest.ts";
import { diskError, present, readError, removeUnfinished, syncDirectory } from "../transfer/disk.ts";
import { giveName } from "../transfer/give-name.ts";
import { alreadyThere } from "../transfer/target.ts";
import type { Entry } from "./entries.ts";

const BLOCK = 1024 * 1024;

export interface CopyOut {
  readonly entry: Entry;
  /** Absolute. */
  readonly target: string;
  /** Hidden file beside the target in which the copy grows; what is there is removed. */
  readonly temporary: string;
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly task: Task;
}

/**
 * False when the entry's bytes are not those of its digest; the target is not touched then.
 * @throws SregistryError CONFLICT when the target holds something else and `force` is not set; DISK; INTERRUPTED.
 */
export async function copyOut(copy: CopyOut): Promise<boolean> {
  const { entry, target, temporary, force } = copy;
  try {
    await present(unlink(temporary));
    if (!(await fillTemporary(copy))) return false;
    await (force ? rename(temporary, target) : giveName(temporary, target));
    await syncDirectory(dirname(target));
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw alreadyThere(target);
    throw diskError(target, error);
  } finally {
    if (temporary !== entry.path) await removeUnfinished(temporary);
  }
}

async function fillTemporary(copy: CopyOut): Promise<boolean> {
  const { entry, temporary } = copy;
  await using source = await openEntry(entry.path);
  // A clone cannot be hashed on its way: it is left to entries whose bytes are known.
  if (entry.checked && (await cloned(entry, temporary))) return true;
  await using file = await create(temporary);
  const intact = await copyBytes(source, file, copy);
  if (intact) await file.sync();
  return intact;
}

async function openEntry(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw readError(path, error);
  }
}

/** Mode 0777 less the umask, as every target has it: a SIF is run. */
function create(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o777);
}

/** False where the file system has no clones; `temporary` is free again then. */
async function cloned({ path, size }: Entry, temporary: string): Promise<boolean> {
  const file = await create(temporary);
  try {
    const { mode } = await file.stat();
    // Whatever the reason, the copy that follows meets it too, and has words for it.
    const done = await copyFile(path, temporary, constants.COPYFILE_FICLONE_FORCE).then(
      () => true,
      () => false,
    );
    if (!done || (await present(stat(temporary)))?.size !== size) {
      await present(unlink(temporary));
      return false;
    }
    // A clone takes the entry's mode, which is read-only.
    await chmod(temporary, mode & 0o777);
  } finally {
    await file.close();
  }
  await using clone = await open(temporary, "r");
  await clone.sync();
  return true;
}

/** Reads one block ahead of the writing. Hashes only what is not known yet. */
async function copyBytes(source: FileHandle, file: FileHandle, { entry, signal, task }: CopyOut): Promise<boolean> {
  const { size, digest, checked } = entry;
  const hash = checked ? undefined : createHash(digestAlgorithm(digest));
  const buffers = [Buffer.allocUnsafe(BLOCK), Buffer.allocUnsafe(BLOCK)] as const;
  const read = async (turn: number, at: number) => {
    try {
      return await source.read(buffers[turn % 2 === 0 ? 0 : 1], 0, BLOCK, at);
    } catch (error) {
      throw readError(entry.path, error);
    }
  };
  let offset = 0;
  let next = read(0, 0);
  for (let turn = 0; ; turn += 1) {
    const { bytesRead, buffer } = await next;
    // Thrown while no read is under way: the file is closed next.
    if (signal.aborted) throw abortError(signal);
    if (bytesRead === 0) break;
    const block = buffer.subarray(0, bytesRead);
    next = read(turn + 1, offset + bytesRead);
    const [written] = await Promise.allSettled([writeAll(file, block, offset), next]);
    if (written.status === "rejected") throw written.reason;
    hash?.update(block);
    offset += bytesRead;
    task.at(offset);
  }
  return offset === size && (hash === undefined || finishDigest(hash, digestAlgorithm(digest)) === digest);
}

async function writeAll(file: FileHandle, block: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < block.length; ) {
    const { bytesWritten } = await file.write(block, done, block.length - done, offset + done);
    done += bytesWritten;
  }
}
