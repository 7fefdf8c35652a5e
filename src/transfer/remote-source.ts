/**
 * An image at an endpoint as the source of a push: what one side reads goes out at the other, through memory alone. A body
 * that breaks off is asked for again from where it ended, and what passed is held to the digest that was promised.
 */
import { createHash, type Hash } from "node:crypto";
import type { Readable } from "node:stream";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { createRetryPolicy, type RetryLimits } from "../http/retry-policy.ts";
import { type Digest, digestAlgorithm, finishDigest } from "../reference/digest.ts";
import type { BodyPart, ByteRange } from "../registry/registry.ts";
import { generated } from "./generated.ts";
import type { Source } from "./source.ts";

export interface RemoteSourceOptions {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Undefined where the endpoint promises none: then nothing is held to it. */
  readonly digest: Digest | undefined;
  readonly call: Call;
  readonly limits?: Partial<RetryLimits> | undefined;
  read(range: ByteRange, call: Call): Promise<BodyPart>;
}

export interface RemoteSource extends Source {
  /** What reading ended with, so that it can be told from a failure of the other side. */
  readonly failure: unknown;
  /** Bytes that came over the wire, those that came twice counted twice. */
  readonly transferred: number;
}

export function remoteSource(options: RemoteSourceOptions): RemoteSource {
  return new Remote(options);
}

class Remote implements RemoteSource {
  readonly size: number;
  readonly identity?: string;
  failure: unknown;
  transferred = 0;
  readonly #options: RemoteSourceOptions;
  /** Of the first `#hashed` bytes; undefined where there is nothing to hold them to. */
  #hash: Hash | undefined;
  #hashed = 0;
  #wrong: SregistryError | undefined;

  constructor(options: RemoteSourceOptions) {
    const { size, digest } = options;
    this.#options = options;
    this.size = size;
    // The digest says which bytes they are, wherever they are read: an upload of them can be gone on with.
    if (digest !== undefined) this.identity = digest;
  }

  open(start: number, end: number = this.size): Readable {
    return generated((stop) => this.#told(start, Math.min(end, this.size), stop), false);
  }

  async unchanged(): Promise<void> {
    if (this.#wrong !== undefined) throw this.#wrong;
  }

  async *#told(start: number, end: number, stop: AbortSignal): AsyncGenerator<Buffer, void, void> {
    try {
      yield* this.#bytes(start, end, stop);
    } catch (error) {
      // Nobody waits for these bytes any more: that is no failure of theirs.
      if (!stop.aborted) this.failure = error;
      throw error;
    }
  }

  /** The last bytes of all are given out when everything has been found right, so that wrong ones arrive nowhere whole. */
  async *#bytes(start: number, end: number, stop: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { name, call, limits } = this.#options;
    const signal = AbortSignal.any([call.signal, stop]);
    const policy = createRetryPolicy({ what: `reading ${name}`, signal, log: call.log, limits });
    if (start === 0) this.#restart();
    for (let at = start; at < end; ) {
      try {
        for await (const chunk of this.#part(at, end, { ...call, signal })) {
          // The next body may be on its way already, from the first byte on.
          signal.throwIfAborted();
          this.#take(at, chunk);
          at += chunk.length;
          policy.progressed();
          yield chunk;
        }
      } catch (error) {
        await policy.next(error);
      }
    }
  }

  /** One request: exactly the bytes from `start` on, until `end` or until it breaks off. */
  async *#part(start: number, end: number, call: Call): AsyncGenerator<Buffer, void, void> {
    const { name, size, read } = this.#options;
    const part = await read({ start, ...(end < size ? { end } : {}) }, call);
    const abort = (): void => void part.body.destroy();
    call.signal.addEventListener("abort", abort, { once: true });
    let at = part.start;
    try {
      call.signal.throwIfAborted();
      if (at > start)
        throw new SregistryError("REPLY_INVALID", `${name} was asked for from byte ${start}, and began at ${at}`);
      for await (const chunk of part.body) {
        const bytes: Buffer = chunk;
        this.transferred += bytes.length;
        // A server that ignores the range sends more before and after.
        const wanted = bytes.subarray(Math.max(0, start - at), Math.max(0, end - at));
        at += bytes.length;
        if (wanted.length > 0) yield wanted;
        if (at >= end) return;
      }
    } finally {
      call.signal.removeEventListener("abort", abort);
      part.body.destroy();
    }
    throw new SregistryError("NETWORK", `${name} ended at byte ${at} of ${size}`);
  }

  #restart(): void {
    const { digest } = this.#options;
    this.#hash = digest === undefined ? undefined : createHash(digestAlgorithm(digest));
    this.#hashed = 0;
  }

  /** Bytes that were hashed before are passed over; after a gap (an upload that goes on) the receiver alone can tell. */
  #take(offset: number, bytes: Buffer): void {
    const { digest, name } = this.#options;
    if (this.#hash === undefined || digest === undefined) return;
    if (offset > this.#hashed) this.#hash = undefined;
    const known = this.#hashed - offset;
    if (this.#hash === undefined || known >= bytes.length) return;
    this.#hash.update(known === 0 ? bytes : bytes.subarray(known));
    this.#hashed = offset + bytes.length;
    if (this.#hashed < this.size) return;
    const found = finishDigest(this.#hash, digestAlgorithm(digest));
    this.#hash = undefined;
    if (found === digest) return;
    this.#wrong = new SregistryError(
      "INTEGRITY",
      `${name} should have the digest ${digest}, and its bytes have ${found}`,
      {
        hint: "the copy there is damaged, or something between here and there changes what it passes on",
      },
    );
    throw this.#wrong;
  }
}
