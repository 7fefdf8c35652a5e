/**
 * A large image in parts of the library's choosing, several at a time, each to a URL of its own. An interrupted upload goes on
 * by part in a later process: what the storage confirmed is kept with its ETag.
 */
import { finish } from "../../call.ts";
import { count, type Decoder, field, type JsonObject, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { createRetryPolicy, isTransient } from "../../http/retry-policy.ts";
import type { Source } from "../../transfer/source.ts";
import type { SavedParts, UploadKey } from "../../transfer/upload-session.ts";
import { sourceBody } from "../source-body.ts";
import type { LibraryApi } from "./api.ts";
import { abort, type Completed, complete, type ImageUpload } from "./complete.ts";
import { hexOf } from "./digests.ts";
import { put, uploadUrl } from "./storage.ts";

const plan: Decoder<Omit<SavedParts, "image" | "done">> = (value, where) => {
  const json = object(value, where);
  const options: JsonObject = field(json, "options", optional(object), where) ?? {};
  const compliant = options["s3compliant"];
  return {
    uploadId: field(json, "uploadID", string, where),
    parts: field(json, "totalParts", count, where),
    partSize: field(json, "partSize", count, where),
    // A storage that is no S3 says so; the header is signed everywhere else.
    signsHash: compliant === undefined || compliant === "true" || compliant === true,
  };
};

const partUrl: Decoder<string> = (value, where) => field(object(value, where), "presignedURL", string, where);

/** Parts in flight. */
const CONNECTIONS = 3;
/** S3's own limit. */
const MOST_PARTS = 10_000;

/** Undefined where the library takes images as a whole only (404). */
export async function beginParts({ api, id, source, call }: ImageUpload): Promise<SavedParts | undefined> {
  try {
    const url = api.url(`v2/imagefile/${id}/_multipart`);
    const made = await api.make("POST", url, { filesize: source.size }, plan, call);
    requireSane(api, source, made);
    return { ...made, image: id, done: [] };
  } catch (error) {
    if (!isCode(error, "NOT_FOUND", "UNSUPPORTED")) throw error;
    call.log.verbose(`${api.name} takes no uploads in parts: sending it whole`);
    return undefined;
  }
}

/** What an earlier process left of this very upload. */
export async function savedParts(upload: Omit<ImageUpload, "id">): Promise<SavedParts | undefined> {
  const { source, sessions } = upload;
  return source.identity === undefined ? undefined : (await sessions.load(keyOf(upload)))?.multipart;
}

async function forgetParts(upload: Omit<ImageUpload, "id">): Promise<void> {
  await upload.sessions.forget(keyOf(upload));
}

export function sendParts(upload: ImageUpload, parts: SavedParts): Promise<Completed> {
  return new PartsUpload(upload, parts).run();
}

class PartsUpload {
  readonly #upload: ImageUpload;
  readonly #plan: SavedParts;
  readonly #done: Map<number, string>;
  #saving: Promise<void> = Promise.resolve();
  /** Bytes of parts that are on their way. */
  readonly #moving = new Map<number, number>();

  constructor(upload: ImageUpload, parts: SavedParts) {
    this.#upload = upload;
    this.#plan = parts;
    this.#done = new Map(parts.done.map(({ number, token }) => [number, token]));
  }

  async run(): Promise<Completed> {
    const resumed = this.#done.size > 0;
    try {
      await this.#sendAll();
      const done = await this.#close();
      await forgetParts(this.#upload);
      return { ...done, ...(resumed ? { resumed } : {}) };
    } catch (error) {
      await this.#giveUp(error, resumed);
      throw error;
    }
  }

  #close(): Promise<Completed> {
    const tokens = [...this.#done].sort(([a], [b]) => a - b);
    const completedParts = tokens.map(([partNumber, token]) => ({ partNumber, token }));
    return complete(this.#upload, "_multipart_complete", { uploadID: this.#plan.uploadId, completedParts });
  }

  /** Several at a time, or one after another where the library refuses that. */
  async #sendAll(): Promise<void> {
    try {
      await this.#sendBy(CONNECTIONS);
    } catch (error) {
      if (!isCode(error, "REFUSED", "CONFLICT") || this.#plan.parts < 2) throw error;
      const { api, call } = this.#upload;
      call.log.verbose(`${api.name} refuses parts side by side: one after another (${error.message})`);
      await this.#sendBy(1);
    }
  }

  /** The first failure lets the others end the part that they are at. */
  async #sendBy(connections: number): Promise<void> {
    const { parts } = this.#plan;
    let next = 1;
    let failed = false;
    const worker = async (): Promise<void> => {
      while (next <= parts && !failed) {
        const number = next;
        next += 1;
        if (this.#done.has(number)) continue;
        try {
          await this.#sendPart(number);
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    const settled = await Promise.allSettled(Array.from({ length: Math.min(connections, parts) }, worker));
    const failure = settled.find((one) => one.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  async #sendPart(number: number): Promise<void> {
    const { api, source, digests, call, retry: limits } = this.#upload;
    const start = (number - 1) * this.#plan.partSize;
    const end = Math.min(start + this.#plan.partSize, source.size);
    const known = digests.parts?.size === this.#plan.partSize ? digests.parts.hashes[number - 1] : undefined;
    const sha256 = known ?? (await hexOf(source, start, end, call));
    const what = `part ${number} of the upload to ${api.name}`;
    const retry = createRetryPolicy({ what, signal: call.signal, log: call.log, limits, waiting: call.waiting });
    for (;;) {
      try {
        return await finish(call, async () => {
          const token = await this.#putPart(number, start, end, sha256);
          this.#done.set(number, token);
          this.#moved(number, undefined);
          await this.#save();
        });
      } catch (error) {
        this.#moved(number, undefined);
        await retry.next(error);
      }
    }
  }

  /** With a URL of its own for each try: they run out in minutes. */
  async #putPart(number: number, start: number, end: number, sha256: string): Promise<string> {
    const { api, id, source, call } = this.#upload;
    const size = end - start;
    const body = { partSize: size, uploadID: this.#plan.uploadId, partNumber: number, sha256sum: sha256 };
    const text = await api.make("PUT", api.url(`v2/imagefile/${id}/_multipart`), body, partUrl, call);
    const url = await uploadUrl(api, text);
    const { signal } = call;
    // Singularity Registry Server 2.1 counts an empty last part when the size is a multiple of the parts': it is sent as one.
    const sent = sourceBody(source, start, end, { signal, moved: (bytes) => this.#moved(number, bytes) });
    const signed = this.#plan.signsHash ? sha256 : undefined;
    const { etag: token } = await put(api, { url, body: sent, sha256: signed }, call);
    if (token !== "") return token;
    throw new SregistryError("REPLY_INVALID", `the storage of ${api.name} confirms part ${number} without an ETag`);
  }

  #moved(number: number, bytes: number | undefined): void {
    if (bytes === undefined) this.#moving.delete(number);
    else this.#moving.set(number, bytes);
    const { size } = this.#upload.source;
    const { partSize } = this.#plan;
    let sum = 0;
    for (const done of this.#done.keys()) sum += Math.min(partSize, size - (done - 1) * partSize);
    for (const moving of this.#moving.values()) sum += moving;
    this.#upload.task.at(Math.min(sum, size));
  }

  /** One after the other: of two parts that end at once the one that knows of less must not be written last. */
  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { source, sessions, api } = this.#upload;
    if (source.identity === undefined) return;
    const done = [...this.#done].map(([number, token]) => ({ number, token }));
    await sessions.save(keyOf(this.#upload), {
      location: api.base.href,
      offset: 0,
      multipart: { ...this.#plan, done },
    });
  }

  /** Singularity Registry Server 2.1 answers with 500 to the end of an upload that it has lost. */
  #isUnknown(error: SregistryError, resumed: boolean): boolean {
    return resumed && error.status === 500 && this.#done.size === this.#plan.parts;
  }

  /** What a later process can go on with is kept; anything else is cleared away at the library. */
  async #giveUp(error: unknown, resumed: boolean): Promise<void> {
    const { api, source, call } = this.#upload;
    const lasting =
      isCode(error, "NETWORK", "TIMEOUT", "SERVER_ERROR", "RATE_LIMITED") && !this.#isUnknown(error, resumed);
    const stopped = call.signal.aborted || isCode(error, "INTERRUPTED", "TERMINATED");
    const later = stopped || isTransient(error) || lasting;
    if (later && source.identity !== undefined && this.#done.size > 0) {
      call.log.info(
        `${this.#done.size} of ${this.#plan.parts} parts are at ${api.name}; the same command goes on from there`,
      );
      return;
    }
    await forgetParts(this.#upload);
    await abort(this.#upload, this.#plan.uploadId);
  }
}

function keyOf({ api, path, source }: Omit<ImageUpload, "id">): UploadKey {
  return { origin: api.base.origin, repository: `library/${path}`, source: source.identity ?? "" };
}

function requireSane(
  api: LibraryApi,
  { size }: Source,
  { parts, partSize }: Pick<SavedParts, "parts" | "partSize">,
): void {
  const enough = parts * partSize >= size && (parts - 1) * partSize <= size;
  if (enough && parts > 0 && parts <= MOST_PARTS) return;
  const words = `${api.name} wants ${size} bytes in ${parts} parts of ${partSize}, which does not add up`;
  throw new SregistryError("REPLY_INVALID", words);
}
