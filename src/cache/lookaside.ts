/**
 * Directories of images that are read and never written: a cache on CVMFS, a site's image folder. The same layout as a
 * cache, files named after their digest, or plain files, which are found by their size and then hashed.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Call } from "../call.ts";
import { type Digest, digestAlgorithm, digestHex } from "../reference/digest.ts";
import { diskWords, present } from "../transfer/disk.ts";
import { type Entry, isIntact } from "./entries.ts";
import { entryPath } from "./layout.ts";
import type { Notes } from "./notes.ts";

interface Wanted {
  readonly digest: Digest;
  /** Unknown: only files that are named after the digest, or have been hashed before. */
  readonly size: number | undefined;
}

export async function findAside(
  directories: readonly string[],
  wanted: Wanted,
  notes: Notes,
  call: Call,
): Promise<Entry | undefined> {
  for (const directory of directories) {
    try {
      const found = (await named(directory, wanted, notes)) ?? (await among(directory, wanted, notes, call));
      if (found !== undefined) return found;
    } catch (error) {
      const words = diskWords(error);
      if (words === undefined) throw error;
      call.log.warn(`${directory}, where images are looked for, cannot be read: ${words}`);
    }
  }
  return undefined;
}

async function named(directory: string, wanted: Wanted, notes: Notes): Promise<Entry | undefined> {
  const hex = digestHex(wanted.digest);
  const names = [`${hex}.sif`, `${digestAlgorithm(wanted.digest)}.${hex}.sif`].map((name) => join(directory, name));
  for (const path of [entryPath(directory, wanted.digest), ...names]) {
    const entry = await entryAt(path, wanted, notes);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Each file of the right size is hashed once; what it turned out to be is remembered. */
async function among(directory: string, wanted: Wanted, notes: Notes, call: Call): Promise<Entry | undefined> {
  for (const path of await images(directory)) {
    const entry = await entryAt(path, wanted, notes);
    if (entry === undefined) continue;
    const known = await notes.checked(path);
    if (known === wanted.digest) return entry;
    if (known !== undefined || wanted.size === undefined) continue;
    if (await isIntact(entry, notes, path, call)) return { ...entry, checked: true };
  }
  return undefined;
}

async function entryAt(path: string, { digest, size }: Wanted, notes: Notes): Promise<Entry | undefined> {
  const found = await present(stat(path));
  if (found?.isFile() !== true || (size !== undefined && found.size !== size)) return undefined;
  return { path, digest, size: found.size, checked: (await notes.checked(path)) === digest, foreign: true };
}

async function images(directory: string): Promise<readonly string[]> {
  const names = (await present(readdir(directory))) ?? [];
  return names.filter((name) => name.endsWith(".sif") && !name.startsWith(".")).map((name) => join(directory, name));
}
