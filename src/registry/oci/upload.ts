/**
 * One blob, sent. Streamed while it is hashed, so that a file is read once; in chunks, so that an interruption costs one
 * chunk at most and a later process can go on. The server's offset is the truth.
 */
import { createHash, type Hash } from "node:crypto";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Call, Task } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { parseUploadRange } from "../../http/range.ts";
import { createRetryPolicy, isTransient, type RetryLimits, type RetryPolicy } from "../../http/retry-policy.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadKey, UploadSessions } from "../../transfer/upload-session.ts";
import { closingUrl, type OciApi, repositoryAuth, settleLocation, type UploadLocation, uploadLocation } from "./api.ts";
import { type HostRule, SMALLER_CHUNKS } from "./hosts.ts";

export interface BlobUpload {
  readonly api: OciApi;
  readonly path: RepoPath;
  readonly source: Source;
  readonly rule: HostRule;
  readonly sessions: UploadSessions;
  readonly task: Task;
  readonly call: Call;
  readonly limits?: Partial<RetryLimits> | undefined;
}

export interface BlobResult {
  readonly digest: Digest;
  readonly transfer: "uploaded" | "resumed";
}

const OCTETS = { "content-type": "application/octet-stream" } as const;
/** A server that forgets session after session is not going to take the blob. */
const MOST_SESSIONS = 3;

/** True when the registry holds the blob. A redirect counts: object storage signs it for this HEAD alone. */
export async function blobExists(api: OciApi, path: RepoPath, digest: Digest, call: Call): Promise<boolean> {
  const response = await api.send(
    {
      method: "HEAD",
      url: api.blobUrl(path, digest),
      // 405: some old registries have no HEAD for blobs; then it is unknown, and sent.
      accept: [200, 301, 302, 303, 307, 308, 404, 405],
      auth: repositoryAuth(path, "push"),
      redirect: "never",
    },
    call,
  );
  await discard(response);
  return response.status < 400;
}

/** @throws SregistryError INTEGRITY when the server computes another digest; NETWORK and others when retrying is over. */
export function uploadChunked(upload: BlobUpload): Promise<BlobResult> {
  return new ChunkedUpload(upload).finish();
}

class ChunkedUpload {
  readonly #upload: BlobUpload;
  readonly #retry: RetryPolicy;
  readonly #key: UploadKey | undefined;
  #location: UploadLocation | undefined;
  /** Hash of the bytes before `#offset`, which the server has confirmed. */
  #hash: Hash = createHash("sha256");
  #offset = 0;
  #chunkSize: number;
  #sessions = 0;
  #resumed = false;

