/** The requests of an upload session (distribution-spec, "Pushing blobs"), one function each. None decides what comes next. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { parseUploadRange } from "../../http/range.ts";
import type { Body, HttpResponse } from "../../http/transport.ts";
import type { Digest } from "../../reference/digest.ts";
import type { RepoPath } from "../../reference/reference.ts";
import { isLarge } from "../source-body.ts";
import { closingUrl, type OciApi, repositoryAuth, settleLocation, type UploadLocation, uploadLocation } from "./api.ts";
import { refusalHint } from "./hints.ts";

export interface Begun {
  readonly location: UploadLocation;
  /** OCI-Chunk-Min-Length: bytes of the smallest part that is no last one; 0 when the server does not say. */
  readonly least: number;
}

const OCTETS = { "content-type": "application/octet-stream" } as const;
const NOTHING: Body = { size: 0, open: () => new Uint8Array(0) };

const DONE: readonly number[] = [200, 201, 202, 204];

/** Milliseconds. distribution on S3 copies the whole blob before it answers the closing PUT. */
const CLOSING_TIMEOUT = 15 * 60_000;

/**
 * True when the registry holds the blob. A redirect counts: object storage signs it for this HEAD alone. 405 (old GitHub
 * packages, containerd/containerd#3291) means that it is not known.
 */
export async function blobExists(api: OciApi, path: RepoPath, digest: Digest, call: Call): Promise<boolean> {
  const response = await api.send(
    {
      method: "HEAD",
      url: api.blobUrl(path, digest),
      accept: [200, 301, 302, 303, 307, 308, 404, 405],
      auth: repositoryAuth(path, "push"),
      redirect: "never",
    },
    call,
  );
  await discard(response);
  return response.status < 400;
}

/** @throws SregistryError with what is known of the registry's refusals. */
export async function beginUpload(api: OciApi, path: RepoPath, call: Call): Promise<Begun> {
  const auth = repositoryAuth(path, "push");
  const response = await api
    .send({ method: "POST", url: api.uploadsUrl(path), accept: [202], body: NOTHING, auth }, call)
    .catch((error: unknown) => {
      throw refusalHint(api.host, error);
    });
  return begun(api, path, response);
}

/**
 * Takes the blob from another repository of the registry. Undefined when it may not: Harbor answers 4xx for a source that
 * the login cannot read (goharbor/harbor#17097), and Hub's token server fails (google/go-containerregistry#1679).
 */
