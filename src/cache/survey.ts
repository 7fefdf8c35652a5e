/** What is in a cache. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../reference/digest.ts";
import { present, readError } from "../transfer/disk.ts";
import { ALGORITHMS, digestOfEntry } from "./layout.ts";
import { lastUsed } from "./use-mark.ts";

export interface Listed {
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970 by the file server's clock: when it was last given out, or came in. */
  readonly used: number;
}

/** Every entry, in the order of their digests. */
export async function listEntries(directory: string): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  for (const algorithm of ALGORITHMS) {
    for (const shard of await namesIn(join(directory, algorithm))) {
      for (const name of await namesIn(join(directory, algorithm, shard))) {
        const path = join(directory, algorithm, shard, name);
        const digest = digestOfEntry(algorithm, path);
        const entry = digest && (await listed(path, digest));
        if (entry !== undefined) found.push(entry);
      }
    }
  }
  return found;
}

async function listed(path: string, digest: Digest): Promise<Listed | undefined> {
  const found = await present(stat(path));
  if (found?.isFile() !== true) return undefined;
  return { path, digest, size: found.size, used: Math.max(found.mtimeMs, (await lastUsed(path)) ?? 0) };
}

export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return ((await present(readdir(directory))) ?? []).sort();
  } catch (error) {
    throw readError(directory, error);
  }
}
