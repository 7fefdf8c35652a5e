/**
 * The digest of a file that is being written. A thread of its own reads behind the writer, out of the page cache, and hashes
 * what has become whole from the first byte on: two cores do what one did. What was on disk before is hashed the same way.
 */
import type { createHash } from "node:crypto";
import type { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Worker } from "node:worker_threads";
import { SregistryError } from "../errors.ts";
import { type Digest, type DigestAlgorithm, isDigest } from "../reference/digest.ts";
import { readError } from "./disk.ts";
import { digestOfFile } from "./hash-file.ts";
import { isThreadFailure, startThread } from "./thread.ts";

/** Bytes: for fewer, a thread costs more than it brings. */
const WORTH_A_THREAD = 8 * 1024 * 1024;

/** In the shared cell instead of an offset: nobody wants the digest any more. */
const STOP = -1n;

export interface FollowerOptions {
  /** Path of the file, for messages. */
  readonly name: string;
  readonly algorithm: DigestAlgorithm;
  readonly signal: AbortSignal;
}

export class HashFollower implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #options: FollowerOptions;
  /** Bytes from the first on that may be hashed. */
  readonly #mark = new BigInt64Array(new SharedArrayBuffer(8));
  #worker: Worker | undefined;
  /** There may be no more threads: everything is hashed at the end. */
  #alone = false;
  #answer: Promise<Digest> | undefined;

  constructor(file: FileHandle, options: FollowerOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** The first `offset` bytes of `size` are final. The thread starts with the first call: before anything has arrived. */
  advance(offset: number, size: number): void {
    if (this.#worker === undefined && !this.#alone && size >= WORTH_A_THREAD) this.#begin(size);
    this.#say(BigInt(offset));
  }

  /** Of the whole file, when all of it has been written. @throws SregistryError DISK, INTERRUPTED. */
  async digest(size: number): Promise<Digest> {
    this.#say(BigInt(size));
    const answer = await this.#answer?.catch((error: unknown) => {
      if (!isThreadFailure(error)) throw error;
    });
    if (answer !== undefined) return answer;
    const digest = await digestOfFile(this.#file, size, this.#options.algorithm, this.#options);
    if (digest === undefined) throw shorter(this.#options.name, size);
    return digest;
  }

  #begin(size: number): void {
    const { algorithm, name, signal } = this.#options;
    const data: FollowData = { mark: this.#mark, fd: this.#file.fd, size, algorithm };
    const worker = startThread(`(${follow.toString()})(${REQUIRED})`, data);
    this.#alone = worker === undefined;
    if (worker === undefined) return;
    this.#worker = worker;
    this.#answer = new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason);
      worker.once("message", (hex: string) => {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) resolve(digest);
        else reject(shorter(name, size));
      });
      worker.once("error", (error) => reject(readError(name, error)));
      worker.once("exit", () => {
        signal.removeEventListener("abort", stop);
        reject(new SregistryError("INTERNAL", `${name} was not hashed to its end`));
      });
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
    // Reported by `digest`, if it comes to that.
    this.#answer.catch(() => undefined);
  }

  #say(mark: bigint): void {
    Atomics.store(this.#mark, 0, mark);
    Atomics.notify(this.#mark, 0);
  }

  /** The file may be closed afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#worker === undefined) return;
    this.#say(STOP);
    await this.#worker.terminate();
  }
}

function shorter(name: string, size: number): SregistryError {
  return new SregistryError("DISK", `${name} has less than the ${size} bytes that were written to it`, {
    hint: `ls -l ${name}`,
  });
}

interface FollowData {
  readonly mark: BigInt64Array;
  readonly fd: number;
  readonly size: number;
  readonly algorithm: string;
}

const REQUIRED = 'require("node:worker_threads"), require("node:fs"), require("node:crypto")';

/** The thread. It is handed over as text, so that a bundle of one file will do, and knows nothing but its arguments. */
function follow(
  threads: { readonly workerData: FollowData; readonly parentPort: { postMessage(text: string): void } },
  { readSync: read }: { readonly readSync: typeof readSync },
  { createHash: create }: { readonly createHash: typeof createHash },
): void {
  const { mark, fd, size, algorithm } = threads.workerData;
  const block = Buffer.allocUnsafeSlow(1024 * 1024);
  const hash = create(algorithm);
  for (let at = 0; at < size; ) {
    const seen = Atomics.load(mark, 0);
    if (seen < 0n) return;
    const ready = Number(seen) - at;
    // Whole blocks, or what is left at the end: reading byte by byte behind the writer would cost more than it hashes.
    if (ready < block.length && Number(seen) < size) {
      Atomics.wait(mark, 0, seen);
      continue;
    }
    const bytes = read(fd, block, 0, Math.min(block.length, ready), at);
    if (bytes === 0) {
      threads.parentPort.postMessage("");
      return;
    }
    hash.update(block.subarray(0, bytes));
    at += bytes;
  }
  threads.parentPort.postMessage(hash.digest("hex"));
}
