/** One PUT with the digest known before: small blobs, and registries that take no chunks. */
import { createHash } from "node:crypto";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Call, Task } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { createRetryPolicy, type RetryLimits } from "../../http/retry-policy.ts";
import type { Body } from "../../http/transport.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import { closingUrl, type OciApi, repositoryAuth, type UploadLocation, uploadLocation } from "./api.ts";
import { beginUpload, blobExists, isDigestRefusal } from "./upload.ts";

export interface KnownBlob {
  readonly api: OciApi;
  readonly path: RepoPath;
  readonly digest: Digest;
  readonly body: Body;
  /** A repository at this host that holds the blob. */
  readonly from?: RepoPath | undefined;
  readonly limits?: Partial<RetryLimits> | undefined;
  readonly call: Call;
}

/** Looks first, then mounts if the registry lets it, then sends. */
export async function putKnownBlob(blob: KnownBlob): Promise<"present" | "mounted" | "uploaded"> {
  const { api, path, digest, call } = blob;
  if (await blobExists(api, path, digest, call)) return "present";
  const retry = createRetryPolicy({
    what: `upload of ${digest} to ${api.host}/${path}`,
    signal: call.signal,
    log: call.log,
    limits: blob.limits,
  });
  for (;;) {
    const location = await mountOrBegin(blob);
    if (location === "mounted") return "mounted";
    try {
      await put(blob, location);
      return "uploaded";
    } catch (error) {
      if (isDigestRefusal(error)) {
        throw new SregistryError("INTEGRITY", `${api.host} received other bytes than ${digest}: ${error.message}`, {
          cause: error,
        });
      }
      await retry.next(error);
      // The request that failed on the way may have worked.
      if (await blobExists(api, path, digest, call)) return "uploaded";
    }
  }
}

/**
 * With `from`, a cross-repository mount; registries answer 202 when they cannot, or 4xx when they may not (Harbor), and
 * then it is asked without. Without `from` nothing is mounted: Quay fails such a request.
 */
async function mountOrBegin({ api, path, digest, from, call }: KnownBlob): Promise<UploadLocation | "mounted"> {
  if (from === undefined) return (await beginUpload(api, path, call)).location;
  const auth = repositoryAuth(path, "push", from);
  const url = api.uploadsUrl(path);
  url.search = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const response = await api.send(
    {
      method: "POST",
      url,
      accept: [201, 202, 400, 401, 403, 404, 405],
      body: { size: 0, open: () => Buffer.alloc(0) },
      auth,
    },
    call,
  );
  await discard(response);
  if (response.status === 201) return "mounted";
  if (response.status === 202) return uploadLocation(api, response, repositoryAuth(path, "push"));
  call.log.verbose(`${api.host} does not mount from ${from} (status ${response.status}); sending it`);
  return (await beginUpload(api, path, call)).location;
}

async function put({ api, digest, body, call }: KnownBlob, location: UploadLocation): Promise<void> {
  const response = await api.send(
    {
      method: "PUT",
      url: closingUrl(location.url, digest),
      accept: [200, 201, 204],
      headers: { "content-type": "application/octet-stream" },
      body,
      auth: location.auth,
      retry: "never",
    },
    call,
  );
  await discard(response);
}

/** A body out of a source that tells how far it is. */
export function sourceBody(source: Source, task: Task): Body {
  return { size: source.size, open: () => told(source.open(0), task) };
}

function told(body: Readable, task: Task): Readable {
  let offset = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      offset += chunk.length;
      task.at(offset);
      done(null, chunk);
    },
  });
  pipeline(body, counter).catch((error: Error) => counter.destroy(error));
  return counter;
}

export async function digestOfSource(source: Source, call: Call): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of source.open(0)) {
    call.signal.throwIfAborted();
    hash.update(chunk);
  }
  return finishDigest(hash);
}
