/**
 * SHA-256 in a thread of its own, over the very memory that a sender sends from: a ring of blocks that is filled, hashed and sent,
 * and filled again. Counters in shared memory tell how far each is; no message is needed for a block.
 */
import type { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { SregistryError } from "../errors.ts";
import { type Digest, parseDigest } from "../reference/digest.ts";

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
  readonly #worker: Worker;
  readonly #answer: Promise<Digest>;
  #wake: () => void = () => {};
  #fail: (reason: unknown) => void = () => {};
  #failure: unknown;
  #filled = 0;

  /** Of `size` bytes in all. `signal` ends the thread at once. */
  constructor(size: number, signal: AbortSignal) {
    this.#size = size;
    Atomics.store(this.#marks, WANTED, NOTHING);
    const data: RingData = { marks: this.#marks, memory: this.#memory, size, block: BLOCK };
    this.#worker = new Worker(`(${hashLoop.toString()})(${REQUIRED})`, { eval: true, workerData: data, execArgv: [] });
    this.#answer = this.#listen(signal);
    // Reported by whoever waits for it.
    this.#answer.catch(() => undefined);
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
    this.#filled += bytes;
    Atomics.store(this.#marks, FILLED, BigInt(this.#filled));
    Atomics.notify(this.#marks, FILLED);
  }

  /** Of all bytes, once all have been handed over. @throws what ended the thread. */
  async digest(): Promise<Digest> {
    return await this.#answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #hashedTo(offset: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (Atomics.load(this.#marks, HASHED) >= offset) return;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      this.#fail = reject;
      Atomics.store(this.#marks, WANTED, BigInt(offset));
      if (Atomics.load(this.#marks, HASHED) >= offset) resolve();
    });
  }

  #listen(signal: AbortSignal): Promise<Digest> {
    return new Promise((resolve, reject) => {
      const fail = (reason: unknown): void => {
        this.#failure ??= reason;
        this.#fail(this.#failure);
        reject(this.#failure);
      };
      const stop = (): void => {
        fail(signal.reason);
        void this.#worker.terminate();
      };
      this.#worker.on("message", (hex: string) => {
        if (hex === "") this.#wake();
        else resolve(parseDigest(`sha256:${hex}`));
      });
      this.#worker.once("error", fail);
      this.#worker.once("exit", () => {
        signal.removeEventListener("abort", stop);
        fail(new SregistryError("INTERNAL", "what was sent was not hashed to its end"));
      });
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
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