export async function mountBlob(
  api: OciApi,
  path: RepoPath,
  digest: Digest,
  from: RepoPath,
  call: Call,
): Promise<"mounted" | Begun | undefined> {
  const url = api.uploadsUrl(path);
  url.search = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const auth = repositoryAuth(path, "push", from);
  try {
    const response = await api.send({ method: "POST", url, accept: [201, 202], body: NOTHING, auth }, call);
    if (response.status === 202) return await begun(api, path, response);
    await discard(response);
    return "mounted";
  } catch (error) {
    if (!isCode(error, "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "UNSUPPORTED", "REFUSED")) throw error;
    call.log.verbose(`${api.host} does not mount from ${from}: ${error.message}`);
    return undefined;
  }
}

async function begun(api: OciApi, path: RepoPath, response: HttpResponse): Promise<Begun> {
  await discard(response);
  const least = Number(response.headers.get("oci-chunk-min-length") ?? 0);
  return {
    location: uploadLocation(api, response, repositoryAuth(path, "push")),
    least: Number.isSafeInteger(least) && least > 0 ? least : 0,
  };
}

export interface SessionState {
  readonly location: UploadLocation;
  /** Bytes that the server holds. */
  readonly offset: number;
}

/**
 * Undefined when the session is gone. registry:2 up to 2.8 ends one that is asked under an older Location than its newest,
 * and after a cut (404); others do not offer the question (400, 405).
 */
export async function askUpload(api: OciApi, location: UploadLocation, call: Call): Promise<SessionState | undefined> {
  const { url, auth } = location;
  const elsewhere = auth.kind === "none" ? [401, 403] : [];
  const accept = [...DONE, 400, 404, 405, 410, 416, 501, ...elsewhere];
  const response = await api.send({ method: "GET", url, accept, auth }, call);
  await discard(response);
  const offset = parseUploadRange(response.headers.get("range"));
  if (!DONE.includes(response.status) || offset === undefined) return undefined;
  return { location: nextLocation(api, response, location), offset };
}

/** Where a session of an earlier process went on; undefined when that is no place to send to any more. */
export function savedLocation(api: OciApi, path: RepoPath, text: string): UploadLocation | undefined {
  if (!URL.canParse(text)) return undefined;
  try {
    return settleLocation(api, new URL(text), repositoryAuth(path, "push"));
  } catch (error) {
    if (isCode(error, "REFUSED")) return undefined;
    throw error;
  }
}

export interface PatchAnswer {
  readonly status: number;
  readonly location: UploadLocation;
  /** Bytes that the server says it holds; undefined when it does not say. */
  readonly held: number | undefined;
}

/** Bytes `start` up to `end`. */
export async function patchUpload(
  api: OciApi,
  location: UploadLocation,
  { start, end, body }: { readonly start: number; readonly end: number; readonly body: Body },
  call: Call,
): Promise<PatchAnswer> {
  const response = await api.send(
    {
      method: "PATCH",
      url: location.url,
      accept: DONE,
      // `a-b`, without unit and total: ACR refuses the form of RFC 9110 (dotnet/sdk-container-builds#258).
      headers: { ...OCTETS, "content-range": `${start}-${end - 1}` },
      body,
      bulk: isLarge(body),
      auth: location.auth,
      retry: "never",
    },
    call,
  );
  await discard(response);
  const held = parseUploadRange(response.headers.get("range"));
  return { status: response.status, location: nextLocation(api, response, location), held };
}

/** The last bytes, from `start` on, and the digest of all. @throws SregistryError. */
export async function closeUpload(
  api: OciApi,
  location: UploadLocation,
  { start, digest, body }: { readonly start: number; readonly digest: Digest; readonly body: Body },
  call: Call,
): Promise<void> {
  const { size = 0 } = body;
  const response = await api.send(
    {
      method: "PUT",
      url: closingUrl(location.url, digest),
      accept: DONE,
      headers: {
        ...OCTETS,
        ...(start === 0 || size === 0 ? {} : { "content-range": `${start}-${start + size - 1}` }),
      },
      body,
      bulk: isLarge(body),
      auth: location.auth,
      retry: "never",
      headersTimeout: CLOSING_TIMEOUT,
    },
    call,
  );
  await discard(response);
}

/** The newest Location counts: registry:2 and distribution v3 keep the offset in it. */
function nextLocation(api: OciApi, response: HttpResponse, location: UploadLocation): UploadLocation {
  return response.headers.has("location") ? uploadLocation(api, response, location.auth) : location;
}

export type Failure =
  /** The server computed another digest. */
  | "wrong digest"
  /** GHCR says 416 for a chunk that is too large, others 413. */
  | "too large"
  /** The server holds another offset than we believe. */
  | "out of step"
  /** It does not know the session any more. */
  | "lost"
  /** Nothing that an upload could answer; Google Artifact Registry says so to a first chunk (containers/skopeo#1101). */
  | "not allowed"
  | "other";

/** What an error of a request within a session means for the session. `first`: it has taken nothing yet. */
export function meaningOf(error: unknown, first: boolean): Failure {
  if (!(error instanceof SregistryError) || error.status === undefined) return "other";
  const { status, message } = error;
  if (status === 400 && message.includes("DIGEST_INVALID")) return "wrong digest";
  if (status === 413 || (status === 416 && /too large|maximum|exceeds/i.test(message))) return "too large";
  if (status === 416) return "out of step";
  if (status === 404 || status === 410 || (!first && message.includes("BLOB_UPLOAD_"))) return "lost";
  return [400, 405, 415, 501].includes(status) ? "not allowed" : "other";
}
