/** Room: entries that nobody used for long, and what processes left that are gone. */
import { rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { diskError, present, removeUnfinished } from "../transfer/disk.ts";
import { textOf } from "../transfer/lock.ts";
import { decodeOwner, lifeOf } from "../transfer/owner.ts";
import type { Cache } from "./cache.ts";
import { removeEntry } from "./entries.ts";
import { serverTime } from "./folder.ts";
import { FILLING, NOTES } from "./layout.ts";
import { type Listed, listEntries, namesIn } from "./survey.ts";

export interface PruneLimits {
  /** Bytes that may stay; the least recently used entries go first. */
  readonly maxSize?: number;
  /** Milliseconds since the last use. */
  readonly olderThan?: number;
  /** Say what would go. */
  readonly dryRun?: boolean;
}

export interface Pruned {
  readonly removed: readonly Listed[];
  /** Entries that belong to others, who alone can remove them. */
  readonly kept: readonly Listed[];
  /** Entries that the limits let go, and that were used too shortly ago. */
  readonly justUsed: readonly Listed[];
  /** Partial files and locks of processes that are gone. */
  readonly leftovers: readonly string[];
}

/** Milliseconds for which an entry stays whatever the limits are: somebody was given its path a moment ago. */
const JUST_USED = 60_000;
/** Milliseconds after which a download that nobody goes on with is given up, and a lock of unknown life. */
const ABANDONED = 60 * 60 * 1000;

export async function prune(cache: Cache, limits: PruneLimits): Promise<Pruned> {
  const now = await timeThere(cache.directory);
  if (now === undefined) return NOTHING;
  const entries = await listEntries(cache.directory);
  const chosen = chooseEntries(entries, limits, now);
  const justUsed = chooseEntries(entries, limits, now, 0).filter(({ used }) => now - used < JUST_USED);
  const leftovers = await findLeftovers(cache.directory, now);
  if (limits.dryRun === true) return { removed: chosen, kept: [], justUsed, leftovers };
  const { removed, kept } = await removeAll(cache, chosen);
  for (const path of leftovers) await unlinkLeftover(path);
  return { removed, kept, justUsed, leftovers };
}

/** Everything but what is being filled at this moment. */
export async function clean(cache: Cache): Promise<Pruned> {
  const now = await timeThere(cache.directory);
  if (now === undefined) return NOTHING;
  const leftovers = await findLeftovers(cache.directory, now, 0);
  const { removed, kept } = await removeAll(cache, await listEntries(cache.directory));
  for (const path of leftovers) await unlinkLeftover(path);
  if (cache.notes.directory === join(cache.directory, NOTES)) {
    await rm(cache.notes.directory, { recursive: true, force: true });
  }
  return { removed, kept, justUsed: [], leftovers };
}

const NOTHING: Pruned = { removed: [], kept: [], justUsed: [], leftovers: [] };

/** Which entries the limits let go, least recently used first; `leastAge` in milliseconds since the last use. Pure. */
export function chooseEntries(
  entries: readonly Listed[],
  limits: PruneLimits,
  now: number,
  leastAge = JUST_USED,
): readonly Listed[] {
  const { maxSize = Number.POSITIVE_INFINITY, olderThan = Number.POSITIVE_INFINITY } = limits;
  let size = entries.reduce((sum, entry) => sum + entry.size, 0);
  const chosen: Listed[] = [];
  for (const entry of [...entries].sort((a, b) => a.used - b.used)) {
    const age = now - entry.used;
    if (age < leastAge || (size <= maxSize && age <= olderThan)) continue;
    chosen.push(entry);
    size -= entry.size;
  }
  return chosen;
}

async function removeAll(cache: Cache, entries: readonly Listed[]): Promise<Pick<Pruned, "removed" | "kept">> {
  const removed: Listed[] = [];
  const kept: Listed[] = [];
  for (const entry of entries) {
    const gone = await removeEntry(entry.path, cache.notes);
    if (gone) await cache.notes.forgetPin(entry.digest);
    (gone ? removed : kept).push(entry);
  }
  return { removed, kept };
}

async function unlinkLeftover(path: string): Promise<void> {
  try {
    await present(unlink(path));
  } catch (error) {
    throw diskError(path, error);
  }
}

/** Undefined where there is no cache yet. */
async function timeThere(directory: string): Promise<number | undefined> {
  if ((await present(stat(directory))) === undefined) return undefined;
  const probe = join(directory, `.time-${Math.random().toString(16).slice(2)}`);
  try {
    return await serverTime(probe);
  } catch (error) {
    throw diskError(probe, error);
  } finally {
    await removeUnfinished(probe);
  }
}

/** In `filling/`: what belongs to an entry that nobody fills. */
async function findLeftovers(directory: string, now: number, age = ABANDONED): Promise<readonly string[]> {
  const filling = join(directory, FILLING);
  const names = await namesIn(filling);
  const alive = new Set<string>();
  for (const name of names.filter((one) => one.includes(".lock"))) {
    if (await isHeld(join(filling, name), now)) alive.add(hexOf(name));
  }
  const left: string[] = [];
  for (const name of names) {
    const path = join(filling, name);
    if (alive.has(hexOf(name))) continue;
    const found = await present(stat(path));
    // Locks of the dead are of no use to anybody; the bytes of a download are, for a while.
    if (found !== undefined && (name.includes(".lock") || now - found.mtimeMs >= age)) left.push(path);
  }
  return left;
}

/** The entry that a name in `filling/` is about. */
function hexOf(name: string): string {
  return /^\.?([0-9a-f]{64,128})/.exec(name)?.[1] ?? name;
}

async function isHeld(path: string, now: number): Promise<boolean> {
  const [text, found] = await Promise.all([textOf(path), present(stat(path))]);
  if (text === undefined || found === undefined) return false;
  const owner = decodeOwner(text);
  const life = owner === undefined ? "unknown" : await lifeOf(owner);
  return life === "unknown" ? now - found.mtimeMs < ABANDONED : life === "lives";
}
