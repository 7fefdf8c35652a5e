/**
 * Several connections that share the work of one download. Each claims the first bytes that nobody has or fetches, so the
 * whole grows from its start and can be hashed meanwhile. How many there are is found out: one that is fast by itself fetches
 * everything, and a server that refuses more than it likes is asked by fewer.
 */
import { setMaxListeners } from "node:events";
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { RetryPolicy } from "../http/retry-policy.ts";
import type { Range } from "./ranges.ts";

/** As a user may say it; what is not said is found out. */
export interface Parallel {
  /** Requests under way at a time. */
  readonly concurrency?: number;
  /** Bytes of each, the last one's apart. */
  readonly partSize?: number;
  /** As many at most where `concurrency` does not say: what is found out is not said by a user. */
  readonly usual?: number;
}

export interface LanesOptions {
  /** Of the image, for messages. */
  readonly name: string;
  /** Bytes of the image. */
  readonly size: number;
  readonly parallel: Parallel;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** What is missing of the bytes `start` up to `end`. */
  gaps(start: number, end: number): readonly Range[];
  /** Fetches a range and puts it into its place. */
  receive(range: Range, lane: Lane): Promise<void>;
  /** One for each connection; its waits end with `signal`. */
  retry(signal: AbortSignal): RetryPolicy;
}

/** One connection, to whoever fetches for it. */
export interface Lane {
  readonly signal: AbortSignal;
  /** The server answers with the range. */
  answered(): void;
  /** New bytes are in place. */
  progressed(): void;
  /** The server sends everything, whatever it is asked for: the other connections have nothing to do. */
  alone(): void;
}

const MOST_CONNECTIONS = 16;
/** Where nobody says: as many as skopeo fetches layers with, and a browser anything; Singularity's library client has 3. */
const USUAL_CONNECTIONS = 6;
/** Bytes: below it the requests cost more than what they bring. */
const LEAST_PART = 64 * 1024;
/** Bytes of a part where nobody says, and of the first, which tells how fast one connection is. */
const USUAL_PART = 16 * 1024 * 1024;
const LARGEST_USUAL_PART = 64 * 1024 * 1024;
/** Parts of a large image: each may be two requests, to the registry and to its object store. */
const PARTS = 64;
/** Bytes a second at which one connection is left to do everything: several would share the same limit. */
const FAST = 150_000_000;
/** Milliseconds after which a connection that is not through with its first part is not fast. */
const LONGEST_TRIAL = 120;

export class Lanes {
  readonly #options: LanesOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #claims = new Set<Range>();
  readonly #running: Promise<void>[] = [];
  /** Connections there are. */
  #open = 0;
  #failure: { readonly error: unknown } | undefined;
  /** Connections there may be. */
  #most: number;
  #part: number;
  #widened = false;

