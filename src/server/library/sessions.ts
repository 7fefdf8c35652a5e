/**
 * Uploads under way. Their bytes come without a token, by URLs that nobody can guess (as to an object store), so what may be
 * sent there is settled here before. Kept in memory: after a restart a client begins anew.
 */
import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type { Digest } from "../../reference/digest.ts";
import type { Repository } from "../../registry/local/repository.ts";
import type { Upload } from "../../registry/local/upload.ts";
import { type PartSums, writePart } from "../../registry/local/upload-part.ts";
import { Failure } from "../failure.ts";
import type { User, Users } from "../users.ts";

/** What an upload URL is for. */
export type Target =
  | { readonly kind: "whole"; readonly repository: Repository; readonly digest: Digest; readonly size: number }
  | { readonly kind: "part"; readonly upload: MultipartUpload; readonly part: PartRequest };

export interface PartRequest {
  /** From 1. */
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** Hex digits; undefined where the client does not say. */
  readonly sha256: string | undefined;
}

/** Bytes; what singularity sends in one piece, and Hinkskalle in parts. */
const PART_SIZE = 64 * 1024 * 1024;
/** Milliseconds after which an upload that nothing came for is given up. */
const LIFETIME = 24 * 60 * 60_000;

/** Oldest go first; an image of 6 TB has as many parts. */
const MOST_GRANTS = 100_000;

interface Grant {
  readonly target: Target;
  readonly user: User | undefined;
  /** Milliseconds since the epoch. */
  readonly made: number;
}

export class UploadSessions {
  readonly partSize: number;
  readonly #uploads = new Map<string, MultipartUpload>();
  /** In the order in which they were made. */
  readonly #grants = new Map<string, Grant>();

  constructor(partSize = PART_SIZE) {
    this.partSize = partSize;
  }

  /** The secret of a URL for these bytes. `user`: whose token asked for it; undefined for a token that is no user's. */
  grant(target: Target, user: User | undefined): string {
    this.#sweepGrants();
    const secret = newSecret();
    this.#grants.set(secret, { target, user, made: Date.now() });
    return secret;
  }

  /**
   * Undefined for what was never granted, or is over, with the user's token too. A URL may be used again: a client repeats
   * what got cut.
   */
  async granted(secret: string, users: Pick<Users, "byName">): Promise<Target | undefined> {
    this.#sweepGrants();
    const grant = this.#grants.get(secret);
    if (grant?.user === undefined) return grant?.target;
    // One who was removed and added again has another token.
    const now = await users.byName(grant.user.name);
    if (now?.token.reveal() === grant.user.token.reveal()) return grant.target;
    this.#grants.delete(secret);
    return undefined;
  }

  /** The image is entered: URLs for its bytes are over. */
  complete({ path }: Repository, digest: Digest): void {
    for (const [secret, { target }] of this.#grants) {
      if (target.kind !== "whole" || target.repository.path !== path || target.digest !== digest) continue;
      this.#grants.delete(secret);
    }
  }

  #sweepGrants(): void {
    const old = Date.now() - LIFETIME;
    for (const [secret, { made }] of this.#grants) {
      if (made >= old && this.#grants.size < MOST_GRANTS) return;
      this.#grants.delete(secret);
    }
  }

  /** How many URLs are open. */
  get grants(): number {
    return this.#grants.size;
  }

  async begin(repository: Repository, digest: Digest, size: number): Promise<MultipartUpload> {
    await this.#sweep();
    const id = newSecret();
    const upload = new MultipartUpload(id, await repository.createUpload("sha256", true), {
      repository,
      digest,
      size,
      partSize: this.partSize,
    });
    this.#uploads.set(id, upload);
    return upload;
  }

