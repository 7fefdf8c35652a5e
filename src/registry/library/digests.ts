/** What a library wants to know of a file before its first byte: read once, whatever it is hashed for. */
import { createHash } from "node:crypto";
import type { Call, Task } from "../../call.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import { HashRing, WORTH_A_THREAD } from "../../transfer/hash-ring.ts";
import { readBlocks } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";

export interface FileDigests {
  readonly sha256: Digest;
  /** Lower-case hex; undefined where it is not known yet: an upload in parts does not need it. */
  readonly md5: string | undefined;
  /** SHA-256 of each part, for a likely size of parts. */
  readonly parts?: PartHashes;
}

export interface PartHashes {
  /** Bytes of every part but the last. */
  readonly size: number;
  /** Lower-case hex. */
  readonly hashes: readonly string[];
}

/** `partSize`: bytes of the parts that are most likely wanted; undefined for an image that goes as a whole. */
export async function digestsOf(
  source: Source,
  partSize: number | undefined,
  task: Task,
  { signal }: Call,
): Promise<FileDigests> {
  const known = await source.known?.();
  if (known !== undefined) return { sha256: known, md5: undefined };
  task.state("hashing");
  const beside = partSize === undefined ? new Md5() : new PartsHash(partSize);
  const sha256 = await sha256Of(source, signal, (block) => beside.update(block));
  return { sha256, md5: undefined, ...beside.digests() };
}

/** In a thread, where that is worth it: what is done `beside` takes as long. */
async function sha256Of(source: Source, signal: AbortSignal, beside: (block: Buffer) => void): Promise<Digest> {
  const { size } = source;
  if (source.reader !== undefined && size >= WORTH_A_THREAD) {
    await using ring = new HashRing(size, signal);
    for await (const block of readBlocks(source, 0, size, signal, (_at, most) => ring.room(most))) {
      ring.add(block.length);
      beside(block);
    }
    return await ring.digest();
  }
  const hash = createHash("sha256");
  for await (const block of readBlocks(source, 0, size, signal)) {
    hash.update(block);
    beside(block);
  }
  return finishDigest(hash);
}

class Md5 {
  readonly #hash = createHash("md5");

  update(block: Buffer): void {
    this.#hash.update(block);
  }

  digests(): Pick<FileDigests, "md5"> {
    return { md5: this.#hash.digest("hex") };
  }
}

class PartsHash {
  readonly #size: number;
  readonly #hashes: string[] = [];
  #hash = createHash("sha256");
  #filled = 0;

  constructor(size: number) {
    this.#size = size;
  }

  update(block: Buffer): void {
    for (let at = 0; at < block.length; ) {
      const piece = block.subarray(at, at + this.#size - this.#filled);
      this.#hash.update(piece);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === this.#size) this.#endPart();
    }
  }

  digests(): Pick<FileDigests, "parts"> {
    if (this.#filled > 0) this.#endPart();
    return { parts: { size: this.#size, hashes: this.#hashes } };
  }

  #endPart(): void {
    this.#hashes.push(this.#hash.digest("hex"));
    this.#hash = createHash("sha256");
    this.#filled = 0;
  }
}

/** Lower-case hex. */
export async function md5Of(source: Source, { signal }: Call): Promise<string> {
  const md5 = createHash("md5");
  for await (const block of readBlocks(source, 0, source.size, signal)) md5.update(block);
  return md5.digest("hex");
}

/** Lower-case hex of bytes `start` up to but without `end`. */
export async function hexOf(source: Source, start: number, end: number, { signal }: Call): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of readBlocks(source, start, end, signal)) hash.update(block);
  return hash.digest("hex");
}
