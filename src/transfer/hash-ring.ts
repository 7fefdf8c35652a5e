/**
 * SHA-256 in a thread of its own, over the very memory that a sender sends from: a ring of blocks that is filled, hashed and sent,
 * and filled again. Counters in shared memory tell how far each is; no message is needed for a block. Where there may be no more
 * threads, whoever hands bytes over hashes them.
 */
import { createHash, type Hash } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { SregistryError } from "../errors.ts";
import { type Digest, finishDigest, parseDigest } from "../reference/digest.ts";
import { isThreadFailure, startThread } from "./thread.ts";

/** Bytes of a block: large enough that a GiB is a thousand of them. */
export const BLOCK = 1024 * 1024;

/** Blocks: the hashing may be so far behind the sending while its thread starts, or the other has the processor. */
const BLOCKS = 8;

const RING = BLOCK * BLOCKS;

/** Bytes: for fewer, a thread costs more than it brings. */
export const WORTH_A_THREAD = 16 * BLOCK;

/** Counters of bytes from the first on: `FILLED` and `HASHED` by now, and `WANTED` to be hashed, which is to be told. */
const FILLED = 0;
const HASHED = 1;
const WANTED = 2;

/** In `WANTED`: nobody waits. */
const NOTHING = -1n;

export class HashRing implements AsyncDisposable {
  readonly #size: number;
  readonly #memory = new SharedArrayBuffer(RING);
  readonly #marks = new BigInt64Array(new SharedArrayBuffer(24));
  readonly #signal: AbortSignal;
  readonly #worker: Worker | undefined;
  readonly #answer: Promise<Digest>;
  /** Instead of the thread. */
  #alone: Hash | undefined;
  #resolve: (digest: Digest) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #wake: () => void = () => {};
  #fail: (reason: unknown) => void = () => {};
  #failure: unknown;
  #filled = 0;

  /** Of `size` bytes in all. `signal` ends the thread at once. */
  constructor(size: number, signal: AbortSignal, start: typeof startThread = startThread) {
    this.#size = size;
    this.#signal = signal;
    Atomics.store(this.#marks, WANTED, NOTHING);
    const data: RingData = { marks: this.#marks, memory: this.#memory, size, block: BLOCK };
    this.#answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Reported by whoever waits for it.
    this.#answer.catch(() => undefined);
    this.#worker = start(`(${hashLoop.toString()})(${REQUIRED})`, data);
    if (this.#worker === undefined) this.#hashAlone();
    else this.#listen(this.#worker);
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  /** Bytes that have been handed over, from the first on. */
  get at(): number {
    return this.#filled;
  }

  /**
   * Memory for the next bytes, `most` of them or fewer. It stays as it is until `BLOCKS - 1` more have been given out.
   * @throws what ended the thread.
   */
  async room(most: number): Promise<Buffer> {
    const length = Math.min(most, BLOCK - (this.#filled % BLOCK), this.#size - this.#filled);
    await this.#hashedTo(this.#filled + length - RING);
    return Buffer.from(this.#memory, this.#filled % RING, length);
  }

  /** The room given out last is filled with so many bytes. */
  add(bytes: number): void {
    const from = this.#filled;
    this.#filled += bytes;
    if (this.#alone !== undefined) this.#update(this.#alone, from, bytes);
    Atomics.store(this.#marks, FILLED, BigInt(this.#filled));
    Atomics.notify(this.#marks, FILLED);
  }

  /** Of all bytes, once all have been handed over. @throws what ended the thread. */
  async digest(): Promise<Digest> {
    return await this.#answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    await this.#worker?.terminate();
  }

  async #hashedTo(offset: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#alone !== undefined || Atomics.load(this.#marks, HASHED) >= offset) return;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      this.#fail = reject;
      Atomics.store(this.#marks, WANTED, BigInt(offset));
      if (Atomics.load(this.#marks, HASHED) >= offset) resolve();
    });
  }

  #listen(worker: Worker): void {
    worker.on("message", (hex: string) => {
      if (hex === "") this.#wake();
      else this.#resolve(parseDigest(`sha256:${hex}`));
    });
    worker.once("error", (error) => {
      // All that was handed over is still there.
      if (isThreadFailure(error) && Atomics.load(this.#marks, HASHED) === 0n) this.#hashAlone();
      else this.#end(error);
    });
    worker.once("exit", () => {
      if (this.#alone !== undefined) return;
      this.#signal.removeEventListener("abort", this.#stop);
      this.#end(new SregistryError("INTERNAL", "what was sent was not hashed to its end"));
    });
  }

  #end(reason: unknown): void {
    this.#failure ??= reason;
    this.#fail(this.#failure);
    this.#reject(this.#failure);
  }

  readonly #stop = (): void => {
    this.#end(this.#signal.reason);
    void this.#worker?.terminate();
  };

  #hashAlone(): void {
    this.#alone = createHash("sha256");
    this.#update(this.#alone, 0, this.#filled);
    this.#wake();
  }

  /** The `bytes` that were handed over last, from `offset` on. They are in one piece. */
  #update(hash: Hash, offset: number, bytes: number): void {
    hash.update(new Uint8Array(this.#memory, offset % RING, bytes));
    if (this.#filled === this.#size) this.#resolve(finishDigest(hash));
  }
}

interface RingData {
  readonly marks: BigInt64Array;
  readonly memory: SharedArrayBuffer;
  readonly size: number;
  readonly block: number;
}

const REQUIRED = 'require("node:worker_threads"), require("node:crypto")';

/** The thread. It is handed over as text, so that a bundle of one file will do, and knows nothing but its arguments. */
function hashLoop(
  threads: { readonly workerData: RingData; readonly parentPort: { postMessage(text: string): void } },
  { createHash: create }: { readonly createHash: typeof createHash },
): void {
  const { marks, memory, size, block } = threads.workerData;
  const [filledMark, hashedMark, wantedMark] = [0, 1, 2] as const;
  const hash = create("sha256");
  for (let at = 0; at < size; ) {
    const filled = Atomics.load(marks, filledMark);
    const ready = Number(filled) - at;
    if (ready === 0) {
      Atomics.wait(marks, filledMark, filled);
      continue;
    }
    const length = Math.min(ready, block - (at % block));
    hash.update(new Uint8Array(memory, at % memory.byteLength, length));
    at += length;
    Atomics.store(marks, hashedMark, BigInt(at));
    const wanted = Atomics.load(marks, wantedMark);
    if (wanted >= 0n && wanted <= BigInt(at)) {
      Atomics.store(marks, wantedMark, -1n);
      threads.parentPort.postMessage("");
    }
  }
  threads.parentPort.postMessage(hash.digest("hex"));
}
