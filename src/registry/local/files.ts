/** Files that are whole or absent: write beside, fsync, rename, fsync the directory. And what a disk may answer. */
import { randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SregistryError, systemCode } from "../../errors.ts";
import { diskWords, syncDirectory } from "../../transfer/disk.ts";

/** File systems without hard links, other devices, and ext4's limit of 65,000 links of one file. */
const NO_LINK = ["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"];

/** Runs `work`; a failure of the disk becomes SregistryError DISK that says what was being done. */
export async function onDisk<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(doing, error);
  }
}

export function diskError(doing: string, error: unknown): unknown {
  const words = diskWords(error);
  if (words === undefined) return error;
  return new SregistryError("DISK", `${doing}: ${words}`, {
    hint: /^E(?:ACCES|PERM|ROFS)$/.test(systemCode(error) ?? "")
      ? "a place that you may write to: --store DIR, or SREGISTRY_STORE=DIR"
      : "free space or another place: --store DIR, SREGISTRY_STORE; sregistry serve --check shows what a full disk left",
    cause: error,
  });
}

/** ESTALE is not among them: an index that another host has just replaced must not read as none. */
function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "");
}

/** What `work` gives, undefined when the file is not there. */
export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Names in a directory; none when there is no such directory. */
export async function names(directory: string): Promise<readonly string[]> {
  return (await ifPresent(readdir(directory))) ?? [];
}

export async function fileStat(path: string): Promise<Stats | undefined> {
  const found = await ifPresent(stat(path));
  return found?.isFile() === true ? found : undefined;
}

/** `mkdir -p` whose new directories survive a power cut. */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/** Bytes in a new file that is on the disk when this returns. */
export async function writeSynced(path: string, bytes: Uint8Array, mode = 0o666): Promise<void> {
  const handle = await open(path, "wx", mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Marks the temporary files of this store, so that a check knows the ones a crash left. */
export const TEMPORARY = /^\..+\.[0-9a-f-]{36}\.tmp$/;

export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/** Replaces `path` as one step, unless `ready`, asked last before it, says no. True when it did. */
export async function replaceFile(
  path: string,
  bytes: Uint8Array,
  options: { readonly ready?: () => Promise<boolean> } = {},
): Promise<boolean> {
  const temporary = temporaryBeside(path);
  try {
    await writeSynced(temporary, bytes);
    if ((await options.ready?.()) === false) return false;
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

/** A second name for a file, or a copy where the file system has no hard links. An existing `to` is left alone. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "EEXIST") return;
    if (!NO_LINK.includes(code)) throw error;
    await copyWhole(from, to);
  }
  await syncDirectory(dirname(to));
}

async function copyWhole(from: string, to: string): Promise<void> {
  const temporary = temporaryBeside(to);
  try {
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const handle = await open(temporary, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** False when it was not there. */
export async function removeFile(path: string): Promise<boolean> {
  return (await ifPresent(unlink(path).then(() => true))) ?? false;
}
