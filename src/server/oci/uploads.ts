/** Upload sessions (distribution-spec, "Pushing blobs"): monolithic, streamed, in chunks, resumed, mounted, cancelled. */
import type { OutgoingHttpHeaders } from "node:http";
import type { Digest, DigestAlgorithm } from "../../reference/digest.ts";
import { digestAlgorithm } from "../../reference/digest.ts";
import { isRepoPath } from "../../reference/name.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { Repository } from "../../registry/local/repository.ts";
import type { Upload } from "../../registry/local/upload.ts";
import { type Exchange, hasBody, reply } from "../exchange.ts";
import { Failure, meaning } from "../failure.ts";
import { parseChunkRange } from "../range.ts";
import type { Parameters, Route } from "../router.ts";
import { claim, digestIn, toChange } from "./names.ts";

const SESSIONS = "/v2/{name}/blobs/uploads/";
const SESSION = "/v2/{name}/blobs/uploads/{id}";
const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const uploadRoutes: readonly Route[] = [
  { method: "POST", path: SESSIONS, handle: beginUpload },
  // Some clients leave the last slash out.
  { method: "POST", path: SESSIONS.slice(0, -1), handle: beginUpload },
  { method: "GET", path: SESSION, handle: uploadState },
  { method: "PATCH", path: SESSION, handle: sendChunk },
  { method: "PUT", path: SESSION, handle: endUpload },
  { method: "DELETE", path: SESSION, handle: cancelUpload },
];

async function beginUpload(exchange: Exchange, parameters: Parameters): Promise<void> {
  const repository = await toChange(exchange, parameters);
  const { query, store } = exchange;
  const wanted = query.get("digest");
  const digest = wanted === null ? undefined : digestIn(wanted);
  const mount = query.get("mount");
  const mounted = mount === null ? undefined : digestIn(mount);
  const algorithm = algorithmIn(query.get("digest-algorithm"));
  await store.prepare();
  await claim(exchange, repository);
  if (mounted !== undefined && (await mountBlob(exchange, repository, mounted))) {
    return blobCreated(exchange, repository, mounted);
  }
  if (digest === undefined) {
    const upload = await repository.createUpload(algorithm, false);
    return reply(exchange, 202, sessionHeaders(repository, upload, 0));
  }
  const upload = await repository.createUpload(digestAlgorithm(digest), true);
  try {
    await upload.append(exchange.request);
    await commit(upload, digest);
  } finally {
    await upload.abort();
  }
  blobCreated(exchange, repository, digest);
}

/** Without `from`, the blob of any repository will do that the client may read. */
async function mountBlob(exchange: Exchange, repository: Repository, digest: Digest): Promise<boolean> {
  if ((await repository.blobSize(digest)) !== undefined) return true;
  const { query, store, access, identity } = exchange;
  const mayRead = (path: RepoPath): Promise<boolean> => access.mayRead(path, identity);
  const from = query.get("from");
  if (from !== null && (!isRepoPath(from, "local") || !(await mayRead(from)))) return false;
  const holder = from === null ? await store.holder(digest, mayRead) : store.repository(from);
  return holder !== undefined && (await repository.mount(digest, holder));
}

async function uploadState(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { repository, upload, size } = await session(exchange, parameters);
  reply(exchange, 204, sessionHeaders(repository, upload, size));
}

async function sendChunk(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { repository, upload } = await session(exchange, parameters);
  const size = await receive(exchange, repository, upload);
  reply(exchange, 202, sessionHeaders(repository, upload, size));
}

async function endUpload(exchange: Exchange, parameters: Parameters): Promise<void> {
  const digest = digestIn(exchange.query.get("digest"));
  const { repository, upload } = await session(exchange, parameters);
  if (hasBody(exchange.request)) await receive(exchange, repository, upload);
  await claim(exchange, repository);
  await commit(upload, digest);
  blobCreated(exchange, repository, digest);
}

async function cancelUpload(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { upload } = await session(exchange, parameters);
  await upload.abort();
  reply(exchange, 204);
}

interface Session {
  readonly repository: Repository;
  readonly upload: Upload;
  /** Bytes in place. */
  readonly size: number;
}

async function session(exchange: Exchange, parameters: Parameters): Promise<Session> {
  const repository = await toChange(exchange, parameters);
  const id = parameters["id"] ?? "";
  const upload = SESSION_ID.test(id) ? await repository.upload(id) : undefined;
  const size = await upload?.size();
  if (upload !== undefined && size !== undefined) return { repository, upload, size };
  throw new Failure(404, "BLOB_UPLOAD_UNKNOWN", `${repository.path} has no such upload: begin a new one`);
}

/** Adds the request's body. One without Content-Range goes on where the upload ends (docker and crane stream so). */
async function receive({ request }: Exchange, repository: Repository, upload: Upload): Promise<number> {
  const header = request.headers["content-range"];
  const range = header === undefined ? undefined : parseChunkRange(header);
  if (header !== undefined && range === undefined) {
    throw new Failure(400, "BLOB_UPLOAD_INVALID", "Content-Range is not START-END");
  }
  const length = request.headers["content-length"];
  if (range !== undefined && length !== undefined && Number(length) !== range.end - range.start) {
    throw new Failure(400, "SIZE_INVALID", `Content-Range and Content-Length ${length} contradict each other`);
  }
  try {
    return await meaning(
      { CONFLICT: [416, "BLOB_UPLOAD_INVALID"], NOT_FOUND: [404, "BLOB_UPLOAD_UNKNOWN"] },
      upload.append(request, { at: range?.start }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.status !== 416) throw error;
    const headers = sessionHeaders(repository, upload, (await upload.size()) ?? 0);
    throw new Failure(416, error.code, error.message, { headers, cause: error });
  }
}

async function commit(upload: Upload, digest: Digest): Promise<void> {
  const meanings = { INTEGRITY: [400, "DIGEST_INVALID"], NOT_FOUND: [404, "BLOB_UPLOAD_UNKNOWN"] } as const;
  await meaning(meanings, upload.commit(digest));
}

function algorithmIn(name: string | null): DigestAlgorithm {
  if (name === null || name === "sha256" || name === "sha512") return name ?? "sha256";
  throw new Failure(400, "DIGEST_INVALID", `digest-algorithm ${JSON.stringify(name)} is neither sha256 nor sha512`);
}

/** `Range: 0-0` says both nothing and one byte, as registry:2, distribution v3 and zot do: the format has no other way. */
function sessionHeaders({ path }: Repository, { id }: Upload, size: number): OutgoingHttpHeaders {
  return {
    location: `/v2/${path}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, size - 1)}`,
    "docker-upload-uuid": id,
  };
}

function blobCreated(exchange: Exchange, { path }: Repository, digest: Digest): void {
  reply(exchange, 201, { location: `/v2/${path}/blobs/${digest}`, "docker-content-digest": digest });
}