  /** @throws Failure 404 for an upload that is over, or of another image. */
  find(id: string, { path }: Repository, digest: Digest): MultipartUpload {
    const upload = this.#uploads.get(id);
    if (upload !== undefined && upload.repository.path === path && upload.digest === digest) return upload;
    throw new Failure(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload: begin a new one");
  }

  /** Its URLs are over with it. */
  async end(upload: MultipartUpload): Promise<void> {
    this.#uploads.delete(upload.id);
    for (const [secret, { target }] of this.#grants) {
      if (target.kind === "part" && target.upload === upload) this.#grants.delete(secret);
    }
    await upload.abort();
  }

  async close(): Promise<void> {
    for (const upload of [...this.#uploads.values()]) await this.end(upload);
  }

  async #sweep(): Promise<void> {
    const old = Date.now() - LIFETIME;
    for (const upload of [...this.#uploads.values()]) if (upload.touched < old) await this.end(upload);
  }
}

export interface MultipartPlan {
  readonly repository: Repository;
  /** Of the whole. */
  readonly digest: Digest;
  readonly size: number;
  readonly partSize: number;
}

export class MultipartUpload {
  readonly id: string;
  readonly repository: Repository;
  readonly digest: Digest;
  readonly partSize: number;
  readonly totalParts: number;
  /** Milliseconds since the epoch, when something last came for it. */
  touched = Date.now();
  readonly #upload: Upload;
  readonly #size: number;
  /** ETags of the parts that are there. */
  readonly #parts = new Map<number, string>();
  readonly #running = new Map<Readable, Promise<unknown>>();
  #over = false;

  constructor(id: string, upload: Upload, { repository, digest, size, partSize }: MultipartPlan) {
    this.id = id;
    this.#upload = upload;
    this.repository = repository;
    this.digest = digest;
    this.#size = size;
    this.partSize = partSize;
    this.totalParts = Math.ceil(size / partSize);
  }

  /** Bytes of the part; undefined for a number that no part has. */
  sizeOf(number: number): number | undefined {
    if (number < 1 || number > this.totalParts) return undefined;
    return Math.min(this.partSize, this.#size - (number - 1) * this.partSize);
  }

  /** @returns the part's ETag. @throws Failure 422 for other bytes than were announced. */
  async receive({ number, size, sha256 }: PartRequest, body: Readable): Promise<string> {
    this.#requireOpen();
    const place = { id: this.#upload.id, at: (number - 1) * this.partSize, length: size };
    const written = writePart(this.repository.layout, place, body);
    this.#running.set(body, written);
    let sums: PartSums;
    try {
      sums = await written;
    } finally {
      this.#running.delete(body);
      this.touched = Date.now();
    }
    if (sha256 !== undefined && sums.sha256 !== sha256) {
      this.#parts.delete(number);
      throw wrongBytes(`part ${number} has the sha256 ${sums.sha256}, not ${sha256}`);
    }
    this.#requireOpen();
    this.#parts.set(number, sums.md5);
    return `"${sums.md5}"`;
  }

  /** Makes the parts a blob. @throws Failure 400 for a list that is not that of the parts, 422 for another digest. */
  async complete(parts: readonly { readonly partNumber: number; readonly token: string }[]): Promise<void> {
    this.#requireOpen();
    const named = new Map(parts.map(({ partNumber, token }) => [partNumber, token.replaceAll('"', "")]));
    for (let number = 1; number <= this.totalParts; number += 1) {
      const there = this.#parts.get(number);
      if (there !== undefined && named.get(number) === there) continue;
      const words = there === undefined ? "was not sent" : "is not the one that is named";
      throw new Failure(400, "BLOB_UPLOAD_INVALID", `part ${number} of ${this.totalParts} ${words}`);
    }
    await this.#stop();
    await this.#upload.commit(this.digest);
  }

  async abort(): Promise<void> {
    await this.#stop();
    await this.#upload.abort();
  }

  /** A blob never changes: who still writes to it is sent away first. */
  async #stop(): Promise<void> {
    this.#over = true;
    const running = [...this.#running];
    for (const [body] of running) body.destroy();
    await Promise.allSettled(running.map(([, written]) => written));
  }

  #requireOpen(): void {
    if (this.#over) throw new Failure(404, "BLOB_UPLOAD_UNKNOWN", "this upload is over: begin a new one");
  }
}

export function wrongBytes(message: string): Failure {
  return new Failure(422, "DIGEST_INVALID", message);
}

function newSecret(): string {
  return randomBytes(32).toString("base64url");
}