  constructor(options: LanesOptions) {
    const { usual = USUAL_CONNECTIONS, concurrency = usual, partSize } = options.parallel;
    this.#options = options;
    this.#most = Math.min(Math.max(concurrency, 1), MOST_CONNECTIONS);
    this.#part = partSize === undefined ? usualPart(options.size) : Math.max(partSize, LEAST_PART);
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    // Each request listens; Node warns beyond ten.
    setMaxListeners(0, this.#signal);
  }

  /** Until nothing is missing. @throws what the first connection fails with for good, when all of them have ended. */
  async run(): Promise<void> {
    const { size } = this.#options;
    // What fits into two parts is not worth another connection.
    if (size <= 2 * this.#part && this.#guesses) this.#most = 1;
    this.#start();
    // Each may start others, which come after it.
    for (const lane of this.#running) await lane;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The user has not said how many connections there are to be. */
  get #guesses(): boolean {
    return this.#options.parallel.concurrency === undefined;
  }

  #start(): void {
    this.#open += 1;
    this.#running.push(this.#lane());
  }

  /** Never throws: the first failure ends the others, and is what `run` tells. */
  async #lane(): Promise<void> {
    try {
      await this.#work(this.#options.retry(this.#signal));
      if (this.#isComplete) this.#stop.abort(new SregistryError("INTERRUPTED", "nothing is missing any more"));
    } catch (error) {
      // One that waited for its next try while the others fetched the last bytes has not failed.
      if (this.#failure === undefined && !this.#isComplete) this.#failure = { error };
      this.#stop.abort(new SregistryError("INTERRUPTED", "another connection of the same download failed"));
    }
  }

  get #isComplete(): boolean {
    return this.#claims.size === 0 && this.#options.gaps(0, this.#options.size).length === 0;
  }

  async #work(retry: RetryPolicy): Promise<void> {
    try {
      for (let claim = this.#claim(); claim !== undefined; claim = this.#claim()) {
        try {
          await this.#fetch(claim, retry);
        } catch (error) {
          this.#claims.delete(claim);
          if (this.#refusesMore(error)) return;
          await retry.next(error);
        } finally {
          this.#claims.delete(claim);
        }
      }
    } finally {
      // At once: whoever gives its claim back has to know that somebody is left to take it.
      this.#open -= 1;
    }
  }

  /** The first bytes that are neither there nor on their way. */
  #claim(): Range | undefined {
    const { size, gaps } = this.#options;
    if (this.#open > this.#most) return undefined;
    const [gap] = gaps(0, size).flatMap((range) => withoutAll(range, this.#claims));
    if (gap === undefined) return undefined;
    const [start, end] = gap;
    const claim: Range = [start, this.#most === 1 ? end : Math.min(end, start + this.#part)];
    this.#claims.add(claim);
    return claim;
  }

  async #fetch(claim: Range, retry: RetryPolicy): Promise<void> {
    const trial = new Trial(() => this.#widen());
    const lane: Lane = {
      signal: this.#signal,
      answered: () => {
        if (this.#widened || this.#most === 1) return;
        if (this.#guesses) trial.begin();
        else this.#widen();
      },
      progressed: () => retry.progressed(),
      alone: () => {
        this.#most = 1;
      },
    };
    try {
      await this.#options.receive(claim, lane);
      const rate = trial.rate(claim[1] - claim[0]);
      if (rate === undefined) return;
      if (rate >= FAST) this.#most = 1;
      else this.#widen();
    } finally {
      trial.end();
    }
  }

  #widen(): void {
    if (this.#widened || this.#signal.aborted) return;
    this.#widened = true;
    // One that finds nothing to do has ended by the time it is counted.
    for (let more = this.#most - this.#open; more > 0; more -= 1) this.#start();
  }

  /** A connection that the server refuses while it serves others ends; its claim is theirs. */
  #refusesMore(error: unknown): boolean {
    const { log, name, signal } = this.#options;
    if (signal.aborted || this.#open < 2 || !(error instanceof SregistryError)) return false;
    if (error.status === undefined) return false;
    this.#most = this.#open - 1;
    log.verbose(`${name}: going on with ${this.#most} of ${this.#open} connections: ${error.message}`);
    return true;
  }
}

function usualPart(size: number): number {
  return Math.min(Math.max(USUAL_PART, Math.ceil(size / PARTS)), LARGEST_USUAL_PART);
}

function withoutAll(range: Range, claims: ReadonlySet<Range>): readonly Range[] {
  let rest: readonly Range[] = [range];
  for (const claim of claims) rest = rest.flatMap((part) => without(part, claim));
  return rest;
}

function without([start, end]: Range, [from, to]: Range): readonly Range[] {
  const parts: Range[] = [];
  if (from >= end || to <= start) return [[start, end]];
  if (start < from) parts.push([start, from]);
  if (to < end) parts.push([to, end]);
  return parts;
}

/** How fast the first connection is, as long as it is the only one. */
class Trial {
  readonly #over: () => void;
  #began: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `over`: called when it takes too long. */
  constructor(over: () => void) {
    this.#over = over;
  }

  begin(): void {
    this.#began = performance.now();
    this.#timer = setTimeout(this.#over, LONGEST_TRIAL);
  }

  /** Bytes a second; undefined when there was no trial. */
  rate(bytes: number): number | undefined {
    return this.#began === undefined ? undefined : (bytes / (performance.now() - this.#began)) * 1000;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