  constructor(upload: BlobUpload) {
    const { api, path, source, call } = upload;
    this.#upload = upload;
    this.#chunkSize = upload.rule.chunkSize;
    this.#retry = createRetryPolicy({
      what: `upload to ${api.host}/${path}`,
      signal: call.signal,
      log: call.log,
      limits: upload.limits,
    });
    this.#key =
      source.identity === undefined
        ? undefined
        : { origin: api.base.origin, repository: path, source: source.identity };
  }

  async finish(): Promise<BlobResult> {
    await this.#takeUpSaved();
    for (;;) {
      try {
        await this.#sendAll();
        const digest = finishDigest(this.#hash.copy());
        await this.#close(digest);
        return { digest, transfer: this.#resumed ? "resumed" : "uploaded" };
      } catch (error) {
        await this.#recover(error);
      }
    }
  }

  /** Goes on with what an earlier process left, if the server still knows of it. */
  async #takeUpSaved(): Promise<void> {
    const { api, path, sessions, source, call, task } = this.#upload;
    const saved = this.#key === undefined ? undefined : await sessions.load(this.#key);
    if (saved === undefined || !URL.canParse(saved.location)) return;
    this.#location = settleLocation(api, new URL(saved.location), repositoryAuth(path, "push"));
    const offset = await this.#askOffset();
    if (offset === undefined || offset > source.size) {
      call.log.verbose(`${api.host} has forgotten the interrupted upload; beginning again`);
      await this.#forget();
      return;
    }
    task.state(`resuming at byte ${offset}`);
    call.log.verbose(`${api.host} holds ${offset} bytes of an interrupted upload; going on from there`);
    this.#resumed = offset > 0;
    await this.#moveTo(offset);
  }

  async #sendAll(): Promise<void> {
    this.#location ??= await this.#begin();
    while (this.#offset < this.#upload.source.size) {
      await this.#sendChunk(this.#location);
      this.#retry.progressed();
      await this.#save();
    }
  }

  async #begin(): Promise<UploadLocation> {
    const { api, path, call } = this.#upload;
    this.#sessions += 1;
    const { response, location } = await beginUpload(api, path, call);
    const least = Number(response.headers.get("oci-chunk-min-length") ?? 0);
    if (Number.isSafeInteger(least) && least > this.#chunkSize) this.#chunkSize = least;
    return location;
  }

  async #sendChunk(location: UploadLocation): Promise<void> {
    const { api, source, rule, call } = this.#upload;
    const start = this.#offset;
    const end = Math.min(start + this.#chunkSize, source.size);
    let hash = this.#hash.copy();
    const response = await api.send(
      {
        method: "PATCH",
        url: location.url,
        accept: [201, 202, 204],
        // `a-b`, without unit and total: ACR refuses the form of RFC 9110 (dotnet/sdk-container-builds#258).
        headers: { ...OCTETS, "content-range": `${start}-${end - 1}` },
        body: {
          size: end - start,
          open: () => {
            hash = this.#hash.copy();
            return this.#tee(source.open(start, end), hash, start);
          },
        },
        auth: location.auth,
        retry: "never",
      },
      call,
    );
    await discard(response);
    if (response.headers.has("location")) this.#location = uploadLocation(api, response, location.auth);
    const held =
      rule.ignoresRange === true || response.status === 201 ? end : parseUploadRange(response.headers.get("range"));
    if (held === undefined || held === end) {
      this.#hash = hash;
      this.#offset = end;
      this.#upload.task.at(end);
      return;
    }
    // Distribution v3 on S3 keeps whole 5 MiB parts only: it may hold less than it was sent.
    if (held > end || held < start) {
      throw new SregistryError("REPLY_INVALID", `${api.host} says it holds ${held} bytes after being sent ${end}`);
    }
    await this.#moveTo(held);
  }

  /** The bytes on their way out, hashed and told as they pass. */
  #tee(body: Readable, hash: Hash, start: number): Readable {
    const { task } = this.#upload;
    let offset = start;
    const tee = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        offset += chunk.length;
        task.at(offset);
        done(null, chunk);
      },
    });
    // A source that fails destroys the tee with its error, which the request reports.
    pipeline(body, tee).catch((error: Error) => tee.destroy(error));
    return tee;
  }

  /** @throws SregistryError INTEGRITY when the server's digest of what it received is another. */
  async #close(digest: Digest): Promise<void> {
    const { api, path, call, source } = this.#upload;
    const location = this.#location;
    if (location === undefined) throw new SregistryError("INTERNAL", "an upload ends that never began");
    if (this.#offset !== source.size) return;
    try {
      const response = await api.send(
        {
          method: "PUT",
          url: closingUrl(location.url, digest),
          accept: [200, 201, 204],
          headers: OCTETS,
          body: { size: 0, open: () => Buffer.alloc(0) },
          auth: location.auth,
          retry: "never",
        },
        call,
      );
      await discard(response);
    } catch (error) {
      if (isDigestRefusal(error)) {
        await this.#forget();
        throw new SregistryError("INTEGRITY", `${api.host} received other bytes than ${digest}: ${error.message}`, {
          cause: error,
        });
      }
      // A closing request that failed on the way may have worked.
      if (!isTransient(error) || !(await blobExists(api, path, digest, call))) throw error;
    }
    await this.#forget();
  }

  /** Decides what a failure means for the session; returns when it is time to go on, throws when it is over. */
  async #recover(error: unknown): Promise<void> {
    const { call, api, source } = this.#upload;
    if (isTooLarge(error)) {
      const smaller = SMALLER_CHUNKS.find((size) => size < this.#chunkSize);
      if (smaller === undefined) throw error;
      call.log.verbose(`${api.host} finds ${this.#chunkSize} bytes too much at once; going on with ${smaller}`);
      this.#chunkSize = smaller;
    } else if (!isLostSession(error) && !isOutOfStep(error)) {
      await this.#retry.next(error);
    }
    const offset = this.#location === undefined ? undefined : await this.#askOffset();
    if (offset !== undefined && offset <= source.size) return this.#moveTo(offset);
    if (this.#sessions >= MOST_SESSIONS) throw error;
    call.log.verbose(`${api.host} has lost the upload; beginning again`);
    await this.#forget();
    await this.#moveTo(0);
  }

  /** Undefined when the session is gone. registry:2 up to 2.8 ends one that is asked with a stale Location. */
  async #askOffset(): Promise<number | undefined> {
    const { api, call } = this.#upload;
    const location = this.#location;
    if (location === undefined) return undefined;
    const response = await api.send(
      { method: "GET", url: location.url, accept: [200, 202, 204, 400, 404, 405, 416], auth: location.auth },
      call,
    );
    await discard(response);
    if (response.status >= 400) return undefined;
    if (response.headers.has("location")) this.#location = uploadLocation(api, response, location.auth);
    return parseUploadRange(response.headers.get("range"));
  }

  /** Makes `offset` the confirmed one; bytes before it that are not hashed yet are read again, from the disk alone. */
  async #moveTo(offset: number): Promise<void> {
    if (offset < this.#offset) {
      this.#hash = createHash("sha256");
      this.#offset = 0;
    }
    if (offset > this.#offset) {
      for await (const chunk of this.#upload.source.open(this.#offset, offset)) this.#hash.update(chunk);
    }
    this.#offset = offset;
    this.#upload.task.at(offset);
  }

  async #save(): Promise<void> {
    if (this.#key === undefined || this.#location === undefined) return;
    await this.#upload.sessions.save(this.#key, { location: this.#location.url.href, offset: this.#offset });
  }

  async #forget(): Promise<void> {
    this.#location = undefined;
    if (this.#key !== undefined) await this.#upload.sessions.forget(this.#key);
  }
}

