/** What is pushed: hashed once, in order, however often and from wherever its bytes are sent. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Task } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import type { Body } from "../../http/transport.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import { generated } from "../../transfer/generated.ts";
import { HashRing, WORTH_A_THREAD } from "../../transfer/hash-ring.ts";
import { readBlocks, twoBlocks } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";
import { pourBlocks } from "../source-body.ts";

/** Bytes of a last part that are kept in memory: its request names the digest of all, so it is hashed before it is sent. */
const LARGEST_KEPT = 8 * 1024 * 1024;

/** Bytes a millisecond: a tenth of what is hashed in one. */
const SLOW = 128 * 1024;

/** Milliseconds to go. */
const LONG = 2_000;

export interface LastPart {
  readonly digest: Digest;
  readonly body: Body;
}

export class HashedSource implements AsyncDisposable {
  readonly #source: Source;
  readonly #task: Task;
  readonly #signal: AbortSignal;
  readonly #hash = createHash("sha256");
  /** Instead of `#hash`, where a thread is worth it. */
  readonly #ring: HashRing | undefined;
  /** Hashing on its own, by `paced`. */
  #ahead: Promise<Digest> | undefined;
  /** Memory for bytes that the ring does not want. */
  readonly #spare = twoBlocks();
  /** Bytes hashed so far by `#hash`, from the first. */
  #hashed = 0;
  #digest: Digest | undefined;

  /** `known`: the digest, when somebody has hashed it before. */
  constructor(source: Source, task: Task, signal: AbortSignal, known: Digest | undefined) {
    this.#source = source;
    this.#task = task;
    this.#signal = signal;
    this.#digest = known;
    const threaded = known === undefined && source.reader !== undefined && source.size >= WORTH_A_THREAD;
    if (threaded) this.#ring = new HashRing(source.size, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ring?.[Symbol.asyncDispose]();
  }

  /** Undefined until all bytes have been hashed. */
  get digest(): Digest | undefined {
    return this.#digest;
  }

  /** Bytes `start` up to `end` on their way out, hashed and told as they pass. Those before `start` are hashed first. */
  async part(start: number, end: number): Promise<Body> {
    await this.#hashUpTo(start);
    const size = end - start;
    const open = () => generated((stop) => this.#pass(start, end, AbortSignal.any([this.#signal, stop])));
    // What can only be read as a stream has chunks of its own.
    if (this.#source.reader === undefined) return { size, open };
    const moved = (bytes: number) => this.#task.at(start + bytes);
    return { size, open, pour: (take) => pourBlocks(this.#read(start, end), take, moved) };
  }

  /** From `start` to the end. Without the digest the bytes are kept if they are few, and else read twice. */
  async last(start: number): Promise<LastPart> {
    const { size } = this.#source;
    if (this.#digest !== undefined) return { digest: this.#digest, body: await this.part(start, size) };
    await this.#hashUpTo(start);
    const few = size - start <= LARGEST_KEPT;
    const kept: Buffer[] = [];
    for await (const block of this.#read(start, size)) if (few) kept.push(Buffer.from(block));
    const digest = await this.learn();
    const bytes = Buffer.concat(kept);
    return { digest, body: few ? { size: bytes.length, open: () => bytes } : await this.part(start, size) };
  }

  /** The digest of everything, by reading what has not been hashed yet. */
  async learn(): Promise<Digest> {
    if (this.#digest === undefined) {
      await this.#hashUpTo(this.#source.size);
      this.#digest = this.#ring === undefined ? finishDigest(this.#hash) : await (this.#ahead ?? this.#ring.digest());
    }
    return this.#digest;
  }

  /**
   * Told what it took to send bytes `start` up to `end`. Where that is slow, the digest is worth having before all is sent: from
   * then on the hashing does not wait for the sending. What is left is read twice, the second time out of the page cache.
   */
  paced(start: number, end: number, milliseconds: number): void {
    const sent = end - start;
    const slow = sent < SLOW * milliseconds && (this.#source.size - end) * milliseconds > LONG * sent;
    if (!slow || this.#ring === undefined || !this.#hashing) return;
    this.#ahead = this.#hashRest(this.#ring);
    // Reported by `learn`.
    this.#ahead.catch(() => undefined);
  }

  async #hashRest(ring: HashRing): Promise<Digest> {
    const room = (_offset: number, most: number) => ring.room(most);
    for await (const block of readBlocks(this.#source, ring.at, this.#source.size, this.#signal, room)) {
      ring.add(block.length);
    }
    this.#digest = await ring.digest();
    return this.#digest;
  }

  /** What is read here is to be hashed. */
  get #hashing(): boolean {
    return this.#digest === undefined && this.#ahead === undefined;
  }

  get #at(): number {
    return this.#ring?.at ?? this.#hashed;
  }

  async #hashUpTo(offset: number): Promise<void> {
    if (!this.#hashing || this.#at >= offset) return;
    // Reading is hashing.
    for await (const _block of this.#read(this.#at, offset));
  }

  async *#pass(start: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    let at = start;
    for await (const block of this.#read(start, end, signal)) {
      at += block.length;
      this.#task.at(at);
      // A stream keeps what it is given, and the block is used again.
      yield this.#source.reader === undefined ? block : Buffer.from(block);
    }
  }

  /** Each block is good until the one after the next is asked for. */
  async *#read(start: number, end: number, signal = this.#signal): AsyncGenerator<Buffer, void, void> {
    let at = start;
    const room = (offset: number, most: number) => this.#room(offset, most);
    for await (const block of readBlocks(this.#source, start, end, signal, room)) {
      this.#take(at, block);
      at += block.length;
      yield block;
    }
  }

  /** In the ring for bytes that are to be hashed, and elsewhere for those that have been. */
  #room(offset: number, most: number): Promise<Buffer> | Buffer {
    if (this.#ring === undefined || !this.#hashing) return this.#spare(offset, most);
    const before = this.#ring.at - offset;
    return before > 0 ? this.#spare(offset, Math.min(most, before)) : this.#ring.room(most);
  }

  /** `bytes` are those at `offset`; what has been hashed before is passed over. */
  #take(offset: number, bytes: Uint8Array): void {
    const known = this.#at - offset;
    if (!this.#hashing || known >= bytes.length) return;
    if (known < 0) throw new SregistryError("INTERNAL", `bytes ${this.#at} to ${offset} are sent before being hashed`);
    if (this.#ring !== undefined) {
      // Read into the ring's own room, so `known` is 0.
      this.#ring.add(bytes.length);
      return;
    }
    this.#hash.update(known === 0 ? bytes : bytes.subarray(known));
    this.#hashed = offset + bytes.length;
  }
}

/** Something in memory as a source. */
export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    open: (start, end = bytes.length) => Readable.from([bytes.subarray(start, end)]),
    unchanged: async () => undefined,
  };
}
