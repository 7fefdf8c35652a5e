/** The shared image cache: content-addressed, read-only entries, filled once however many ask. No database and no flock. */
import { dirname, join } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { Digest } from "../reference/digest.ts";
import { type Entry, findEntry, type ImageKey, isIntact, removeEntry } from "./entries.ts";
import { type Fill, type Filled, fillEntry } from "./fill.ts";
import { isOurs, isOwn, looksShared, seen } from "./folder.ts";
import { NOTES } from "./layout.ts";
import { findAside } from "./lookaside.ts";
import { type ImageNote, markOf, type Notes, openNotes } from "./notes.ts";
import { type CopyOutcome, type CopyTo, copyToTarget, targetHolds } from "./to-target.ts";
import { markUsed } from "./use-mark.ts";

export interface CacheOptions {
  /** Absolute; made when something is put into it. */
  readonly directory: string;
  /** This user's own, for what is known of a cache that others can write. */
  readonly ownNotes: string;
  /** For a group; undefined: when the directory was made for one (setgid, and the group writes). */
  readonly shared?: boolean | undefined;
  /** Directories of images that are read besides, in order. */
  readonly lookaside?: readonly string[];
}

export interface Cache {
  readonly directory: string;
  readonly shared: boolean;
  readonly notes: Notes;
  /** The image, verified; undefined when it is neither here nor in a directory beside. Asks nobody. */
  find(key: ImageKey, call: Call): Promise<Entry | undefined>;
  /** The same, fetched first where it has to be. */
  fetch(fill: Fill): Promise<Filled>;
  /** A file of the user's from the image; undefined when the image is not here, or was damaged. Asks nobody. */
  copy(key: ImageKey, to: CopyTo, call: Call): Promise<CopyOutcome | undefined>;
  /** The image that a pin or a name stood for, by what was noted here or in a directory beside. */
  known(by: { readonly pin: Digest } | { readonly name: string }): Promise<ImageNote | undefined>;
  note(known: NewNote): Promise<void>;
}

export interface NewNote extends Omit<ImageNote, "of" | "time"> {
  /** Digests that pin the image for good. */
  readonly pins: readonly Digest[];
  /** A name that may stand for another image tomorrow. */
  readonly name: string | undefined;
}

export async function createCache({ directory, ownNotes, lookaside = [], ...more }: CacheOptions): Promise<Cache> {
  const shared = more.shared ?? (await looksShared(directory));
  const inside = join(directory, NOTES);
  // What was seen of a cache that others can write is kept where they cannot.
  const isPrivate = !shared && (await isOurs(directory));
  const notes = openNotes(isPrivate ? inside : ownNotes);
  const told = await Promise.all([directory, ...lookaside].map(notesAt));
  // Of a shared cache's notes those of its owner are believed, and only they are made.
  const published = shared && (await isOwn(directory)) ? openNotes(inside, { shared }) : undefined;

  async function look({ digest, size }: ImageKey, call: Call): Promise<Entry | undefined> {
    return (await findEntry(directory, notes, digest, size)) ?? findAside(lookaside, { digest, size }, notes, call);
  }

  async function used({ path, foreign }: Entry): Promise<void> {
    if (!foreign) await markUsed(path, shared);
  }

  async function drop({ path, foreign }: Entry, { log }: Call): Promise<void> {
    const gone = !foreign && (await removeEntry(path, notes));
    log.warn(`${path} is damaged${gone ? ", and was removed" : "; it is not used"}`);
  }

  async function find(key: ImageKey, call: Call): Promise<Entry | undefined> {
    const entry = await look(key, call);
    if (entry === undefined) return undefined;
    const intact = await isIntact(entry, notes, key.label, call);
    await (intact ? used(entry) : drop(entry, call));
    return intact ? { ...entry, checked: true } : undefined;
  }

  /** What another user put there is hashed before it is believed; where it is wrong, once more by ourselves. */
  async function fill(wanted: Fill, again = true): Promise<Filled> {
    const filled = await fillEntry(directory, notes, shared, wanted);
    if (await isIntact(filled, notes, wanted.label, wanted.call)) {
      await used(filled);
      return { ...filled, checked: true };
    }
    await drop(filled, wanted.call);
    if (again) return await fill(wanted, false);
    throw new SregistryError("INTEGRITY", `${filled.path} is damaged again as soon as it is fetched`, {
      hint: `see who writes there: ls -l ${dirname(filled.path)}`,
    });
  }

  return {
    directory,
    shared,
    notes,
    find,
    async fetch(wanted) {
      const { image, label, call } = wanted;
      const found = await find({ digest: image.digest, size: image.size, label }, call);
      return found === undefined ? await fill(wanted) : { ...found, outcome: "present", transferred: 0 };
    },
    async copy(key, to, call) {
      const there = await targetHolds(key, to, call);
      if (there !== undefined) return there;
      const found = await look(key, call);
      if (found === undefined) return undefined;
      // What others can write is hashed on its way, whatever is noted: it could change between the look and the copy.
      const entry = { ...found, checked: found.checked && isPrivate && !found.foreign };
      const mark = await markOf(entry.path);
      const outcome = await copyToTarget(entry, key, to, call);
      if (outcome === undefined) {
        await drop(entry, call);
        return undefined;
      }
      // The copy was hashed on its way.
      if (!entry.checked && mark === (await markOf(entry.path))) await notes.noteChecked(entry.path, entry.digest);
      await used(entry);
      return outcome;
    },
    async known(by) {
      for (const place of [notes, ...told]) {
        const note = await ("pin" in by ? place.pin(by.pin) : place.name(by.name));
        if (note !== undefined) return note;
      }
      return undefined;
    },
    async note({ pins, name, ...known }) {
      const note = { ...known, time: new Date().toISOString() };
      for (const place of published === undefined ? [notes] : [notes, published]) {
        for (const pin of pins) if (!isFresh(await place.pin(pin), note)) await place.notePin(pin, note);
        if (name !== undefined && !isFresh(await place.name(name), note)) await place.noteName(name, note);
      }
    },
  };
}

/** Milliseconds: a thousand jobs that pull one image say so now and then, not each of them. */
const FRESH = 10 * 60 * 1000;

function isFresh(known: ImageNote | undefined, { image, architecture, time }: Omit<ImageNote, "of">): boolean {
  if (known?.image !== image || known.architecture !== architecture) return false;
  return Math.abs(Date.parse(time) - Date.parse(known.time)) < FRESH;
}

async function notesAt(directory: string): Promise<Notes> {
  const found = await seen(directory);
  return openNotes(join(directory, NOTES), { believed: found === undefined ? [] : [found.uid] });
}
