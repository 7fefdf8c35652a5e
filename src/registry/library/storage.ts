/** Uploads to a URL that carries its own permission: no credential, no redirect, a length, and the signed headers alone. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { requireFollowable } from "../../http/redirect.ts";
import type { Body, HttpResponse } from "../../http/transport.ts";
import { remember } from "../../secret.ts";
import { isLarge } from "../source-body.ts";
import { type LibraryApi, refusal } from "./api.ts";

/** Milliseconds for the storage to say that it has everything. */
const CLOSING = 15 * 60_000;

/** @throws SregistryError REPLY_INVALID for what is no http(s) URL, a downgrade to http, or a way into a private network. */
export async function uploadUrl(api: LibraryApi, text: string): Promise<URL> {
  const url = URL.canParse(text, api.base.href) ? new URL(text, api.base) : undefined;
  if (text === "" || url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    throw new SregistryError("REPLY_INVALID", `${api.name} gave no address to upload to`);
  }
  await requireFollowable(api.base, api.base, url, { verb: "sends the upload" });
  // Our own server's permission is in the path.
  if (url.search !== "") remember(url.search);
  else if (url.pathname.length > 24) remember(url.pathname);
  return url;
}

/** True when the URL's signature covers the header, so that it has to be sent (AWS SigV4, query parameters). */
export function wantsContentHash(url: URL): boolean {
  const signed = [...url.searchParams].find(([name]) => name.toLowerCase() === "x-amz-signedheaders")?.[1] ?? "";
  return signed.toLowerCase().split(";").includes("x-amz-content-sha256");
}

export interface Upload {
  readonly url: URL;
  readonly body: Body;
  /** Lower-case hex, sent as x-amz-content-sha256 when given. */
  readonly sha256: string | undefined;
}

export interface Stored {
  /** "" when the answer has none. */
  readonly etag: string;
  /** The storage's word for an encryption that makes the ETag something else than an md5; undefined when there is none. */
  readonly encryption: string | undefined;
}

/** Not retried here: the URL may have run out, and a new one is to be had. */
export async function put(api: LibraryApi, { url, body, sha256 }: Upload, call: Call): Promise<Stored> {
  const response = await api.transport.send({
    method: "PUT",
    url,
    accept: [200, 201, 204, 400, 403, 404, 405, 411, 413, 422],
    headers: {
      "content-type": "application/octet-stream",
      ...(sha256 === undefined ? {} : { "x-amz-content-sha256": sha256 }),
    },
    body,
    bulk: isLarge(body),
    auth: { kind: "none" },
    retry: "never",
    redirect: "never",
    headersTimeout: CLOSING,
    signal: call.signal,
  });
  if (response.status >= 300)
    throw ranOut(await refusal({ ...api, name: `the storage of ${api.name}` }, "PUT", response));
  await discard(response);
  return { etag: response.headers.get("etag") ?? "", encryption: encryptionOf(response) };
}

/** S3: with SSE-KMS and SSE-C an ETag of 32 digits is no md5; with SSE-S3 (AES256) it is. */
function encryptionOf({ headers }: HttpResponse): string | undefined {
  const customer = headers.get("x-amz-server-side-encryption-customer-algorithm");
  if (customer !== undefined) return `SSE-C ${customer}`;
  const server = headers.get("x-amz-server-side-encryption");
  return server === undefined || server.toUpperCase() === "AES256" ? undefined : server;
}

/** S3 and MinIO: 403 `Request has expired`. Worth another try, since each try asks for a URL of its own. */
function ranOut(error: SregistryError): SregistryError {
  if (error.status !== 403 || !/expired/i.test(error.message)) return error;
  return new SregistryError("TIMEOUT", error.message, { hint: "is this machine's clock right? date -u", cause: error });
}
