/** Files of ours in directories that others may be able to write to. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, unlink } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { present, readError } from "./disk.ts";

export interface OwnFile {
  /** User id that this file system gives to files of ours (not always the process's: NFS maps root). */
  readonly owner: number;
  /** Less the umask, from birth. */
  readonly mode: number;
}

/** The file at `path` as it is if it is a regular file of ours without another name; else a new one in its place. */
export async function openOwn(path: string, file: OwnFile): Promise<FileHandle> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await openExisting(path, file)) ?? (await createOwn(path, file));
    } catch (error) {
      // Where locks are given to everybody, another process made it between the look and the making.
      if (systemCode(error) !== "EEXIST" || tries === MOST_TRIES) throw error;
    }
  }
}

const MOST_TRIES = 5;

export async function createOwn(path: string, { mode }: Pick<OwnFile, "mode">): Promise<FileHandle> {
  return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
}

/** Anything else at `path` is removed: its owner could change it later, or it could be a link to a file to ruin. */
async function openExisting(path: string, { owner }: OwnFile): Promise<FileHandle | undefined> {
  const found = await present(lstat(path));
  if (found === undefined) return undefined;
  if (found.isFile() && found.nlink === 1 && found.uid === owner) {
    return await present(open(path, constants.O_RDWR | constants.O_NOFOLLOW));
  }
  await present(unlink(path));
  return undefined;
}

/**
 * The text of a small file of ours; undefined when there is none, or anything else in its place: a pipe would be waited for.
 * `owner`, where it is given, has to be its. @throws SregistryError DISK.
 */
export async function readOwn(
  path: string,
  { owner, longest }: { readonly owner?: number; readonly longest: number },
): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await present(open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    const found = await file?.stat();
    if (file === undefined || !found?.isFile() || found.size > longest) return undefined;
    return owner === undefined || found.uid === owner ? await file.readFile("utf8") : undefined;
  } catch (error) {
    // What O_NOFOLLOW says to a symbolic link, and opening to a socket.
    if (["ELOOP", "ENXIO", "EACCES"].includes(systemCode(error) ?? "")) return undefined;
    throw readError(path, error);
  } finally {
    await file?.close();
  }
}
