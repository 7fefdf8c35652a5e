/** What is pushed: hashed once, in order, however often and from wherever its bytes are sent. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Task } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import type { Body } from "../../http/transport.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import { readSource } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";

/** Bytes of a last part that are kept in memory: its request names the digest of all, so it is hashed before it is sent. */
const LARGEST_KEPT = 8 * 1024 * 1024;

export interface LastPart {
  readonly digest: Digest;
  readonly body: Body;
}

export class HashedSource {
  readonly #source: Source;
  readonly #task: Task;
  readonly #signal: AbortSignal;
  readonly #hash = createHash("sha256");
  /** Bytes hashed so far, from the first. */
  #at = 0;
  #digest: Digest | undefined;

  /** `known`: the digest, when somebody has hashed it before. */
  constructor(source: Source, task: Task, signal: AbortSignal, known: Digest | undefined) {
    this.#source = source;
    this.#task = task;
    this.#signal = signal;
    this.#digest = known;
  }

  /** Undefined until all bytes have been hashed. */
  get digest(): Digest | undefined {
    return this.#digest;
  }

  /** Bytes `start` up to `end` on their way out, hashed and told as they pass. Those before `start` are hashed first. */
  async part(start: number, end: number): Promise<Body> {
    await this.#hashUpTo(start);
    return { size: end - start, open: () => Readable.from(this.#pass(start, end)) };
  }

  /** From `start` to the end. Without the digest the bytes are kept if they are few, and else read twice. */
  async last(start: number): Promise<LastPart> {
    const { size } = this.#source;
    if (this.#digest !== undefined) return { digest: this.#digest, body: await this.part(start, size) };
    await this.#hashUpTo(start);
    const few = size - start <= LARGEST_KEPT;
    const kept: Buffer[] = [];
    for await (const chunk of this.#read(start, size)) if (few) kept.push(chunk);
    const digest = await this.learn();
    const bytes = Buffer.concat(kept);
    return { digest, body: few ? { size: bytes.length, open: () => bytes } : await this.part(start, size) };
  }

  /** The digest of everything, by reading what has not been hashed yet. */
  async learn(): Promise<Digest> {
    if (this.#digest === undefined) {
      await this.#hashUpTo(this.#source.size);
      this.#digest = finishDigest(this.#hash);
    }
    return this.#digest;
  }

  async #hashUpTo(offset: number): Promise<void> {
    if (this.#digest !== undefined || this.#at >= offset) return;
    // Reading is hashing.
    for await (const _chunk of this.#read(this.#at, offset));
  }

  async *#pass(start: number, end: number): AsyncGenerator<Buffer, void, void> {
    let at = start;
    for await (const chunk of this.#read(start, end)) {
      at += chunk.length;
      this.#task.at(at);
      yield chunk;
    }
  }

  async *#read(start: number, end: number): AsyncGenerator<Buffer, void, void> {
    let at = start;
    for await (const chunk of readSource(this.#source, start, end, this.#signal)) {
      this.#take(at, chunk);
      at += chunk.length;
      yield chunk;
    }
  }

  /** `bytes` are those at `offset`; what has been hashed before is passed over. */
  #take(offset: number, bytes: Uint8Array): void {
    const known = this.#at - offset;
    if (this.#digest !== undefined || known >= bytes.length) return;
    if (known < 0) throw new SregistryError("INTERNAL", `bytes ${this.#at} to ${offset} are sent before being hashed`);
    this.#hash.update(known === 0 ? bytes : bytes.subarray(known));
    this.#at = offset + bytes.length;
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
