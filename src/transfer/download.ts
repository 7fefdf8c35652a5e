/**
 * One image into one file. The contract (docs/architecture.md, "A pull"): under the target's name there is a complete,
 * verified file or what was there before; exit 0 means the first; an interruption costs nothing that was on disk.
 */
import { lstat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Call, Log, Task } from "../call.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import type { RetryLimits } from "../http/retry-policy.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { formatPart } from "../units.ts";
import type { DigestMemo } from "./digest-memo.ts";
import { isSystemError, present } from "./disk.ts";
import { DownloadRun, isResumable } from "./download-run.ts";
import { journalPath } from "./journal.ts";
import type { Parallel } from "./lanes.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type Held, withLock } from "./lock.ts";
import { Onlooker } from "./onlooker.ts";
import { PartialFile, partialPath } from "./partial.ts";
import { entryAt, lookAtTarget, requireDirectory, requireWritable } from "./target.ts";

export interface Download {
  readonly registry: Registry;
  readonly image: ImageInfo;
  /** Absolute path. */
  readonly target: string;
  /** Replace a target that holds something else. */
  readonly force: boolean;
  readonly call: Call;
  readonly retry?: Partial<RetryLimits>;
  /** Over what the registry says of connections; what neither says is found out. */
  readonly parallel?: Parallel;
  /** So that a large target that has not changed is not read again. */
  readonly memo?: DigestMemo;
}

export interface DownloadResult {
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Bytes that came over the wire. */
  readonly transferred: number;
  readonly outcome: "downloaded" | "resumed" | "present";
}

/** Milliseconds that a pull waits for another one of the same target: as long as a transfer may take. */
const LONGEST_WAIT = 24 * 60 * 60 * 1000;
/** Milliseconds between two looks whether it is done: a thousand waiting jobs must not wear down a file server. */
const LONGEST_PAUSE = 1_000;

/** @throws SregistryError CONFLICT, USAGE, DISK, INTEGRITY, and what the endpoint's `read` throws when retrying is over. */
export async function downloadToFile(download: Download): Promise<DownloadResult> {
  const { image, target, call } = download;
  await requireDirectory(dirname(target));
  const path = partialPath(target, image.digest);
  const seen = await entryAt(target);
  const there = await findPresent(download, path);
  if (there !== undefined) return there;
  await requireWritable(dirname(target));
  const task = call.progress.start(basename(target), image.size);
  try {
    const result = await fetchOrFind(download, path, seen, task);
    if (result.outcome !== "present") await download.memo?.rememberFile(target, result.digest);
    task.done();
    return result;
  } catch (error) {
    task.fail();
    // Waiting for the lock is ended by Node's own AbortError.
    throw call.signal.aborted && !(error instanceof SregistryError) ? abortError(call.signal) : error;
  }
}

/**
 * One process at a time fetches. Where the target has changed by the time it is our turn, the turn is given on before the
 * target is hashed: a hundred jobs that waited for one image read it at once, not one after the other.
 */
async function fetchOrFind(download: Download, path: string, before: string, task: Task): Promise<DownloadResult> {
  const { target, call } = download;
  for (let seen = before; ; ) {
    using onlooker = new Onlooker(path, task, call);
    const work = async (held: Held): Promise<DownloadResult | undefined> => {
      onlooker[Symbol.dispose]();
      return (await entryAt(target)) === seen ? await fetchUnderClaim(download, path, held, task) : undefined;
    };
    const result = await withLock(`${path}.lock`, work, {
      signal: call.signal,
      timeoutMs: LONGEST_WAIT,
      longestPauseMs: LONGEST_PAUSE,
      waiting: (owner) => onlooker.waitFor(owner),
    });
    if (result !== undefined) return result;
    seen = await entryAt(target);
    const there = await findPresent(download, path);
    if (there !== undefined) return there;
  }
}

async function findPresent(download: Download, path: string): Promise<DownloadResult | undefined> {
  const { target, call } = download;
  const there = await lookAtTarget(download, call.signal, download.memo);
  if (there === undefined) return undefined;
  const { digest, stat: found } = there;
  // A process that was killed while it gave the file its name left it with both, or its journal.
  const left = found.nlink > 1 || (await present(lstat(journalPath(path)))) !== undefined;
  if (left) await clearAway(target, call.log);
  return { path: target, digest, size: found.size, transferred: 0, outcome: "present" };
}

async function fetchUnderClaim(download: Download, path: string, held: Held, task: Task): Promise<DownloadResult> {
  const { image, target, call } = download;
  const algorithm = image.digest === undefined ? "sha256" : digestAlgorithm(image.digest);
  const { digest, size } = image;
  const { signal } = call;
  await using partial = await PartialFile.open(path, { algorithm, digest, size, signal, held });
  try {
    const result = await new DownloadRun(download, partial, task).run();
    await clearAway(target, call.log);
    return result;
  } catch (error) {
    // Locks are advice: another process may have put the same image there meanwhile.
    const there = isCode(error, "CONFLICT") ? await findPresent({ ...download, force: true }, path) : undefined;
    if (there === undefined) {
      await keep(download, partial);
      throw error;
    }
    await partial.remove();
    return there;
  }
}

/** A pull that has its file is done, whatever cannot be cleared away beside it. */
async function clearAway(target: string, log: Log): Promise<void> {
  try {
    await removeLeftovers(target);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    log.verbose(`what earlier pulls left beside ${target} cannot be removed: ${systemCode(error)}`);
  }
}

/** Why the pull failed is to be told, and not that its journal could not be written either. */
async function leave(partial: PartialFile, log: Log): Promise<number> {
  try {
    return await partial.leave();
  } catch (error) {
    if (!isCode(error, "DISK")) throw error;
    log.verbose(error.message);
    return 0;
  }
}

async function keep({ image, target, call }: Download, partial: PartialFile): Promise<void> {
  if (!isResumable(image)) return await partial.remove();
  const kept = await leave(partial, call.log);
  if (kept === 0) return;
  call.log.info(
    `${basename(target)}: ${formatPart(kept, image.size ?? kept)} are kept; the same command goes on from there`,
  );
}
