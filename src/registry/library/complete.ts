/** One image's upload, the request that ends it, and the one that gives it up. */
import type { Call, Task } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, ERROR_LIMIT, readUpTo } from "../../http/body.ts";
import { createRetryPolicy, isTransient, type RetryLimits } from "../../http/retry-policy.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { parseRepoPath } from "../../reference/name.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadSessions } from "../../transfer/upload-session.ts";
import type { Quota } from "../registry.ts";
import type { LibraryApi } from "./api.ts";
import type { FileDigests } from "./digests.ts";
import { findImage, imageInfo, learnSize } from "./read.ts";

export interface ImageUpload {
  readonly api: LibraryApi;
  /** Of the image's record. */
  readonly id: string;
  /** For what is kept of an interrupted upload: `entity/collection/container`. */
  readonly path: string;
  /** Go's name. */
  readonly architecture: string;
  readonly source: Source;
  readonly digests: FileDigests;
  readonly sessions: UploadSessions;
  readonly retry: Partial<RetryLimits> | undefined;
  /** Bytes; what is larger goes in parts. */
  readonly multipartAbove: number;
  readonly task: Task;
  readonly call: Call;
}

export interface Completed {
  readonly quota?: Quota;
  readonly page?: string;
  readonly resumed?: boolean;
}

/** Milliseconds for the library to put everything together. */
export const CLOSING = 15 * 60_000;

/**
 * Its answer may be empty, `{}` or a quota. One that failed may have worked: it is sent again only when the image is not
 * there, since Singularity Registry Server 2.1 answers the second end of an upload in parts with 500.
 */
export async function complete(upload: ImageUpload, action: string, json: object): Promise<Completed> {
  const { api, id, call, retry: limits } = upload;
  const url = api.url(`v2/imagefile/${id}/${action}`);
  const request = { method: "PUT", url, json, accept: [200, 201, 204], headersTimeout: CLOSING } as const;
  const retry = createRetryPolicy({
    what: `end of the upload to ${api.name}`,
    signal: call.signal,
    log: call.log,
    limits,
    waiting: call.waiting,
  });
  /** Why the last one may have worked. */
  let unsure: unknown;
  for (;;) {
    try {
      return await readCompleted(api, await api.send({ ...request, retry: "never" }, call));
    } catch (error) {
      // An end that goes on behind a lost answer, or is through, is unknown or refused when it is sent again.
      const isOver = unsure !== undefined && isCode(error, "NOT_FOUND", "CONFLICT");
      if ((isOver || isTransient(error)) && (await hasArrived(upload))) return {};
      if (!isOver) unsure = error;
      await retry.next(unsure);
    }
  }
}

/** Whether the library has the bytes: by its word, or by the size in its storage where it gives none. */
async function hasArrived({ api, path, architecture, digests, source, call }: ImageUpload): Promise<boolean> {
  const selector = { kind: "digest", digest: digests.sha256 } as const;
  const reference = { scheme: "library", path: parseRepoPath(path, "library"), selector } as const;
  try {
    const found = await findImage(api, reference, { architecture }, call);
    if (found.record.uploaded !== undefined) return found.record.uploaded;
    return (await learnSize(api, imageInfo(reference, found), found, call)) === source.size;
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    call.log.verbose(`whether ${api.name} has the image is not to be learnt: ${error.message}`);
    return false;
  }
}

/**
 * With a clock of its own, since the call may have been stopped; that it failed is said with -v only, for the failure that led
 * here is the one to tell. Singularity Registry Server 2.1 takes the unfinished row away as well, with or without parts.
 */
export async function abort({ api, id, call }: Pick<ImageUpload, "api" | "id" | "call">, uploadID = ""): Promise<void> {
  const own: Call = { ...call, signal: AbortSignal.timeout(5_000) };
  try {
    const url = api.url(`v2/imagefile/${id}/_multipart_abort`);
    const accept = [200, 201, 204, 404, 405];
    await discard(await api.send({ method: "PUT", url, json: { uploadID }, accept, retry: "never" }, own));
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    call.log.verbose(`${api.name} could not be told that the upload is given up: ${error.message}`);
  }
}

/** Singularity Registry Server 2.1 (API 2.0.0-alpha.1) would list a row without a tag until night. */
export async function removeRow(upload: Pick<ImageUpload, "api" | "id" | "call">): Promise<void> {
  if ((await upload.api.version(upload.call)) === "2.0.0-alpha.1") await abort(upload);
}

const completed: Decoder<Completed & { readonly path?: string }> = (value, where) => {
  const json = object(value, where);
  const data = json["data"];
  if (data === undefined || data === null) return {};
  const record = object(data, where);
  const quota = record["quota"];
  const path = field(record, "containerUrl", optional(string), where);
  return {
    ...(quota === undefined || quota === null ? {} : { quota: quotaOf(quota, where) }),
    ...(path === undefined || path === "" ? {} : { path }),
  };
};

function quotaOf(value: unknown, where: string): Quota {
  const json = object(value, where);
  const total = Number(json["quotaTotal"] ?? 0);
  return { used: Number(json["quotaUsage"] ?? 0), total: total > 0 ? total : undefined };
}

async function readCompleted(api: LibraryApi, response: HttpResponse): Promise<Completed> {
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  try {
    const { path, ...rest } = completed(JSON.parse(new TextDecoder().decode(bytes)), "answer");
    const page = path === undefined ? {} : { page: `${api.front.href.replace(/\/$/, "")}/${path.replace(/^\//, "")}` };
    return { ...rest, ...page };
  } catch (error) {
    // Singularity Registry Server 2.1 says nothing at all; the status has said that it is done.
    if (error instanceof SyntaxError || isCode(error, "REPLY_INVALID")) return {};
    throw error;
  }
}
