/**
 * Pull once: one process downloads an entry, all others, on whatever host, wait for it. The lock is advice: each download
 * is verified, and comes under the entry's name by one rename.
 */
import { chmod, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Call, Progress, Task } from "../call.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import { type Digest, digestHex } from "../reference/digest.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { diskError, isMissing, syncDirectory } from "../transfer/disk.ts";
import { type DownloadResult, downloadToFile } from "../transfer/download.ts";
import type { Parallel } from "../transfer/lanes.ts";
import { withLock } from "../transfer/lock.ts";
import { Onlooker } from "../transfer/onlooker.ts";
import { partialPath } from "../transfer/partial.ts";
import { type Entry, findEntry } from "./entries.ts";
import { makeDirectory } from "./folder.ts";
import { entryPath, FILLING, fillingPath, shardOf } from "./layout.ts";
import type { Notes } from "./notes.ts";

export interface Fill {
  readonly registry: Registry;
  readonly image: ImageInfo & { readonly digest: Digest };
  /** For the progress: the digest says nothing to a user. */
  readonly label: string;
  readonly parallel?: Parallel;
  readonly call: Call;
}

export interface Filled extends Entry {
  /** `present`: another process, or an earlier one, fetched it. */
  readonly outcome: DownloadResult["outcome"];
  /** Bytes that came over the wire. */
  readonly transferred: number;
}

/** Entries are read-only and executable: a SIF is run, and nobody may change one that others use. */
const ENTRY_MODE = 0o555;

/** Milliseconds that others are waited for: as long as a transfer may take. */
const LONGEST_WAIT = 24 * 60 * 60 * 1000;
/** Milliseconds between two looks: two hundred that wait are fifty looks a second for the file server. */
const LONGEST_PAUSE = 4_000;

export async function fillEntry(directory: string, notes: Notes, shared: boolean, fill: Fill): Promise<Filled> {
  const { image, call } = fill;
  const { digest, size } = image;
  await makeDirectory(join(directory, FILLING), shared);
  await makeDirectory(shardOf(directory, digest), shared);
  const filling = fillingPath(directory, digest);
  const progress = oneTask(fill);
  using onlooker = new Onlooker(partialPath(filling, digest), progress.task, call);
  const there = async (): Promise<Filled | undefined> => {
    const entry = await findEntry(directory, notes, digest, size);
    return entry && { ...entry, outcome: "present", transferred: 0 };
  };
  const work = async (): Promise<Filled> => {
    onlooker[Symbol.dispose]();
    const done = await there();
    if (done !== undefined) return done;
    return await download(directory, notes, { ...fill, call: { ...call, progress } });
  };
  try {
    const filled = await withLock(join(directory, FILLING, `.${digestHex(digest)}.lock`), work, {
      signal: call.signal,
      timeoutMs: LONGEST_WAIT,
      longestPauseMs: LONGEST_PAUSE,
      waiting: (owner) => onlooker.waitFor(owner),
      instead: there,
    });
    progress.end();
    return filled;
  } catch (error) {
    progress.task.fail();
    // Waiting for the lock is ended by Node's own AbortError.
    throw call.signal.aborted && !(error instanceof SregistryError) ? abortError(call.signal) : error;
  }
}

/** Where locks hold nobody back, others may finish the entry meanwhile, or take its partial from under this process. */
async function download(directory: string, notes: Notes, fill: Fill): Promise<Filled> {
  const { digest, size } = fill.image;
  for (let turn = 1; ; turn += 1) {
    try {
      return await downloadAlone(directory, notes, fill);
    } catch (error) {
      if (!wasDisturbed(error)) throw error;
      const found = await findEntry(directory, notes, digest, size);
      if (found !== undefined) return { ...found, outcome: "present", transferred: 0 };
      if (turn === TURNS) throw error;
    }
  }
}

const TURNS = 3;

function wasDisturbed(error: unknown): boolean {
  if (isCode(error, "LOCKED")) return true;
  return isCode(error, "DISK") && (isMissing(error.cause) || systemCode(error.cause) === "EEXIST");
}

async function downloadAlone(directory: string, notes: Notes, fill: Fill): Promise<Filled> {
  const { registry, image, call, parallel = {} } = fill;
  const { digest } = image;
  const filling = fillingPath(directory, digest);
  const entry = entryPath(directory, digest);
  const download = { registry, image, target: filling, force: true, call, parallel };
  const { size, outcome, transferred } = await downloadToFile(download);
  try {
    await chmod(filling, ENTRY_MODE);
    await rename(filling, entry);
    await syncDirectory(dirname(entry));
  } catch (error) {
    throw diskError(entry, error);
  }
  await notes.noteChecked(entry, digest);
  return { path: entry, digest, size, checked: true, foreign: false, outcome, transferred };
}

/** The wait and the download are one line of the progress, under the image's name. */
function oneTask({ label, image, call }: Fill): Progress & { readonly task: Task; end(): void } {
  let started: Task | undefined;
  // The download ends it by itself; only a wait that was enough, or that failed, is left to be ended here.
  let ended = false;
  const get = (): Task => {
    started ??= call.progress.start(label, image.size);
    return started;
  };
  const task: Task = {
    at: (offset, found) => get().at(offset, found),
    state: (words) => get().state(words),
    done: () => get().done(),
    fail: () => {
      if (!ended) started?.fail();
      ended = true;
    },
  };
  const end = (): void => {
    if (started === undefined || ended) return;
    if (image.size !== undefined) started.at(image.size, "found");
    started.done();
  };
  const finish = (how: "done" | "fail"): void => {
    if (!ended) get()[how]();
    ended = true;
  };
  return { start: () => ({ ...task, done: () => finish("done"), fail: () => finish("fail") }), task, end };
}
