/** Complete images of a cache or of a read-only directory beside it, and whether their bytes can be believed. */
import { open, unlink } from "node:fs/promises";
import type { Call } from "../call.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import { present, readError } from "../transfer/disk.ts";
import { digestOfFile } from "../transfer/hash-file.ts";
import { ifPossible, sizeOf } from "./folder.ts";
import { entryPath, usedPath } from "./layout.ts";
import { markOf, type Notes } from "./notes.ts";

export interface ImageKey {
  readonly digest: Digest;
  /** Bytes, where known. */
  readonly size: number | undefined;
  /** For the progress. */
  readonly label: string;
}

export interface Entry {
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Its bytes were hashed, and nothing has changed since; otherwise they have to be before they are given out. */
  readonly checked: boolean;
  /** In a directory that is only read. */
  readonly foreign: boolean;
}

/** The entry of `digest` in our own cache; one of another size than the image has is removed, so that it comes anew. */
export async function findEntry(
  directory: string,
  notes: Notes,
  digest: Digest,
  size: number | undefined,
): Promise<Entry | undefined> {
  const path = entryPath(directory, digest);
  const found = await sizeOf(path);
  if (found === undefined) return undefined;
  if (size !== undefined && found !== size) {
    await removeEntry(path, notes);
    return undefined;
  }
  return { path, digest, size: found, checked: (await notes.checked(path)) === digest, foreign: false };
}

/**
 * Hashes the entry unless that was done and it has not changed since.
 * @throws SregistryError DISK when it cannot be read.
 */
export async function isIntact(entry: Entry, notes: Notes, label: string, call: Call): Promise<boolean> {
  if (entry.checked) return true;
  const task = call.progress.start(label, entry.size);
  task.state("verifying");
  try {
    const intact = (await hashEntry(entry, notes, call, (offset) => task.at(offset))) === entry.digest;
    if (intact) task.done();
    else task.fail();
    return intact;
  } catch (error) {
    task.fail();
    throw error;
  }
}

/** What the file's bytes are, whatever they should be; noted unless it changed meanwhile. Undefined when it is gone. */
export async function hashEntry(
  { path, digest, size }: Pick<Entry, "path" | "digest" | "size">,
  notes: Notes,
  { signal }: Call,
  told: (offset: number) => void,
): Promise<Digest | undefined> {
  const before = await markOf(path);
  const file = await opened(path);
  if (file === undefined) return undefined;
  try {
    const found = await digestOfFile(file, size, digestAlgorithm(digest), { name: path, signal, told });
    if (found !== undefined && before === (await markOf(path))) await notes.noteChecked(path, found);
    return found;
  } finally {
    await file.close();
  }
}

async function opened(path: string) {
  try {
    return await present(open(path, "r"));
  } catch (error) {
    throw readError(path, error);
  }
}

/** With its mark and what was noted of it. False when it could not be removed: in a cache of somebody else's, say. */
export async function removeEntry(path: string, notes: Notes): Promise<boolean> {
  let gone = false;
  await ifPossible(async () => {
    await present(unlink(path));
    gone = true;
    await present(unlink(usedPath(path)));
  });
  await notes.forgetChecked(path);
  return gone;
}
