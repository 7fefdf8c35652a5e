/** The bytes of one download: from where they are to the end, whatever the network and the server do. */
import { basename } from "node:path";
import { type Task, tellingWaits } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { pour } from "../http/pour.ts";
import { createRetryPolicy, type RetryPolicy } from "../http/retry-policy.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { BodyPart, ImageInfo } from "../registry/registry.ts";
import { formatSize } from "../units.ts";
import type { Download, DownloadResult } from "./download.ts";
import { type Lane, Lanes } from "./lanes.ts";
import type { PartialFile } from "./partial.ts";
import type { Range } from "./ranges.ts";

/** Without a digest nothing tells whether another body is of the same image, and without a size where it ends. */
export function isResumable({ digest, size }: ImageInfo): boolean {
  return digest !== undefined && size !== undefined;
}

export class DownloadRun {
  readonly #download: Download;
  readonly #partial: PartialFile;
  readonly #task: Task;
  /** Bytes that an earlier process left and this one went on from. */
  #resumedAt = 0;
  #transferred = 0;
  /** How many bodies went into the file: with more than one, a wrong digest may be the seam's fault. */
  #bodies = 0;
  /** Once parts have made a wrong whole, one connection fetches all of it. */
  #inOne = false;

  constructor(download: Download, partial: PartialFile, task: Task) {
    this.#download = { ...download, call: tellingWaits(download.call, task) };
    this.#partial = partial;
    this.#task = task;
  }

  async run(): Promise<DownloadResult> {
    const { image, target, force, call } = this.#download;
    await this.#takeUp();
    await this.#fetch();
    this.#task.state("verifying");
    let digest = await this.#partial.digest();
    const pieced = this.#bodies > 1 || this.#resumedAt > 0;
    if (pieced && image.digest !== undefined && digest !== image.digest) {
      const when = this.#resumedAt > 0 ? "after a resume" : "after a transfer in parts";
      call.log.warn(`${basename(target)}: the digest is wrong ${when}; once more from the start`);
      this.#inOne = true;
      await this.#restart();
      await this.#fetch();
      digest = await this.#partial.digest();
    }
    if (image.digest !== undefined && digest !== image.digest) throw this.#wrongDigest(digest, image.digest);
    await this.#partial.commit(target, force);
    return {
      path: target,
      digest,
      size: this.#partial.bytes,
      transferred: this.#transferred,
      outcome: this.#resumedAt > 0 ? "resumed" : "downloaded",
    };
  }

  async #takeUp(): Promise<void> {
    const { image, target, call } = this.#download;
    this.#resumedAt = await this.#partial.takeUp();
    if (image.size !== undefined) await this.#partial.requireRoom(image.size - this.#resumedAt);
    if (this.#resumedAt === 0) return;
    this.#task.at(this.#resumedAt, "found");
    this.#task.state(`resuming at ${formatSize(this.#resumedAt)}`);
    call.log.verbose(
      `${basename(target)}: ${this.#resumedAt} of ${image.size} bytes are here from an interrupted pull; going on from there`,
    );
  }

  async #restart(): Promise<void> {
    await this.#partial.restart();
    this.#resumedAt = 0;
    this.#bodies = 0;
    this.#task.at(0);
  }

  async #fetch(): Promise<void> {
    const { registry, image, call, parallel } = this.#download;
    const { size } = image;
    if (size === undefined || !isResumable(image)) return await this.#fetchWhole();
    await new Lanes({
      name: this.#name(),
      size,
      parallel: this.#inOne ? { concurrency: 1 } : { ...registry.parallel, ...parallel },
      signal: call.signal,
      log: call.log,
      gaps: (start, end) => this.#partial.gaps(start, end),
      receive: (range, lane) => this.#receive(range, lane),
      retry: (signal) => this.#retryPolicy(signal),
    }).run();
  }

  /** Each try from the start: nothing tells whether what came before is of the same image. */
  async #fetchWhole(): Promise<void> {
    const { registry, image, call } = this.#download;
    const retry = this.#retryPolicy(call.signal);
    let furthest = 0;
    for (;;) {
      if (this.#partial.bytes > 0) await this.#restart();
      try {
        const part = await registry.read(image, { start: 0 }, call);
        const size = this.#sizeOf(part);
        await this.#pour(part, () => {
          if (this.#partial.bytes <= furthest) return;
          furthest = this.#partial.bytes;
          retry.progressed();
        });
        if (size !== undefined && this.#partial.bytes < size) throw this.#tooShort(size);
        return;
      } catch (error) {
        await retry.next(error);
      }
    }
  }

  async #receive([start, end]: Range, lane: Lane): Promise<void> {
    const { registry, image, call } = this.#download;
    const { size = end } = image;
    const range = start === 0 && end === size ? { start } : { start, end };
    const part = await registry.read(image, range, { ...call, signal: lane.signal });
    // A server that does not keep to the range sends everything: what is here already is passed over.
    const strayed = part.start !== start || part.whole === true;
    if (strayed && start > 0) call.log.verbose(`${registry.name} sends images only as a whole`);
    this.#requireStart(part, start);
    if (strayed) lane.alone();
    else lane.answered();
    await this.#pour(part, () => lane.progressed());
    const [gap] = this.#partial.gaps(start, end);
    if (gap !== undefined) throw this.#tooShort(size);
  }

  /** Puts a body into its place. `progressed`: told when bytes came that were not here. */
  async #pour(part: BodyPart, progressed: () => void): Promise<void> {
    let at = part.start;
    this.#bodies += 1;
    try {
      const size = this.#sizeOf(part);
      await pour(part.body, async (bytes) => {
        if (size !== undefined && at + bytes.length > size) throw this.#tooLong(size);
        const added = await this.#partial.write(at, bytes);
        at += bytes.length;
        this.#transferred += bytes.length;
        if (added === 0) return;
        progressed();
        this.#task.at(this.#partial.bytes);
      });
    } finally {
      part.body.destroy();
    }
  }

  #retryPolicy(signal: AbortSignal): RetryPolicy {
    const { call, retry } = this.#download;
    return createRetryPolicy({ what: this.#name(), signal, log: call.log, limits: retry, waiting: call.waiting });
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

  #requireStart(part: BodyPart, start: number): void {
    if (part.start === start || part.start === 0) return;
    part.body.destroy();
    const { registry } = this.#download;
    throw new SregistryError(
      "REPLY_INVALID",
      `${registry.name} sent ${this.#name()} from byte ${part.start} when asked from byte ${start}`,
    );
  }

  #tooShort(size: number): SregistryError {
    const { registry } = this.#download;
    return new SregistryError(
      "NETWORK",
      `${registry.name} ended ${this.#name()} after ${this.#partial.bytes} of ${size} bytes`,
    );
  }

  #tooLong(size: number): SregistryError {
    this.#partial.discard();
    return new SregistryError(
      "INTEGRITY",
      `${this.#name()} should have ${size} bytes, and ${this.#download.registry.name} sent more`,
      { hint: NOTHING_KEPT },
    );
  }

  #wrongDigest(got: Digest, expected: Digest): SregistryError {
    this.#partial.discard();
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
