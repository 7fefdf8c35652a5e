/** What is done on one node, by the program itself: see nodes.ts, which sends it there. */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, copyFile, type FileHandle, open, rename, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { digestAlgorithm } from "../reference/digest.ts";
import { shellWord } from "../shell-word.ts";
import { diskError, present, readError, removeUnfinished, syncDirectory } from "../transfer/disk.ts";
import { giveName } from "../transfer/give-name.ts";
import { digestOfFile } from "../transfer/hash-file.ts";
import { lookAtTarget, requireDirectory, requireWritable } from "../transfer/target.ts";
import type { Errand, State } from "./errand.ts";

/** @throws SregistryError DISK, INTEGRITY, CONFLICT, USAGE. */
export async function runErrand(errand: Errand, signal: AbortSignal): Promise<State> {
  switch (errand.step) {
    case "look":
      return await look(errand, signal);
    case "place":
      return await place(errand, signal);
    case "copy":
      return await copy(errand, signal);
  }
}

async function look(errand: Errand, signal: AbortSignal): Promise<State> {
  const directory = dirname(errand.target);
  await requireDirectory(directory);
  if (await isThere(errand, signal)) return "right";
  await requireWritable(directory);
  await requireRoom(directory, errand.size);
  return "missing";
}

async function isThere({ target, digest, size, force }: Errand, signal: AbortSignal): Promise<boolean> {
  return (await lookAtTarget({ image: { digest, size }, target, force }, signal)) !== undefined;
}

async function requireRoom(directory: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= size) return;
  throw new SregistryError("DISK", `${directory} has room for ${bavail * bsize} bytes; ${size} are needed`, {
    hint: `df -h ${shellWord(directory)}`,
  });
}

/** What sbcast may have left half done goes first: its room may be needed. Nodes may share the directory: each has its own name. */
async function copy(errand: Errand, signal: AbortSignal): Promise<State> {
  const { source = "" } = errand;
  const temporary = `${errand.temporary}.${randomUUID()}`;
  await removeUnfinished(errand.temporary);
  if ((await look(errand, signal)) === "right") return "right";
  try {
    await access(source, constants.R_OK);
  } catch (error) {
    throw readError(source, error);
  }
  try {
    await copyFile(source, temporary);
  } catch (error) {
    await removeUnfinished(temporary);
    throw diskError(temporary, error);
  }
  return await place({ ...errand, temporary }, signal);
}

/** sbcast has written the file, and nothing but its bytes is believed. */
async function place(errand: Errand, signal: AbortSignal): Promise<State> {
  const { target, temporary, force } = errand;
  try {
    const file = await openArrived(temporary);
    // On a directory that the nodes share, one of them has given the one file its name.
    if (file === undefined) return await requireThere(errand, signal);
    try {
      await requireRight(file, errand, signal);
      await file.chmod(await modeOfNew(`${temporary}.${randomUUID()}`));
      await file.sync();
    } finally {
      await file.close();
    }
    await (force ? rename(temporary, target) : giveName(temporary, target));
    await removeUnfinished(temporary);
    await syncDirectory(dirname(target));
    return "placed";
  } catch (error) {
    if (["EEXIST", "ENOENT"].includes(systemCode(error) ?? "")) {
      await removeUnfinished(temporary);
      return await requireThere(errand, signal);
    }
    await removeUnfinished(temporary);
    throw diskError(target, error);
  }
}

async function openArrived(temporary: string): Promise<FileHandle | undefined> {
  return await present(open(temporary, constants.O_RDONLY | constants.O_NOFOLLOW));
}

async function requireThere(errand: Errand, signal: AbortSignal): Promise<State> {
  if (await isThere(errand, signal)) return "right";
  throw new SregistryError("INTEGRITY", `no copy has arrived for ${errand.target}`);
}

async function requireRight(file: FileHandle, errand: Errand, signal: AbortSignal): Promise<void> {
  const { target, temporary, digest, size } = errand;
  const { size: length } = await file.stat();
  if (length !== size) {
    throw new SregistryError("INTEGRITY", `the copy for ${target} has ${length} bytes; ${size} are expected`);
  }
  const has = await digestOfFile(file, size, digestAlgorithm(digest), { signal, name: temporary });
  if (has === digest) return;
  throw new SregistryError("INTEGRITY", `the copy for ${target} has the digest ${has}; ${digest} is expected`);
}

/** 0777 less the umask, as every target has it: a SIF is run. sbcast gives the mode of the cache's entry, which is read-only. */
async function modeOfNew(path: string): Promise<number> {
  const file = await open(path, "wx", 0o777);
  try {
    return (await file.stat()).mode & 0o777;
  } finally {
    await file.close();
    await removeUnfinished(path);
  }
}
