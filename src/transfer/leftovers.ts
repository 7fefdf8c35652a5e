/** What pulls that were killed left beside a target. */
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { present } from "./disk.ts";
import { decodeOwner, lifeOf } from "./owner.ts";
import { partialPrefix } from "./partial.ts";

const MARK = "(?:[0-9a-f]{16}|unknown)";
const ID = "[0-9a-f-]{36}";
/** The journal of a partial is whose the lock is. */
const JOURNAL = new RegExp(`^(${MARK})\\.json$`);
/** A partial, or a copy out of the cache, of whoever has the id. */
const PARTIAL = new RegExp(`^(${MARK})\\.(${ID})$`);
/** What lock.ts takes a lock with: the lock's name and the owner's id. */
const CLAIM = new RegExp(`^(${MARK})\\.lock\\.(${ID})$`);

/** Milliseconds after which a claim of unknown life is nobody's: no owner misses signs of life for a day. */
const DAY = 24 * 60 * 60 * 1000;

/**
 * Removes the partials of other images, which nobody goes on with now that the name is taken, and the claims of processes
 * that are gone. To be called when `target` is in place.
 */
export async function removeLeftovers(target: string): Promise<void> {
  const directory = dirname(target);
  const prefix = partialPrefix(target);
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    if (await isLeft(directory, prefix, name.slice(prefix.length), names)) await present(unlink(join(directory, name)));
  }
}

async function isLeft(directory: string, prefix: string, rest: string, names: readonly string[]): Promise<boolean> {
  const [, journal] = JOURNAL.exec(rest) ?? [];
  if (journal !== undefined) return !names.includes(`${prefix}${journal}.lock`);
  const [, mark = "", id = ""] = PARTIAL.exec(rest) ?? CLAIM.exec(rest) ?? [];
  return id !== "" && (await isAbandoned(join(directory, `${prefix}${mark}.lock`), id));
}

/** Nobody has this claim on the lock any more, neither under its own name nor under the lock's. */
async function isAbandoned(lock: string, id: string): Promise<boolean> {
  const claim = `${lock}.${id}`;
  const claimed = await present(readFile(claim, "utf8"));
  const holder = claimed ?? (await present(readFile(lock, "utf8"))) ?? "";
  const owner = decodeOwner(holder);
  if (claimed === undefined && owner?.id !== id) return true;
  const life = owner === undefined ? "unknown" : await lifeOf(owner);
  if (life !== "unknown") return life === "gone";
  const found = await present(stat(claimed === undefined ? lock : claim));
  return found !== undefined && Date.now() - found.mtimeMs > DAY;
}
