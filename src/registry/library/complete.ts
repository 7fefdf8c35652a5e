/** One image's upload, and the request that ends it. */
import type { Call, Task } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode } from "../../errors.ts";
import { ERROR_LIMIT, readUpTo } from "../../http/body.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { HttpResponse } from "../../http/transport.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadSessions } from "../../transfer/upload-session.ts";
import type { Quota } from "../registry.ts";
import type { LibraryApi } from "./api.ts";
import type { FileDigests } from "./digests.ts";

export interface ImageUpload {
  readonly api: LibraryApi;
  /** Of the image's record. */
  readonly id: string;
  /** For what is kept of an interrupted upload: `entity/collection/container`. */
  readonly path: string;
  readonly source: Source;
  readonly digests: FileDigests;
  readonly sessions: UploadSessions;
  readonly retry: Partial<RetryLimits> | undefined;
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

/** Its answer may be empty, `{}` or a quota; one that failed may have worked, and is asked for again. */
export async function complete(upload: ImageUpload, action: string, json: object): Promise<Completed> {
  const { api, id, call } = upload;
  const url = api.url(`v2/imagefile/${id}/${action}`);
  const request = { method: "PUT", url, json, accept: [200, 201, 204], headersTimeout: CLOSING } as const;
  const response = await api.send({ ...request, retry: "safe" }, call);
  return readCompleted(api, response);
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
