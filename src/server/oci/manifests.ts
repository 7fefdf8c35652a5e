/** Manifests and indexes by tag or digest, and what refers to them. */
import type { JsonObject } from "../../decode.ts";
import { LARGEST_DOCUMENT, MEDIA_TYPES } from "../../image/document.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import type { ManifestInput } from "../../registry/local/repository.ts";
import { type Exchange, readBody, reply, replyBytes, replyJson } from "../exchange.ts";
import { Failure, meaning } from "../failure.ts";
import type { Parameters, Route } from "../router.ts";
import { absence, claim, digestIn, manifestName, tagIn, toChange, toDelete, toRead } from "./names.ts";

const MANIFEST = "/v2/{name}/manifests/{reference}";

export const manifestRoutes: readonly Route[] = [
  { method: "GET", path: MANIFEST, handle: getManifest },
  { method: "PUT", path: MANIFEST, handle: putManifest },
  { method: "DELETE", path: MANIFEST, handle: deleteManifest },
  { method: "GET", path: "/v2/{name}/referrers/{digest}", handle: getReferrers },
];

async function getManifest(exchange: Exchange, parameters: Parameters): Promise<void> {
  const name = manifestName(parameters["reference"] ?? "");
  const repository = await toRead(exchange, parameters);
  const found = await repository.manifest(name);
  if (found === undefined) throw await absence(repository, "MANIFEST_UNKNOWN", name);
  const { digest, mediaType, bytes } = found;
  const etag = `"${digest}"`;
  const headers = { "content-type": mediaType, "docker-content-digest": digest, etag };
  if (exchange.request.headers["if-none-match"] === etag) return reply(exchange, 304, headers);
  replyBytes(exchange, 200, bytes, headers);
}

async function putManifest(exchange: Exchange, parameters: Parameters): Promise<void> {
  const repository = await toChange(exchange, parameters);
  const name = manifestName(parameters["reference"] ?? "");
  const more = exchange.query.getAll("tag").map(tagIn);
  await exchange.store.prepare();
  const bytes = await readBody(exchange, LARGEST_DOCUMENT);
  const contentType = exchange.request.headers["content-type"];
  const input: ManifestInput = isDigest(name)
    ? { bytes, contentType, digest: name, tags: more }
    : { bytes, contentType, tags: [name, ...more] };
  const put = await meaning(
    { INTEGRITY: [400, "DIGEST_INVALID"], REPLY_INVALID: [400, "MANIFEST_INVALID"] },
    repository.putManifest(input),
  );
  if (put.kind === "missing") {
    const detail = put.blobs.map((digest) => ({ digest }));
    throw new Failure(400, "MANIFEST_BLOB_UNKNOWN", `${repository.path} lacks ${put.blobs.join(", ")}`, { detail });
  }
  await claim(exchange, repository);
  reply(exchange, 201, {
    location: `/v2/${repository.path}/manifests/${put.digest}`,
    "docker-content-digest": put.digest,
    ...(put.subject === undefined ? {} : { "oci-subject": put.subject }),
    ...(more.length === 0 ? {} : { "oci-tag": more }),
  });
}

/** A tag goes alone, its manifest stays by digest; a digest goes with all its tags. */
async function deleteManifest(exchange: Exchange, parameters: Parameters): Promise<void> {
  const name = manifestName(parameters["reference"] ?? "");
  const repository = await toDelete(exchange, parameters);
  const gone = isDigest(name) ? await repository.deleteManifest(name) : await repository.deleteTag(name);
  if (!gone) throw await absence(repository, "MANIFEST_UNKNOWN", name);
  reply(exchange, 202);
}

/**
 * An image index of what has the digest as its subject; empty for one that nobody ever pushed. The specification knows no 404
 * here, so that a repository which is not there, or not for who asks, has none.
 */
async function getReferrers(exchange: Exchange, parameters: Parameters): Promise<void> {
  const subject = digestIn(parameters["digest"]);
  const referrers = await referrersOf(exchange, parameters, subject);
  const wanted = exchange.query.get("artifactType");
  const manifests = wanted === null ? referrers : referrers.filter(({ artifactType }) => artifactType === wanted);
  replyJson(
    exchange,
    { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests },
    { "content-type": MEDIA_TYPES.index, ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }) },
  );
}

async function referrersOf(
  exchange: Exchange,
  parameters: Parameters,
  subject: Digest,
): Promise<readonly JsonObject[]> {
  try {
    return await (await toRead(exchange, parameters)).referrers(subject);
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return [];
    throw error;
  }
}
