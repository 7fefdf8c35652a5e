/** The name that a download is to have: what is there already, and whether anything can be put there. */
import { constants, type Stats } from "node:fs";
import { access, type FileHandle, lstat, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SregistryError, systemCode } from "../errors.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import type { ImageInfo } from "../registry/registry.ts";
import { shellWord } from "../shell-word.ts";
import { CLOCK_TICK, type DigestMemo, WORTH_REMEMBERING } from "./digest-memo.ts";
import { diskError, present, readError } from "./disk.ts";
import { digestOfFile } from "./hash-file.ts";

export interface Wanted {
  readonly image: Pick<ImageInfo, "size" | "digest">;
  readonly target: string;
  /** Replace a regular file, or a symbolic link, that holds something else. */
  readonly force: boolean;
}

export interface PresentImage {
  readonly digest: Digest;
  readonly stat: Stats;
}

/**
 * The image when the target holds it already; undefined when the name is free or may be taken from a file.
 * `memo` saves reading a large file that has not changed since it was read before.
 * @throws SregistryError CONFLICT when it holds something else; USAGE for a directory or a device, whatever `force` says.
 */
export async function lookAtTarget(
  wanted: Wanted,
  signal: AbortSignal,
  memo?: DigestMemo,
): Promise<PresentImage | undefined> {
  const { target, force } = wanted;
  const entry = await statTarget(target, lstat);
  if (entry === undefined) return undefined;
  const found = entry.isSymbolicLink() ? await statTarget(target, stat) : entry;
  if (found === undefined) {
    if (force) return undefined;
    throw new SregistryError("CONFLICT", `${target} is a symbolic link that leads nowhere; it was not touched`, {
      hint: "--force replaces the link, --output names another file",
    });
  }
  if (!found.isFile()) throw notAFile(target, found);
  const there = await imageIn(wanted, found, signal, memo);
  if (there === undefined && !force) throw alreadyThere(target);
  return there;
}

/** What is under the name: another text when it is another file, or none any more. */
export async function entryAt(target: string): Promise<string> {
  const entry = await statTarget(target, lstat);
  return entry === undefined ? "nothing" : [entry.dev, entry.ino, entry.size, entry.mtimeMs].join(":");
}

async function imageIn(
  { image, target, force }: Wanted,
  found: Stats,
  signal: AbortSignal,
  memo: DigestMemo | undefined,
): Promise<PresentImage | undefined> {
  const { digest, size = found.size } = image;
  if (digest === undefined || size !== found.size) return undefined;
  const file = await openTarget(target, force);
  if (file === undefined) return undefined;
  try {
    const stamp = await file.stat({ bigint: true });
    const known = await memo?.find(stamp);
    const algorithm = digestAlgorithm(digest);
    if (known !== undefined && digestAlgorithm(known) === algorithm) {
      return known === digest ? { digest, stat: found } : undefined;
    }
    // Read within the tick of its stamp, it could change unseen.
    if (memo !== undefined && stamp.size >= WORTH_REMEMBERING) await sleep(CLOCK_TICK);
    const has = await digestOfFile(file, size, algorithm, { signal, name: target });
    if (has !== undefined) await memo?.remember(target, stamp, has);
    return has === digest ? { digest, stat: found } : undefined;
  } finally {
    await file.close();
  }
}

/** Undefined when it is gone by now, or cannot be read and will be replaced. */
async function openTarget(target: string, force: boolean): Promise<FileHandle | undefined> {
  try {
    return await present(open(target, "r"));
  } catch (error) {
    if (force) return undefined;
    throw readError(target, error);
  }
}

export function alreadyThere(target: string): SregistryError {
  return new SregistryError("CONFLICT", `${target} exists already and holds something else; it was not touched`, {
    hint: "--force replaces it, --output names another file",
  });
}

function notAFile(target: string, found: Stats): SregistryError {
  if (found.isDirectory()) {
    return new SregistryError("USAGE", `${target} is a directory; the image needs a file name`, {
      hint: `--dir ${target} puts the file into it`,
    });
  }
  return new SregistryError("USAGE", `${target} is a device, pipe or socket; an image is put into a regular file`);
}

async function statTarget(target: string, look: (path: string) => Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await present(look(target));
  } catch (error) {
    if (systemCode(error) === "ENAMETOOLONG") {
      const length = Buffer.byteLength(basename(target));
      throw new SregistryError("USAGE", `the file name is too long for its directory (${length} bytes): ${target}`, {
        hint: "--output names another file",
      });
    }
    throw readError(target, error);
  }
}

/** @throws SregistryError USAGE when there is no such directory. */
export async function requireDirectory(directory: string): Promise<void> {
  let found: Stats | undefined;
  try {
    found = await present(stat(directory));
  } catch (error) {
    throw readError(directory, error);
  }
  if (found === undefined) {
    throw new SregistryError("USAGE", `there is no directory ${directory}`, {
      hint: `mkdir -p ${shellWord(directory)}`,
    });
  }
  if (!found.isDirectory()) throw new SregistryError("USAGE", `${directory} is no directory`);
}

/** @throws SregistryError DISK when no file can be made in the directory. */
export async function requireWritable(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const known = diskError(directory, cause);
    if (!(known instanceof SregistryError)) throw cause;
    throw new SregistryError("DISK", known.message, { hint: `ls -ld ${shellWord(directory)}`, cause });
  }
}
