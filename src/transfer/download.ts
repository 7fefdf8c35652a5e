/**
 * One image into one file. The contract (docs/architecture.md, "A pull"): under the target's name there is a complete,
 * verified file or what was there before; exit 0 means the first; an interruption costs nothing that was on disk.
 */
import { lstat, stat, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Call, Log, Task } from "../call.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import { createRetryPolicy, type RetryLimits, type RetryPolicy } from "../http/retry-policy.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { BodyPart, ImageInfo, Registry } from "../registry/registry.ts";
import { isSystemError, present } from "./disk.ts";
import { removeLeftovers } from "./leftovers.ts";
import { withLock } from "./lock.ts";
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
    const work = async (): Promise<DownloadResult | undefined> => {
      onlooker[Symbol.dispose]();
      return (await entryAt(target)) === seen ? await fetchUnderClaim(download, path, task) : undefined;
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
  const there = await lookAtTarget(download, call.signal);
  if (there === undefined) return undefined;
  const { digest, stat: found } = there;
  // A process that was killed while it gave the file its name left it with both.
  if (found.nlink > 1 && (await present(lstat(path)))?.ino === found.ino) await present(unlink(path));
  return { path: target, digest, size: found.size, transferred: 0, outcome: "present" };
}

async function fetchUnderClaim(download: Download, path: string, task: Task): Promise<DownloadResult> {
  const { image, target, call } = download;
  const algorithm = image.digest === undefined ? "sha256" : digestAlgorithm(image.digest);
  const { uid } = await stat(`${path}.lock`);
  await using partial = await PartialFile.open(path, algorithm, uid);
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

async function keep({ image, target, call }: Download, partial: PartialFile): Promise<void> {
  if (!isResumable(image)) return await partial.remove();
  const kept = await partial.leave();
  if (kept === 0) return;
  call.log.info(
    `${basename(target)}: ${kept} of ${image.size} bytes are kept beside it; the same command goes on from there`,
  );
}

/** Without a digest nothing tells whether another body is of the same image, and without a size where it ends. */
function isResumable({ digest, size }: ImageInfo): boolean {
  return digest !== undefined && size !== undefined;
}

class DownloadRun {
  readonly #download: Download;
  readonly #partial: PartialFile;
  readonly #task: Task;
  readonly #retry: RetryPolicy;
  /** Bytes that an earlier process left and this one went on from. */
  #resumedAt = 0;
  #transferred = 0;
  /** More than one body went into the file, so that a wrong digest may be the seam's fault. */
  #spliced = false;
  /** Bytes that were in place at best: only what goes beyond them is progress, or a server could be asked for ever. */
  #furthest = 0;

  constructor(download: Download, partial: PartialFile, task: Task) {
    const { image, call, retry } = download;
    this.#download = download;
    this.#partial = partial;
    this.#task = task;
    this.#retry = createRetryPolicy({
      what: formatReference(image.reference),
      signal: call.signal,
      log: call.log,
      limits: retry,
    });
  }

  async run(): Promise<DownloadResult> {
    const { image, target, force } = this.#download;
    await this.#takeUp();
    await this.#fetch();
    this.#task.state("verifying");
    let digest = await this.#partial.digest();
    if (this.#spliced && image.digest !== undefined && digest !== image.digest) {
      this.#download.call.log.warn(`${basename(target)}: the digest is wrong after a resume; once more from the start`);
      this.#furthest = 0;
      await this.#restart();
      await this.#fetch();
      digest = await this.#partial.digest();
    }
    if (image.digest !== undefined && digest !== image.digest) throw await this.#wrongDigest(digest, image.digest);
    await this.#partial.commit(target, force);
    return {
      path: target,
      digest,
      size: this.#partial.offset,
      transferred: this.#transferred,
      outcome: this.#resumedAt > 0 ? "resumed" : "downloaded",
    };
  }

  async #takeUp(): Promise<void> {
    const { image, target, call } = this.#download;
    const size = isResumable(image) ? image.size : undefined;
    this.#resumedAt = await this.#partial.takeUp(size, call.signal, (offset) => this.#task.at(offset));
    this.#furthest = this.#resumedAt;
    this.#spliced = this.#resumedAt > 0;
    if (image.size !== undefined) await this.#partial.requireRoom(image.size - this.#resumedAt);
    if (this.#resumedAt === 0) return;
    call.log.info(
      `${basename(target)}: ${this.#resumedAt} of ${image.size} bytes are here from an interrupted pull; going on from there`,
    );
  }

  async #restart(): Promise<void> {
    await this.#partial.restart();
    this.#resumedAt = 0;
    this.#spliced = false;
    this.#task.at(0);
  }

  /** Until all bytes are there; each body that ends early is followed by another, as long as bytes move. */
  async #fetch(): Promise<void> {
    const { size } = this.#download.image;
    while (size === undefined || this.#partial.offset < size) {
      try {
        await this.#receive();
        if (size === undefined) return;
      } catch (error) {
        await this.#retry.next(error);
      }
    }
  }

  async #receive(): Promise<void> {
    const { registry, image, call } = this.#download;
    if (this.#partial.offset > 0 && !isResumable(image)) await this.#restart();
    const part = await registry.read(image, { start: this.#partial.offset }, call);
    try {
      const size = this.#sizeOf(part);
      await this.#alignTo(part.start);
      this.#spliced = this.#partial.offset > 0;
      for await (const chunk of part.body) await this.#take(chunk, size);
      if (size !== undefined && this.#partial.offset < size) {
        throw new SregistryError(
          "NETWORK",
          `${registry.name} ended ${this.#name()} after ${this.#partial.offset} of ${size} bytes`,
        );
      }
    } finally {
      part.body.destroy();
    }
  }

  /** Looked at before anything is done to the partial: a proxy's login page is no reason to throw gigabytes away. */
  #sizeOf({ total }: BodyPart): number | undefined {
    const { size } = this.#download.image;
    if (size === undefined || total === undefined || total === size) return size ?? total;
    throw new SregistryError(
      "INTEGRITY",
      `${this.#name()} should have ${size} bytes, and ${this.#download.registry.name} announced ${total}`,
    );
  }

  async #take(bytes: Buffer, size: number | undefined): Promise<void> {
    if (size !== undefined && this.#partial.offset + bytes.length > size) {
      await this.#partial.remove();
      throw new SregistryError(
        "INTEGRITY",
        `${this.#name()} should have ${size} bytes, and ${this.#download.registry.name} sent more`,
        { hint: NOTHING_KEPT },
      );
    }
    await this.#partial.append(bytes);
    this.#transferred += bytes.length;
    if (this.#partial.offset > this.#furthest) {
      this.#furthest = this.#partial.offset;
      this.#retry.progressed();
    }
    this.#task.at(this.#partial.offset);
  }

  /** A server that ignores Range sends from the start: so do we begin again. */
  async #alignTo(start: number): Promise<void> {
    if (start === this.#partial.offset) return;
    const { registry, call } = this.#download;
    if (start !== 0) {
      throw new SregistryError(
        "REPLY_INVALID",
        `${registry.name} sent ${this.#name()} from byte ${start} when asked from byte ${this.#partial.offset}`,
      );
    }
    call.log.verbose(`${registry.name} sends images only as a whole; beginning again`);
    await this.#restart();
  }

  async #wrongDigest(got: Digest, expected: Digest): Promise<SregistryError> {
    await this.#partial.remove();
    return new SregistryError(
      "INTEGRITY",
      `${this.#name()} should have digest ${expected}, and its bytes have ${got}`,
      { hint: NOTHING_KEPT },
    );
  }

  #name(): string {
    return formatReference(this.#download.image.reference);
  }
}

const NOTHING_KEPT = "nothing was kept; if it happens again, the registry's copy is damaged";
