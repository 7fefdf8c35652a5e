/**
 * A blob on its way in: `.uploads/<id>/data` grows by what arrives, in order, and gets its place among the blobs only when
 * size and digest are right and the bytes are on the disk. What arrived before a cut is kept, over a restart too.
 */

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { field, object, optional, parseJson, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, finishDigest } from "../../reference/digest.ts";
import { syncDirectory } from "../../transfer/disk.ts";
import { decodeOwner, newOwner, type Owner } from "../../transfer/owner.ts";
import { ifPresent, makeDirectory, onDisk, writeSynced } from "./files.ts";
import type { Layout } from "./layout.ts";

/** Bytes put together before they are hashed and written. */
const WRITE_SIZE = 512 * 1024;
const BLOB_MODE = 0o444;
export const UPLOAD_DATA = "data";
export const UPLOAD_STATE = "state.json";

export interface UploadState {
  readonly created: string;
  readonly algorithm: DigestAlgorithm;
  /** The process without which the upload cannot go on; none for one that another request may continue. */
  readonly owner?: Owner;
}

export interface AppendOptions {
  /** Told the bytes in place. */
  readonly progress?: (offset: number) => void;
  /** Where the body is meant to begin; undefined: wherever the upload ends. */
  readonly at?: number | undefined;
}

/** @throws SregistryError CONFLICT when `at` is not where the upload ends. */
export function wrongOffset(at: number, size: number): SregistryError {
  return new SregistryError("CONFLICT", `the body begins at byte ${at}, but the upload has ${size} bytes`, {
    hint: "ask for the upload's state and go on from there",
  });
}

export class Upload {
  readonly id: string;
  readonly #layout: Layout;
  readonly #directory: string;
  readonly #data: string;
  /** Hash of the first `#hashed` bytes. */
  #hash: Hash;
  #hashed = 0;
  #algorithm: DigestAlgorithm;
  /** The append that runs, and how to end it. */
  #running: Promise<unknown> = Promise.resolve();
  #body: Readable | undefined;

