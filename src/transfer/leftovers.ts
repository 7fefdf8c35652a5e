/** What pulls that were killed left beside a target. */
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { present } from "./disk.ts";
import { decodeOwner, lifeOf } from "./owner.ts";
import { partialPrefix } from "./partial.ts";

/** A partial, or its journal. */
const PARTIAL = /^(?:[0-9a-f]{16}|unknown)(?:\.json)?$/;
/** What lock.ts takes a lock with: the lock's name and the owner's id. */
const CLAIM = /^(?:[0-9a-f]{16}|unknown)\.lock\.[0-9a-f-]{36}$/;

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
    const path = join(directory, name);
    const rest = name.slice(prefix.length);
    const left = PARTIAL.test(rest)
      ? !names.includes(`${name.replace(/\.json$/, "")}.lock`)
      : CLAIM.test(rest) && (await isAbandoned(path));
    if (left) await present(unlink(path));
  }
}

async function isAbandoned(claim: string): Promise<boolean> {
  const text = await present(readFile(claim, "utf8"));
  const owner = text === undefined ? undefined : decodeOwner(text);
  const life = owner === undefined ? "unknown" : await lifeOf(owner);
  if (life !== "unknown") return life === "gone";
  const found = await present(stat(claim));
  return found !== undefined && Date.now() - found.mtimeMs > DAY;
}
