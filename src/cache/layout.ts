/**
 * Where things are in a cache:
 *
 *   sha256/ab/<hex>.sif    an entry: read-only, complete, verified
 *   sha256/ab/<hex>.used   its time of change is when the entry was last given out
 *   filling/               entries on their way in, with their partials and locks
 *   notes/                 what is known of digests, names and files: see notes.ts
 */
import { basename, join } from "node:path";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../reference/digest.ts";

export const ALGORITHMS = ["sha256", "sha512"] as const;

/** Every folder of an image cache: its directory may hold other things too. */
export const FILLING = "filling";
export const NOTES = "notes";

export function shardOf(directory: string, digest: Digest): string {
  return join(directory, digestAlgorithm(digest), digestHex(digest).slice(0, 2));
}

export function entryPath(directory: string, digest: Digest): string {
  return join(shardOf(directory, digest), `${digestHex(digest)}.sif`);
}

/** Beside the entry, since touching the entry itself would change its ctime. */
export function usedPath(entry: string): string {
  return entry.replace(/\.sif$/, ".used");
}

/** Where a download of the entry grows. */
export function fillingPath(directory: string, digest: Digest): string {
  return join(directory, FILLING, `${digestHex(digest)}.sif`);
}

/** The digest that a file's name gives it in `<algorithm>/<two digits>/`; undefined for anything that is no entry. */
export function digestOfEntry(algorithm: string, path: string): Digest | undefined {
  const text = `${algorithm}:${basename(path).replace(/\.sif$/, "")}`;
  return path.endsWith(".sif") && isDigest(text) ? text : undefined;
}
