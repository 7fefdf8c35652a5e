/**
 * One blob, sent. A file is hashed while it is sent, so that it is read once; it goes in chunks, so that an interruption
 * costs one chunk at most and a later process can go on. What a registry does not take is found out, not assumed: the mode
 * and the size of chunks change on the way. The server's offset is the truth.
 */
import { type Call, finish, type Task } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { abortError } from "../../http/network-error.ts";
import type { RetryPolicy } from "../../http/retry-policy.ts";
import type { Digest } from "../../reference/digest.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadSessions } from "../../transfer/upload-session.ts";
import { formatSize } from "../../units.ts";
import type { PushResult } from "../registry.ts";
import type { OciApi, UploadLocation } from "./api.ts";
import { nextCut, smallerChunk } from "./cuts.ts";
import { HashedSource } from "./hashed-source.ts";
import type { HostRule } from "./hosts.ts";
import { SavedSession } from "./saved-session.ts";
import {
  askUpload,
  type Begun,
  beginUpload,
  blobExists,
  closeUpload,
  meaningOf,
  mountBlob,
  patchUpload,
} from "./session.ts";

export interface BlobUpload {
  readonly api: OciApi;
  readonly path: RepoPath;
  readonly source: Source;
  readonly rule: HostRule;
  readonly sessions: UploadSessions;
  readonly task: Task;
  readonly call: Call;
  /** Known beforehand: then the registry is asked for it first. */
  readonly digest?: Digest | undefined;
  /** The source's bytes, where somebody has begun with them: the thread that hashes takes a while to start. */
  readonly bytes?: HashedSource;
  /** Read everything for the digest before anything is sent: it may not be necessary to send it. */
  readonly hashFirst?: boolean;
  /** A repository of this registry that may hold the blob. */
  readonly from?: RepoPath | undefined;
}

export interface BlobResult {
  readonly digest: Digest;
  readonly transfer: PushResult["transfer"];
}

/** A server that forgets session after session is not going to take the blob. */
const MOST_SETBACKS = 3;
/**
 * @throws SregistryError INTEGRITY when the server computes another digest or the source changed; NETWORK and others when
 * trying again is over. The session of a source with an identity is kept then, for the next process.
 */
export async function sendBlob(upload: BlobUpload): Promise<BlobResult> {
  const { source, task, call, digest } = upload;
  if (upload.bytes !== undefined) return await new Uploader(upload, upload.bytes).run();
  await using bytes = new HashedSource(source, task, call.signal, digest);
  return await new Uploader(upload, bytes).run();
}

class Uploader {
  readonly #upload: BlobUpload;
  readonly #retry: RetryPolicy;
  readonly #saved: SavedSession;
  readonly #bytes: HashedSource;
  #mode: HostRule["mode"];
  #chunkSize: number;
  #least = 0;
  /** The registry's Range does not move on (ECR): what it has confirmed is counted here. */
  #countsItself: boolean;
  #takesChunks: boolean | undefined;
  #location: UploadLocation | undefined;
  /** Bytes that the server has confirmed. */
  #offset = 0;
  #furthest = 0;
  #closing = false;
  #setbacks = 0;
  #resumed = false;
  /** The registry has been asked for the blob. */
  #looked = false;
  /** The blob was put together over several sessions or offsets: a wrong digest may be the seam's fault. */
  #spliced = false;

  constructor(upload: BlobUpload, bytes: HashedSource) {
    const { api, path, source, rule, sessions, call } = upload;
    this.#upload = upload;
    this.#retry = api.retryPolicy(`upload to ${api.host}/${path}`, call);
    this.#saved = new SavedSession(api, path, [bytes.digest, source.identity], sessions, call);
    this.#bytes = bytes;
    this.#mode = rule.mode;
    this.#chunkSize = rule.chunkSize;
    this.#countsItself = rule.ignoresRange === true;
  }

  async run(): Promise<BlobResult> {
    const { api, call } = this.#upload;
    try {
      return await this.#run();
    } catch (error) {
      await this.#saved.settled();
      if (isCode(error, "INTEGRITY")) await this.#saved.forget();
      else if (this.#offset > 0 && this.#saved.kept) {
        call.log.info(`${api.host} holds ${this.#offset} bytes; the same command goes on from there`);
      }
      throw error;
    }
  }

  async #run(): Promise<BlobResult> {
    const { hashFirst, rule } = this.#upload;
    if (hashFirst === true || rule.mode === "monolithic") await this.#learnDigest();
    const there = await this.#look();
    if (there !== undefined) return there;
    if (this.#location === undefined) await this.#takeUpSaved();
    for (;;) {
      if (this.#location === undefined) await this.#begin();
      try {
        const done = await this.#advance();
        if (done !== undefined) return done;
      } catch (error) {
        const found = await this.#recover(error);
        if (found !== undefined) return found;
      }
    }
  }

  /** What needs no sending: it is there, or in another repository. */
  async #look(): Promise<BlobResult | undefined> {
    const { api, path, from, call } = this.#upload;
    const { digest } = this.#bytes;
    if (digest === undefined) return undefined;
    this.#looked = true;
    if (await blobExists(api, path, digest, call)) return this.#result("present");
    const mounted = from === undefined ? undefined : await mountBlob(api, path, digest, from, call);
    if (mounted === "mounted") return this.#result("mounted");
    if (mounted !== undefined) this.#settle(mounted);
    return undefined;
  }