  constructor(layout: Layout, id: string, algorithm: DigestAlgorithm) {
    this.id = id;
    this.#layout = layout;
    this.#directory = join(layout.uploads, id);
    this.#data = join(this.#directory, UPLOAD_DATA);
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  static async create(layout: Layout, id: string, algorithm: DigestAlgorithm, owned: boolean): Promise<Upload> {
    const upload = new Upload(layout, id, algorithm);
    const owner = owned ? { owner: JSON.stringify(await newOwner()) } : {};
    const state = { created: new Date().toISOString(), algorithm, ...owner };
    await onDisk(`cannot begin an upload in ${layout.directory}`, async () => {
      await makeDirectory(upload.#directory);
      await writeSynced(upload.#data, new Uint8Array(), 0o600);
      await writeSynced(join(upload.#directory, UPLOAD_STATE), new TextEncoder().encode(JSON.stringify(state)), 0o600);
    });
    return upload;
  }

  /** One that an earlier process began; undefined when there is none. */
  static async find(layout: Layout, id: string): Promise<Upload | undefined> {
    const text = await ifPresent(readFile(join(layout.uploads, id, UPLOAD_STATE), "utf8"));
    const state = text === undefined ? undefined : decodeState(text);
    return state === undefined ? undefined : new Upload(layout, id, state.algorithm);
  }

  /** Bytes in place; undefined once it is committed or aborted. */
  async size(): Promise<number | undefined> {
    // A connection that just broke: what came of it is on its way to the disk.
    if (this.#body?.destroyed === true) await this.#running;
    const handle = await ifPresent(open(this.#data, "r"));
    if (handle === undefined) return undefined;
    try {
      return (await handle.stat()).size;
    } finally {
      await handle.close();
    }
  }

  /**
   * Adds a body. One that is still being read is ended first: a client that sends again has given up on it. When the
   * body fails, what came of it is kept and the failure thrown.
   * @returns bytes in place.
   */
  append(body: Readable, options: AppendOptions = {}): Promise<number> {
    this.#body?.destroy();
    return this.#inTurn(async (handle) => {
      this.#body = body;
      try {
        const size = await this.#catchUp(handle);
        if (options.at !== undefined && options.at !== size) throw wrongOffset(options.at, size);
        return await this.#write(handle, body, options.progress);
      } finally {
        if (this.#body === body) this.#body = undefined;
      }
    });
  }

  /**
   * Makes the upload a blob, of another repository of the same store if `into` says so.
   * @returns its size in bytes.
   * @throws SregistryError INTEGRITY when the bytes are not those of the digest; the upload is gone then.
   */
  async commit(digest: Digest, into: Layout = this.#layout): Promise<number> {
    this.#body?.destroy();
    const size = await this.#inTurn(async (handle) => {
      if (digestAlgorithm(digest) !== this.#algorithm) this.#restart(digestAlgorithm(digest));
      const bytes = await this.#catchUp(handle);
      const found = finishDigest(this.#hash.copy(), this.#algorithm);
      if (found !== digest) throw new WrongDigest(digest, found, bytes);
      await handle.sync();
      const blob = into.blob(digest);
      await makeDirectory(dirname(blob));
      await chmod(this.#data, BLOB_MODE);
      await rename(this.#data, blob);
      await syncDirectory(dirname(blob));
      return bytes;
    }).catch(async (error: unknown) => {
      if (error instanceof WrongDigest) await this.abort();
      throw error;
    });
    await this.abort();
    return size;
  }

  /** The digest of what is in place so far. */
  digest(algorithm: DigestAlgorithm): Promise<Digest> {
    return this.#inTurn(async (handle) => {
      if (algorithm !== this.#algorithm) this.#restart(algorithm);
      await this.#catchUp(handle);
      return finishDigest(this.#hash.copy(), algorithm);
    });
  }

  async abort(): Promise<void> {
    this.#body?.destroy();
    await this.#running;
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #inTurn<T>(work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const before = this.#running;
    const turn = before.then(() =>
      onDisk(`cannot write to ${this.#layout.directory}`, async () => {
        const handle = await ifPresent(open(this.#data, "r+"));
        if (handle === undefined) throw new SregistryError("NOT_FOUND", `there is no upload ${this.id} any more`);
        try {
          return await work(handle);
        } finally {
          await handle.close();
        }
      }),
    );
    this.#running = turn.then(
      () => undefined,
      () => undefined,
    );
    return await turn;
  }

  #restart(algorithm: DigestAlgorithm): void {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
    this.#hashed = 0;
  }

  /** Hashes what is in the file and not in the hash: after a restart, a failed write, another algorithm. */
  async #catchUp(handle: FileHandle): Promise<number> {
    const { size } = await handle.stat();
    if (size < this.#hashed) this.#restart(this.#algorithm);
    if (size > this.#hashed) {
      for await (const chunk of createReadStream(this.#data, { start: this.#hashed, highWaterMark: WRITE_SIZE })) {
        this.#hash.update(chunk);
        this.#hashed += chunk.length;
      }
    }
    return this.#hashed;
  }

  /** Hashes one block while it is written and the next one arrives. */
  async #write(handle: FileHandle, body: Readable, progress: AppendOptions["progress"]): Promise<number> {
    let chunks: Uint8Array[] = [];
    let gathered = 0;
    let writing = Promise.resolve();
    const flush = async (): Promise<void> => {
      const block = Buffer.concat(chunks, gathered);
      chunks = [];
      gathered = 0;
      await writing;
      progress?.(this.#hashed);
      writing = writeAll(handle, block, this.#hashed);
      // Looked at when the next block comes, or at the end.
      writing.catch(() => undefined);
      this.#hash.update(block);
      this.#hashed += block.length;
    };
    try {
      // A body that cannot be written is left open: it may be a request that is still to be answered.
      for await (const chunk of body.iterator({ destroyOnReturn: false })) {
        chunks.push(chunk);
        gathered += chunk.length;
        if (gathered >= WRITE_SIZE) await flush();
      }
    } finally {
      await this.#settle(gathered > 0 ? flush().then(() => writing) : writing);
    }
    progress?.(this.#hashed);
    return this.#hashed;
  }

  /** After a write that failed the hash is ahead of the file: it begins anew. */
  async #settle(writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (error) {
      this.#restart(this.#algorithm);
      throw error;
    }
  }
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

class WrongDigest extends SregistryError {
  constructor(expected: Digest, found: Digest, size: number) {
    super("INTEGRITY", `the ${size} bytes received have the digest ${found}, not ${expected}`, {
      hint: "send it again: nothing was kept",
    });
  }
}

export function decodeState(text: string): UploadState | undefined {
  try {
    const json = object(parseJson(text, "state"), "state");
    const algorithm = field(json, "algorithm", string, "state");
    if (algorithm !== "sha256" && algorithm !== "sha512") return undefined;
    const created = field(json, "created", string, "state");
    const owner = decodeOwner(field(json, "owner", optional(string), "state") ?? "");
    return { created, algorithm, ...(owner === undefined ? {} : { owner }) };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}
