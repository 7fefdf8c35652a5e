/** Files of ours in directories that others may be able to write to. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, unlink } from "node:fs/promises";
import { present } from "./disk.ts";

export interface OwnFile {
  /** User id that this file system gives to files of ours (not always the process's: NFS maps root). */
  readonly owner: number;
  /** Less the umask, from birth. */
  readonly mode: number;
}

/** The file at `path` as it is if it is a regular file of ours without another name; else a new one in its place. */
export async function openOwn(path: string, file: OwnFile): Promise<FileHandle> {
  return (await openExisting(path, file)) ?? (await createOwn(path, file));
}

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
