/** What a user does to the image cache as a whole: look, verify, make room. */
import { clean, type Pruned, type PruneLimits, prune } from "../cache/prune.ts";
import { type Listed, listEntries } from "../cache/survey.ts";
import { type Verified, verifyEntries } from "../cache/verify.ts";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { Services } from "./services.ts";

export type { Pruned, PruneLimits } from "../cache/prune.ts";

type WithCache = Pick<Services, "imageCache">;

export interface CacheEntry {
  readonly digest: string;
  /** Absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** RFC 3339: when it was last given out, or came in. */
  readonly used: string;
  /** The name it was fetched by last, where that is known. */
  readonly reference: string | undefined;
}

export interface CacheListing {
  readonly directory: string;
  readonly entries: readonly CacheEntry[];
  /** Bytes of all entries. */
  readonly size: number;
}

export async function cacheDirectory(services: WithCache): Promise<string> {
  return (await services.imageCache.open()).directory;
}

export async function listCache(services: WithCache): Promise<CacheListing> {
  const cache = await services.imageCache.open();
  const entries: CacheEntry[] = [];
  for (const { used, ...entry } of await listEntries(cache.directory)) {
    const note = await cache.known({ pin: entry.digest });
    entries.push({ ...entry, used: new Date(used).toISOString(), reference: note?.reference });
  }
  return { directory: cache.directory, entries, size: total(entries) };
}

export interface CacheCheck {
  readonly intact: readonly string[];
  /** Damaged entries. */
  readonly damaged: readonly { readonly path: string; readonly removed: boolean }[];
}

export async function verifyCache(services: WithCache, call: Call): Promise<CacheCheck> {
  const cache = await services.imageCache.open();
  const found: Verified[] = [];
  for await (const entry of verifyEntries(cache, call)) found.push(entry);
  return {
    intact: found.filter(({ intact }) => intact).map(({ path }) => path),
    damaged: found.filter(({ intact }) => !intact).map(({ path, removed }) => ({ path, removed })),
  };
}

/** @throws SregistryError INTEGRITY naming what is damaged. */
export function requireIntact({ damaged }: CacheCheck): void {
  if (damaged.length === 0) return;
  const names = damaged.map(({ path, removed }) => `${path}${removed ? "" : " (which could not be removed)"}`);
  const what = damaged.length === 1 ? "an entry is" : `${damaged.length} entries are`;
  throw new SregistryError("INTEGRITY", `${what} damaged, and no longer in the cache: ${names.join(", ")}`, {
    hint: "the next get or pull fetches them again",
  });
}

export async function pruneCache(services: WithCache, limits: PruneLimits): Promise<Pruned> {
  return prune(await services.imageCache.open(), limits);
}

/** What `cleanCache` would remove. */
export async function cacheContents(
  services: WithCache,
): Promise<{ readonly directory: string; readonly size: number; readonly count: number }> {
  const { directory } = await services.imageCache.open();
  const entries = await listEntries(directory);
  return { directory, size: total(entries), count: entries.length };
}

export async function cleanCache(services: WithCache): Promise<Pruned> {
  return clean(await services.imageCache.open());
}

function total(entries: readonly Pick<Listed, "size">[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
