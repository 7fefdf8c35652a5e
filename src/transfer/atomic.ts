/**
 * Small files that are whole or absent, for configuration and secrets: written beside their target, private from birth,
 * synced, renamed. (CVE-2019-19724 and CVE-2020-25039: files that others could read or write.)
 */
import { randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { diskError, present, removeUnfinished, syncDirectory } from "./disk.ts";

export interface AtomicWrite {
  /** Permission bits, given those of the file that is replaced (undefined: a new file). Default: kept, 0600 when new. */
  readonly mode?: (existing: number | undefined) => number;
  /** False: a crash of the machine may lose it, for what can be found out again. */
  readonly durable?: boolean;
}

const PRIVATE = 0o600;

/** As many as Linux follows in one path. */
const MOST_LINKS = 40;

/**
 * Replaces the file's content as one step; a symbolic link stays, and the file it leads to is replaced (as docker does).
 * Mode and owner of an existing file are kept.
 * @throws SregistryError DISK when the directory cannot be written, is full, or over quota.
 */
export async function writeFileAtomic(path: string, content: string, options: AtomicWrite = {}): Promise<void> {
  const target = await finalTarget(path);
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  try {
    await writeBeside(temporary, target, content, options);
    await rename(temporary, target);
    if (options.durable !== false) await syncDirectory(dirname(target));
  } catch (error) {
    await removeUnfinished(temporary);
    throw diskError(path, error);
  }
}

async function writeBeside(temporary: string, target: string, content: string, options: AtomicWrite): Promise<void> {
  const existing = await present(lstat(target));
  const before = existing === undefined ? undefined : existing.mode & 0o777;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(temporary, flags, PRIVATE);
  try {
    await file.writeFile(content, "utf8");
    const owned = existing === undefined || (await giveTo(file, existing));
    const mode = options.mode?.(before) ?? before ?? PRIVATE;
    // Bits for a group or for others mean something only with the owner they were given for.
    await file.chmod(owned ? mode : mode & 0o700);
    if (options.durable !== false) await file.sync();
  } finally {
    await file.close();
  }
}

/** False when the file stays with the user who writes it: only root can give files away. */
async function giveTo(file: FileHandle, { uid, gid }: Stats): Promise<boolean> {
  const now = await file.stat();
  if (now.uid === uid && now.gid === gid) return true;
  try {
    await file.chown(uid, gid);
    return true;
  } catch (error) {
    if (["EPERM", "EINVAL", "ENOTSUP"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

/**
 * The file behind `path`, which need not exist, through every symbolic link: what two names of one file share, so locks
 * are taken on it.
 */
export async function finalTarget(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const folder = (await present(realpath(dirname(target)))) ?? dirname(target);
    target = join(folder, basename(target));
    const stat = await present(lstat(target));
    if (stat?.isSymbolicLink() !== true) return target;
    target = resolve(folder, await readlink(target));
  }
  throw new SregistryError("CONFIG_INVALID", `${path}: symbolic links that lead in a circle`);
}
