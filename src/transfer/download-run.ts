/** The bytes of one download: from where they are to the end, whatever the network and the server do. */
import { basename } from "node:path";
import type { Task } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { createRetryPolicy, type RetryPolicy } from "../http/retry-policy.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { BodyPart, ImageInfo } from "../registry/registry.ts";
import type { Download, DownloadResult } from "./download.ts";
import { boundedParallel, ParallelParts } from "./parallel.ts";
import type { PartialFile } from "./partial.ts";

/** Without a digest nothing tells whether another body is of the same image, and without a size where it ends. */
export function isResumable({ digest, size }: ImageInfo): boolean {
  return digest !== undefined && size !== undefined;
}

export class DownloadRun {
  readonly #download: Download;
  readonly #partial: PartialFile;
  readonly #task: Task;
  readonly #retry: RetryPolicy;
  /** Bytes that an earlier process left and this one went on from. */
  #resumedAt = 0;
  #transferred = 0;
  /** More than one body went into the file, so that a wrong digest may be the seam's fault. */
  #spliced = false;
  /** Once parts have made a wrong whole, one connection fetches all of it. */
  #inOne = false;
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
      const when = this.#resumedAt > 0 ? "after a resume" : "after a transfer in parts";
      this.#download.call.log.warn(`${basename(target)}: the digest is wrong ${when}; once more from the start`);
      this.#furthest = 0;
      this.#inOne = true;
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
    await using parts = this.#openParts();
    while (size === undefined || this.#partial.offset < size) {
      try {
        await (parts?.inRanges ? this.#receiveParts(parts) : this.#receive());
        if (size === undefined) return;
      } catch (error) {
        await this.#retry.next(error);
      }
    }
  }

  /** Undefined where one connection has to do, or is as good. */
  #openParts(): ParallelParts | undefined {
    const { registry, image, call, parallel = registry.parallel } = this.#download;
    const { size } = image;
    if (parallel === undefined || size === undefined || this.#inOne || !isResumable(image)) return undefined;
    const bounded = boundedParallel(parallel);
    if (bounded.connections < 2 || size - this.#partial.offset <= bounded.partSize) return undefined;
    const open = async (start: number, end: number, signal: AbortSignal): Promise<BodyPart> => {
      const part = await registry.read(image, { start, end }, { ...call, signal });
      try {
        this.#sizeOf(part);
      } catch (error) {
        part.body.destroy();
        throw error;
      }
      return part;
    };
    return new ParallelParts({ name: this.#name(), size, parallel: bounded, signal: call.signal, open });
  }

  async #receiveParts(parts: ParallelParts): Promise<void> {
    this.#spliced = true;
    for await (const chunk of parts.from(this.#partial.offset)) await this.#take(chunk, this.#download.image.size);
    if (parts.whole !== undefined) await this.#receive(parts.whole);
  }

  async #receive(answered?: BodyPart): Promise<void> {
    const { registry, image, call } = this.#download;
    if (this.#partial.offset > 0 && !isResumable(image)) await this.#restart();
    const part = answered ?? (await registry.read(image, { start: this.#partial.offset }, call));
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