  /** The registry has it. */
  async #result(transfer: BlobResult["transfer"]): Promise<BlobResult> {
    this.#upload.task.at(this.#upload.source.size, transfer === "uploaded" ? undefined : "found");
    await this.#saved.forget();
    return { digest: await this.#bytes.learn(), transfer };
  }

  async #begin(): Promise<void> {
    const { api, path, call } = this.#upload;
    const begun = await beginUpload(api, path, call);
    this.#settle(begun);
    // Some keep what arrives of a request that is cut (distribution v3), so even the first chunk may be gone on with.
    this.#saved.save(begun.location, 0);
  }

  #settle({ location, least }: Begun): void {
    this.#location = location;
    this.#least = least;
  }

  /** Goes on with what an earlier process left, if the server still knows of it. */
  async #takeUpSaved(): Promise<void> {
    const { api, call, source, task } = this.#upload;
    const saved = await this.#saved.load();
    if (saved === undefined) return;
    const state = this.#countsItself ? saved : await askUpload(api, saved.location, call);
    if (state === undefined || state.offset > source.size) {
      call.log.info(`${api.host} has forgotten the interrupted upload; it begins again`);
      await this.#saved.forget();
      return;
    }
    this.#location = state.location;
    this.#offset = state.offset;
    this.#furthest = state.offset;
    this.#resumed = state.offset > 0;
    this.#spliced = this.#resumed;
    if (!this.#resumed) return;
    call.log.info(`${api.host} holds ${state.offset} bytes of an interrupted push; going on from there`);
    task.at(state.offset, "found");
    task.state(`resuming at ${formatSize(state.offset)}`);
  }

  /** Sends chunks until the closing request has been answered, or there is nothing to send. Undefined: the session was given up. */
  async #advance(): Promise<BlobResult | undefined> {
    const { source, call } = this.#upload;
    while (this.#location !== undefined) {
      if (await this.#isThere()) return this.#result("present");
      const cut = { least: this.#least, chunkSize: this.#chunkSize, known: this.#bytes.digest !== undefined };
      const end = this.#mode === "chunked" ? nextCut(this.#offset, source.size, cut) : undefined;
      const location = this.#location;
      // registry:2 and zot keep whole chunks or nothing.
      if (end !== undefined) await finish(call, () => this.#sendChunk(location, end));
      else {
        await finish(call, () => this.#close(location));
        return this.#result(this.#resumed ? "resumed" : "uploaded");
      }
    }
    return undefined;
  }

  /** Asked once, as soon as the digest is known, while there is much to send yet. */
  async #isThere(): Promise<boolean> {
    const { api, path, source, call } = this.#upload;
    const { digest } = this.#bytes;
    if (this.#looked || digest === undefined || source.size - this.#offset <= this.#chunkSize) return false;
    this.#looked = true;
    return await blobExists(api, path, digest, call);
  }

  async #sendChunk(location: UploadLocation, end: number): Promise<void> {
    const { api, call } = this.#upload;
    const start = this.#offset;
    this.#closing = false;
    const body = await this.#bytes.part(start, end);
    const began = performance.now();
    const answer = await patchUpload(api, location, { start, end, body }, call);
    this.#bytes.paced(start, end, performance.now() - began);
    this.#takesChunks = true;
    this.#location = answer.location;
    const { held } = answer;
    // ECR answers 201, and its Range stays at the first chunk though it keeps the others (aws/containers-roadmap#2831).
    if (answer.status === 201 && held !== undefined && held <= start) this.#countsItself = true;
    if (this.#countsItself || held === undefined || held === end) this.#offset = end;
    else if (held > end) return this.#loseSession(`it holds ${held} bytes after being sent ${end}`);
    else if (held <= start) throw this.#nothingKept(start, end);
    // distribution v3 on S3 keeps whole 5 MiB parts only: it may hold less than it was sent.
    else this.#offset = held;
    this.#spliced ||= this.#offset !== end;
    this.#progressed();
  }

  #nothingKept(start: number, end: number): SregistryError {
    const { api } = this.#upload;
    return new SregistryError("NETWORK", `${api.host} took bytes ${start} to ${end} and kept none of them`);
  }

  #progressed(): void {
    this.#upload.task.at(this.#offset);
    if (this.#offset > this.#furthest) {
      this.#furthest = this.#offset;
      this.#retry.progressed();
    }
    if (this.#location !== undefined) this.#saved.save(this.#location, this.#offset);
  }

  async #close(location: UploadLocation): Promise<void> {
    const { api, call } = this.#upload;
    const start = this.#offset;
    this.#closing = true;
    const { digest, body } = await this.#bytes.last(start);
    await closeUpload(api, location, { start, digest, body }, call);
  }

  async #learnDigest(): Promise<void> {
    const { api, call, task } = this.#upload;
    if (this.#bytes.digest !== undefined) return;
    task.state("hashing");
    call.log.verbose(`${api.host}: the file is read for its digest before it is sent, so twice if it has to be sent`);
    await this.#bytes.learn();
  }

  /** Decides what a failure means; returns when it is time to go on, or with the result if the blob is there after all. */
  async #recover(error: unknown): Promise<BlobResult | undefined> {
    const { api, path, source, call } = this.#upload;
    if (call.signal.aborted) throw abortError(call.signal);
    // A source that fails because it changed says so best itself.
    if (isCode(error, "INTEGRITY", "DISK")) await source.unchanged();
    switch (meaningOf(error, this.#offset === 0)) {
      case "wrong digest":
        await this.#redo(error);
        return undefined;
      case "too large":
        this.#shrink(error);
        await this.#realign();
        return undefined;
      case "lost":
        await this.#loseSession(error);
        return undefined;
      case "out of step":
        if (this.#countsItself) await this.#loseSession(error);
        else {
          this.#setback(error);
          await this.#realign();
        }
        return undefined;
      case "not allowed":
        if (this.#closing || this.#takesChunks === true) throw error;
        return this.#giveUpChunks();
      default:
        await this.#retry.next(error);
    }
    // The closing request may have worked though its answer is lost.
    const { digest } = this.#bytes;
    if (this.#closing && digest !== undefined && (await blobExists(api, path, digest, call))) {
      return this.#result(this.#resumed ? "resumed" : "uploaded");
    }
    await this.#realign();
    return undefined;
  }

  /** Goes on where the server says that it is. */
  async #realign(): Promise<void> {
    const { api, call, source, task } = this.#upload;
    if (this.#location === undefined || this.#countsItself) return;
    this.#spliced = true;
    const state = await askUpload(api, this.#location, call);
    if (state === undefined) return this.#loseSession("it does not know it any more");
    if (state.offset > source.size) return this.#loseSession(`it holds ${state.offset} bytes of ${source.size}`);
    call.log.verbose(`${api.host} holds ${state.offset} bytes; going on from there`);
    this.#location = state.location;
    this.#offset = state.offset;
    task.at(state.offset);
  }

  async #loseSession(reason: unknown): Promise<void> {
    const { api, call, task } = this.#upload;
    const at = this.#offset;
    this.#location = undefined;
    this.#offset = 0;
    this.#resumed = false;
    task.at(0);
    await this.#saved.forget();
    this.#setback(reason);
    call.log.info(`${api.host} has lost the upload at byte ${at}; it begins again`);
    call.log.verbose(reason instanceof Error ? reason.message : String(reason));
  }

  #setback(reason: unknown): void {
    const { api, path } = this.#upload;
    this.#setbacks += 1;
    if (this.#setbacks <= MOST_SETBACKS) return;
    const words = reason instanceof Error ? reason.message : String(reason);
    throw new SregistryError("NETWORK", `${api.host} lost the upload to ${path} ${this.#setbacks} times: ${words}`, {
      hint:
        reason instanceof SregistryError && reason.status === 404
          ? "several machines of one registry must share their sessions (distribution: http.secret): tell its administrator"
          : `a smaller chunk-size for ${api.host} under hosts in config.yaml may get through`,
      cause: reason,
    });
  }

  /** Once more from the start, if the blob had a seam; the same bytes in one piece would be refused again. */
  async #redo(error: unknown): Promise<void> {
    const { api, source } = this.#upload;
    await source.unchanged();
    if (!this.#spliced) {
      const words = error instanceof Error ? error.message : String(error);
      throw new SregistryError("INTEGRITY", `${api.host} received other bytes than ${this.#bytes.digest}: ${words}`, {
        hint: "something between here and the registry changes what is sent; push again, then tell its administrator",
        cause: error,
      });
    }
    await this.#loseSession(error);
    this.#spliced = false;
  }

  /** Smaller chunks, or chunks instead of one request. */
  #shrink(error: unknown): void {
    const { api, source, rule, call } = this.#upload;
    const whole = this.#mode === "monolithic";
    const refused = whole ? source.size - this.#offset : this.#chunkSize;
    // GHCR is known to take 4 MiB; then nothing larger need be tried.
    const smaller = whole && rule.chunkSize < refused ? rule.chunkSize : smallerChunk(refused, rule.chunkSize);
    if (smaller === undefined || this.#takesChunks === false) throw error;
    call.log.verbose(`${api.host} does not take ${refused} bytes at once; going on with ${smaller}`);
    this.#mode = "chunked";
    this.#chunkSize = smaller;
  }

  /** One request instead of chunks. It names the digest, so the file is read for it first. */
  async #giveUpChunks(): Promise<BlobResult | undefined> {
    const { api, call } = this.#upload;
    call.log.info(`${api.host} takes no chunks: the file is read for its digest, then sent in one request`);
    this.#takesChunks = false;
    this.#mode = "monolithic";
    this.#location = undefined;
    this.#offset = 0;
    await this.#learnDigest();
    return this.#look();
  }
}