export interface BegunUpload {
  readonly response: HttpResponse;
  readonly location: UploadLocation;
}

export async function beginUpload(api: OciApi, path: RepoPath, call: Call): Promise<BegunUpload> {
  const auth = repositoryAuth(path, "push");
  const response = await api.send(
    {
      method: "POST",
      url: api.uploadsUrl(path),
      accept: [202],
      body: { size: 0, open: () => Buffer.alloc(0) },
      auth,
    },
    call,
  );
  await discard(response);
  return { response, location: uploadLocation(api, response, auth) };
}

export function isDigestRefusal(error: unknown): error is SregistryError {
  return isCode(error, "REFUSED") && /DIGEST_INVALID/.test(error.message);
}

/** GHCR says 416 for a chunk that is too large, others 413. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof SregistryError)) return false;
  return error.status === 413 || (error.status === 416 && /too large|maximum|exceeds/i.test(error.message));
}

function isLostSession(error: unknown): boolean {
  return error instanceof SregistryError && error.status === 404;
}

/** The server holds another offset than we believe. */
function isOutOfStep(error: unknown): boolean {
  return error instanceof SregistryError && error.status === 416;
}

/** 405, 415, 501 or 400 to the very first chunk: this registry takes no chunks. */
export function refusesChunks(error: unknown): boolean {
  return error instanceof SregistryError && [400, 405, 415, 501].includes(error.status ?? 0) && !isDigestRefusal(error);
}
