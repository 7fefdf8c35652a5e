/**
 * One image into one file. The contract (docs/architecture.md, "A pull"): under the target's name there is a complete,
 * verified file or what was there before; exit 0 means the first; an interruption costs nothing that was on disk.
 */
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Call, Task } from "../call.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { createRetryPolicy, type RetryLimits, type RetryPolicy } from "../http/retry-policy.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { digestOfFile } from "./hash-file.ts";
import { withLock } from "./lock.ts";
import { alreadyThere, PartialFile, partialPath } from "./partial.ts";

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

/** @throws SregistryError CONFLICT, DISK, INTEGRITY, and what the endpoint's `read` throws when retrying is over. */
export async function downloadToFile(download: Download): Promise<DownloadResult> {
  const { image, target, call } = download;
  await requireDirectory(dirname(target));
  const there = await lookAtTarget(download);
  if (there !== undefined) return there;
  const path = partialPath(target, image.digest);
  const task = call.progress.start(basename(target), image.size);
  try {
    const result = await withLock(`${path}.lock`, () => fetchUnderClaim(download, path, task), {
      signal: call.signal,
      timeoutMs: LONGEST_WAIT,
      longestPauseMs: LONGEST_PAUSE,
      waiting: ({ pid, host }) => task.state(`waiting for process ${pid} on ${host}`),
    });
    task.done();
    return result;
  } catch (error) {
    task.fail();
    throw error;
  }
}

/** The holder of the claim before this one may have finished the same download. */
async function fetchUnderClaim(download: Download, path: string, task: Task): Promise<DownloadResult> {
  const there = await lookAtTarget(download);
  if (there !== undefined) return there;
  const { image, call } = download;
  const algorithm = image.digest === undefined ? "sha256" : digestAlgorithm(image.digest);
  await using partial = await PartialFile.open(path, algorithm);
  const resumedAt = await partial.takeUp(image.size, call.signal, (offset) => task.at(offset));
  if (image.size !== undefined) await partial.requireRoom(image.size - resumedAt);
  if (resumedAt > 0) task.state(`resuming at byte ${resumedAt}`);
  const run = new DownloadRun(download, partial, task, resumedAt);
  try {
    return await run.finish();
  } catch (error) {
    await partial.settle().catch((failure: unknown) => call.log.warn(String(failure)));
    if (isCode(error, "INTEGRITY") || partial.offset === 0) await partial.remove();
    else call.log.info(`${partial.offset} bytes are kept; the same command goes on from there`);
    throw error;
  }
}

class DownloadRun {
  readonly #download: Download;
  readonly #partial: PartialFile;
  readonly #task: Task;
  readonly #retry: RetryPolicy;
  readonly #resumedAt: number;
  #transferred = 0;
  /** More than one body went into the file, so that a wrong digest may be the seam's fault. */
  #spliced: boolean;

  constructor(download: Download, partial: PartialFile, task: Task, resumedAt: number) {
    const { image, call, retry } = download;
    this.#download = download;
    this.#partial = partial;
    this.#task = task;
    this.#resumedAt = resumedAt;
    this.#spliced = resumedAt > 0;
    this.#retry = createRetryPolicy({
      what: formatReference(image.reference),
      signal: call.signal,
      log: call.log,
      limits: retry,
    });
  }

  async finish(): Promise<DownloadResult> {
    const { image, target, force } = this.#download;
    await this.#fetch();
    this.#task.state("verifying");
    let digest = await this.#partial.digest();
    if (this.#spliced && image.digest !== undefined && digest !== image.digest) {
      this.#download.call.log.warn(`${basename(target)}: the digest is wrong after a resume; once more from the start`);
      await this.#partial.restart();
      await this.#fetch();
      digest = await this.#partial.digest();
    }
    if (image.digest !== undefined && digest !== image.digest) throw this.#wrongDigest(digest, image.digest);
    await this.#partial.commit(target, force);
    return {
      path: target,
      digest,
      size: this.#partial.offset,
      transferred: this.#transferred,
      outcome: this.#resumedAt > 0 ? "resumed" : "downloaded",
    };
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
        this.#spliced = true;
      }
    }
  }

  async #receive(): Promise<void> {
    const { registry, image, call } = this.#download;
    if (image.size === undefined) await this.#partial.restart();
    const part = await registry.read(image, { start: this.#partial.offset }, call);
    try {
      await this.#alignTo(part.start);
      const size = image.size ?? part.total;
      if (part.total !== undefined && part.total !== size) throw this.#wrongSize(part.total, size ?? 0);
      for await (const chunk of part.body) {
        const bytes: Buffer = chunk;
        if (size !== undefined && this.#partial.offset + bytes.length > size) {
          throw this.#wrongSize(this.#partial.offset + bytes.length, size);
        }
        await this.#partial.append(bytes);
        this.#transferred += bytes.length;
        this.#retry.progressed();
        this.#task.at(this.#partial.offset);
      }
      if (size !== undefined && this.#partial.offset < size) {
        throw new SregistryError(
          "NETWORK",
          `${registry.name} ended the image after ${this.#partial.offset} of ${size} bytes`,
        );
      }
    } finally {
      part.body.destroy();
    }
  }

  /** A server that ignores Range sends from the start: so do we begin again. */
  async #alignTo(start: number): Promise<void> {
    if (start === this.#partial.offset) return;
    if (start !== 0) {
      throw new SregistryError(
        "REPLY_INVALID",
        `${this.#download.registry.name} sent bytes from ${start} when asked from ${this.#partial.offset}`,
      );
    }
    this.#download.call.log.verbose(`${this.#download.registry.name} does not resume; beginning again`);
    await this.#partial.restart();
  }

  #wrongSize(got: number, expected: number): SregistryError {
    return new SregistryError(
      "INTEGRITY",
      `${this.#name()} should have ${expected} bytes, and ${got} were announced or sent`,
    );
  }

  #wrongDigest(got: Digest, expected: Digest): SregistryError {
    return new SregistryError(
      "INTEGRITY",
      `${this.#name()} should have digest ${expected}, and its bytes have ${got}`,
      {
        hint: "nothing was kept; if it happens again, the registry's copy is damaged",
      },
    );
  }

  #name(): string {
    return formatReference(this.#download.image.reference);
  }
}

/** `present` when the target holds the image already. @throws CONFLICT when it holds something else and may not be replaced. */
async function lookAtTarget({ image, target, force, call }: Download): Promise<DownloadResult | undefined> {
  const file = await openTarget(target);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (image.digest !== undefined && found.isFile() && (image.size ?? found.size) === found.size) {
      const digest = await digestOfFile(file, found.size, digestAlgorithm(image.digest), call.signal);
      if (digest === image.digest)
        return { path: target, digest, size: found.size, transferred: 0, outcome: "present" };
    }
  } finally {
    await file.close();
  }
  if (!force) throw alreadyThere(target);
  return undefined;
}

async function openTarget(target: string): Promise<FileHandle | undefined> {
  try {
    return await open(target, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw new SregistryError("DISK", `${target} is there but cannot be read`, {
      hint: `ls -l ${target}`,
      cause: error,
    });
  }
}

async function requireDirectory(directory: string): Promise<void> {
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (error) {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
  }
  throw new SregistryError("USAGE", `there is no directory ${directory}`, { hint: `mkdir -p ${directory}` });
}
