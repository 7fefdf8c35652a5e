/** Ranges of one image through several connections at once, handed over in order, so that a file's size is its journal. */
import { setMaxListeners } from "node:events";
import type { Readable } from "node:stream";
import { SregistryError } from "../errors.ts";
import type { BodyPart } from "../registry/registry.ts";

export interface Parallel {
  /** Requests under way at a time. */
  readonly connections: number;
  /** Bytes of each, the last one's apart. */
  readonly partSize: number;
}

const MOST_CONNECTIONS = 32;
/** Bytes: what is fetched ahead is kept in memory, so connections times part size is no more than this. */
const MOST_AHEAD = 32 * 1024 * 1024;
/** Bytes: below it the requests cost more than what they bring. */
const LEAST_PART = 64 * 1024;

/** Settings as a memory and a server can bear them: a user may write any number. */
export function boundedParallel({ connections, partSize }: Parallel): Parallel {
  const most = Math.min(connections, MOST_CONNECTIONS);
  return { connections: most, partSize: Math.min(Math.max(partSize, LEAST_PART), Math.floor(MOST_AHEAD / most)) };
}

export interface PartsOptions {
  /** Of the image, for messages. */
  readonly name: string;
  /** Bytes of the image. */
  readonly size: number;
  readonly parallel: Parallel;
  readonly signal: AbortSignal;
  /** Asks for one range. */
  open(start: number, end: number, signal: AbortSignal): Promise<BodyPart>;
}

export class ParallelParts implements AsyncDisposable {
  readonly #options: PartsOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Under way or complete, in order; never more than there may be connections. */
  #parts: Part[] = [];
  #inRanges = true;
  #whole: BodyPart | undefined;

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    // Each request listens; Node warns beyond ten.
    setMaxListeners(0, this.#signal);
  }

  /** False once a range was answered with other bytes than it has: then nothing more comes from here. */
  get inRanges(): boolean {
    return this.#inRanges;
  }

  /** What a server that ignores ranges answered to the first: unread, and to be read by who asks here. */
  get whole(): BodyPart | undefined {
    return this.#whole;
  }

  /**
   * The bytes from `offset` to the image's end. Throws what the part at hand failed with, when all before that has been
   * handed over; called again with where things stand now, it goes on and keeps what the other connections brought.
   */
  async *from(offset: number): AsyncGenerator<Buffer, void, void> {
    const { size, parallel } = this.#options;
    this.#renew(offset);
    for (let at = offset; at < size; this.#parts.shift()) {
      // One at first: a server that refuses it, or says to come back later, is not asked for four.
      this.#fill(at, at === offset ? 1 : parallel.connections);
      const [head] = this.#parts;
      for await (const chunk of head?.chunks() ?? []) {
        this.#fill(at, parallel.connections);
        at += chunk.length;
        yield chunk;
      }
      if (head?.strayed !== false) {
        this.#inRanges = false;
        this.#whole = head?.whole;
        return this.#whole === undefined ? await this[Symbol.asyncDispose]() : undefined;
      }
    }
  }

  /** Those that failed ahead of their turn failed for what is over when it comes. */
  #renew(offset: number): void {
    this.#parts = this.#parts.map((part) =>
      part.failed ? this.#open(Math.max(part.start, offset), part.end, this.#parts.length === 1) : part,
    );
  }

  #fill(offset: number, most: number): void {
    const { size, parallel } = this.#options;
    for (let start = this.#parts.at(-1)?.end ?? offset; start < size && this.#parts.length < most; ) {
      const part = this.#open(start, Math.min(start + parallel.partSize, size), this.#parts.length === 0);
      this.#parts.push(part);
      start = part.end;
    }
  }

  #open(start: number, end: number, alone: boolean): Part {
    const { name, open } = this.#options;
    return new Part({ start, end, name, alone }, open(start, end, this.#signal));
  }

  /** Ends all requests, and waits until they have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#parts.map((part) => part.close()));
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
  /** Of the image. */
  readonly name: string;
  /** No other is under way: should the whole come instead, it is worth having. */
  readonly alone: boolean;
}

/** One range: what has come of it waits here until it is its turn. */
class Part {
  readonly start: number;
  readonly end: number;
  /** The answer was not this range. */
  strayed = false;
  /** That answer, if it is all of the image and nothing of it has been read. */
  whole: BodyPart | undefined;
  readonly #name: string;
  readonly #alone: boolean;
  readonly #settled: Promise<void>;
  #body: Readable | undefined;
  #ready: Buffer[] = [];
  #received = 0;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #closed = false;
  #wake: () => void = () => {};

  constructor({ start, end, name, alone }: Place, answer: Promise<BodyPart>) {
    this.start = start;
    this.end = end;
    this.#name = name;
    this.#alone = alone;
    this.#settled = this.#receive(answer);
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** As they come; a failure after the last one that came. */
  async *chunks(): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const ready = this.#ready;
      this.#ready = [];
      yield* ready;
      if (this.#ready.length > 0) continue;
      if (this.#over) break;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#body?.destroy();
    await this.#settled;
  }

  /** Never rejects: a failure waits for its turn as bytes do. */
  async #receive(answer: Promise<BodyPart>): Promise<void> {
    try {
      const part = await answer;
      this.#body = part.body;
      this.strayed = part.start !== this.start || part.whole === true;
      if (part.whole === true && this.#alone && !this.#closed) this.whole = part;
      else await this.#read(part.body);
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#over = true;
      this.#wake();
    }
  }

  async #read(body: Readable): Promise<void> {
    const length = this.end - this.start;
    try {
      if (this.strayed || this.#closed) return;
      for await (const chunk of body) {
        const bytes: Buffer = chunk;
        const wanted = length - this.#received;
        this.#take(bytes.subarray(0, wanted));
        // A server that ignores the range of the first part goes on beyond it.
        this.strayed = bytes.length > wanted;
        if (this.strayed) return;
      }
    } finally {
      body.destroy();
    }
    if (this.#received === length) return;
    throw new SregistryError(
      "NETWORK",
      `bytes ${this.start}-${this.end - 1} of ${this.#name} ended after ${this.#received} of ${length} bytes`,
    );
  }

  #take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#ready.push(bytes);
    this.#received += bytes.length;
    this.#wake();
  }
}
