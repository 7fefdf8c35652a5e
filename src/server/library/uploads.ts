/** Bytes of images: announced with a token, sent to a URL of their own, completed with a token (library API 2.0). */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { count, type Decoder, field, list, object, optional, string } from "../../decode.ts";
import type { Digest } from "../../reference/digest.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { collectionOf, containerOf, repositoriesByCollection } from "../collections.ts";
import { baseUrl, type Exchange, reply, replyJson } from "../exchange.ts";
import { Failure, meaning } from "../failure.ts";
import type { Parameters, Route } from "../router.ts";
import { storeImage } from "../store-image.ts";
import { jsonBody } from "./body.ts";
import { type ImageKey, imageOfId } from "./ids.ts";
import { imagesOf } from "./images.ts";
import { type MultipartUpload, type Target, wrongBytes } from "./sessions.ts";

const FILE = "/v2/imagefile/{id}";
const UPLOAD = "/v2/imagefile/_upload/{secret}";

export const uploadRoutes: readonly Route[] = [
  // The URL is the permission.
  { method: "PUT", path: UPLOAD, open: true, handle: receive },
  { method: "POST", path: FILE, handle: announce },
  { method: "PUT", path: `${FILE}/_complete`, handle: complete },
  { method: "POST", path: `${FILE}/_multipart`, handle: beginMultipart },
  { method: "PUT", path: `${FILE}/_multipart`, handle: announcePart },
  { method: "PUT", path: `${FILE}/_multipart_complete`, handle: completeMultipart },
  { method: "PUT", path: `${FILE}/_multipart_abort`, handle: abortMultipart },
  { method: "POST", path: "/v1/imagefile/{id}", handle: receiveWhole },
];

/** The image that an id names, when the client may push it. The collection becomes the user's when bytes are announced. */
async function imageToPush(
  { store, access, identity }: Exchange,
  parameters: Parameters,
): Promise<{ readonly image: ImageKey; readonly repository: Repository }> {
  const image = imageOfId(parameters["id"] ?? "");
  await access.requireChange(image.path, identity);
  await store.prepare();
  return { image, repository: store.repository(image.path) };
}

const announced: Decoder<{ readonly size: number; readonly sha256: string | undefined }> = (value, where) => {
  const json = object(value, where);
  const sha256 = field(json, "sha256sum", optional(string), where) || undefined;
  return { size: field(json, "filesize", count, where), sha256 };
};

async function announce(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const { size, sha256 } = await jsonBody(exchange, announced);
  if (sha256 !== undefined && `sha256:${sha256}` !== image.digest) {
    throw wrongBytes(`the file's sha256sum ${sha256} is not the image's, which is ${image.digest}`);
  }
  await exchange.access.requireWrite(image.path, exchange.identity);
  replyJson(exchange, {
    data: { uploadURL: await uploadUrl(exchange, { kind: "whole", repository, size, ...image }) },
  });
}

async function uploadUrl(exchange: Exchange, target: Target): Promise<string> {
  const { access, identity, uploads } = exchange;
  const user = identity.user === undefined ? undefined : await access.users.byName(identity.user);
  return baseUrl(exchange) + UPLOAD.replace("{secret}", uploads.grant(target, user));
}

/** The answer's ETag is the MD5 in quotes, as object stores have it. */
async function receive(exchange: Exchange, parameters: Parameters): Promise<void> {
  const target = await exchange.uploads.granted(parameters["secret"] ?? "", exchange.access.users);
  if (target === undefined) throw new Failure(404, "BLOB_UPLOAD_UNKNOWN", "this upload URL is not known, or over");
  const size = target.kind === "part" ? target.part.size : target.size;
  requireLength(exchange, size);
  const etag =
    target.kind === "part"
      ? await meaning(WRONG, target.upload.receive(target.part, exchange.request))
      : await receiveBlob(target.repository, target.digest, size, exchange.request);
  reply(exchange, 200, { etag });
}

const WRONG = { INTEGRITY: [422, "DIGEST_INVALID"], NOT_FOUND: [404, "BLOB_UPLOAD_UNKNOWN"] } as const;

function requireLength({ request }: Exchange, size: number): void {
  const given = request.headers["content-length"];
  if (given === undefined || Number(given) === size) return;
  throw wrongBytes(`${size} bytes were announced, and Content-Length is ${given}`);
}

/** @throws Failure 422 for other bytes. */
async function receiveBlob(repository: Repository, digest: Digest, size: number, body: Readable): Promise<string> {
  const md5 = createHash("md5");
  const upload = await repository.createUpload("sha256", true);
  try {
    await upload.append(Readable.from(counted(body, size, md5), { objectMode: false }));
    await meaning(WRONG, upload.commit(digest));
  } finally {
    await upload.abort();
  }
  return `"${md5.digest("hex")}"`;
}

async function* counted(
  body: Readable,
  size: number,
  md5: { update(chunk: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    done += chunk.length;
    if (done > size) throw wrongBytes(`${size} bytes were announced, and more came`);
    md5.update(chunk);
    yield chunk;
  }
  if (done < size) throw wrongBytes(`${size} bytes were announced, and ${done} came`);
}

async function complete(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  await finish(exchange, repository, image);
}

/** Enters the image, by its hash: tags come after. */
async function finish(
  exchange: Exchange,
  repository: Repository,
  { path, digest, description }: ImageKey,
): Promise<void> {
  if ((await repository.blobSize(digest)) === undefined) {
    throw new Failure(404, "BLOB_UPLOAD_UNKNOWN", `the bytes of ${digest} have not come: send them first`);
  }
  await exchange.access.requireWrite(path, exchange.identity);
  const title = `${containerOf(path)}.sif`;
  await storeImage(repository, { digest, title, tags: [], ...(description ? { description } : {}) });
  exchange.uploads.complete(repository, digest);
  const quotaUsage = await bytesIn(exchange, collectionOf(path));
  // No containerUrl: that is a page for people, and this server has none.
  replyJson(exchange, { data: { quota: { quotaTotal: 0, quotaUsage } } });
}

/** Of all images of a collection, each once. */
async function bytesIn({ store }: Exchange, collection: string): Promise<number> {
  const sizes = new Map<Digest, number>();
  for (const repository of (await repositoriesByCollection(store)).get(collection) ?? []) {
    for (const { digest, size } of await imagesOf(repository)) sizes.set(digest, size);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** The API before 2.0: the file in one request, with the token. */
async function receiveWhole(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const size = Number(exchange.request.headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw new Failure(411, "SIZE_INVALID", "Content-Length is missing");
  await receiveBlob(repository, image.digest, size, exchange.request);
  await finish(exchange, repository, image);
}

async function beginMultipart(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const { size } = await jsonBody(exchange, announced);
  if (size === 0) throw new Failure(400, "SIZE_INVALID", "an image of no bytes has no parts");
  await exchange.access.requireWrite(image.path, exchange.identity);
  const { id, totalParts, partSize } = await exchange.uploads.begin(repository, image.digest, size);
  replyJson(exchange, { data: { uploadID: id, totalParts, partSize, options: {} } });
}

const partWanted: Decoder<{ uploadID: string; size: number; number: number; sha256: string | undefined }> = (
  value,
  where,
) => {
  const json = object(value, where);
  return {
    uploadID: field(json, "uploadID", string, where),
    size: field(json, "partSize", count, where),
    number: field(json, "partNumber", count, where),
    sha256: field(json, "sha256sum", optional(string), where) || undefined,
  };
};

async function announcePart(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const { uploadID, ...part } = await jsonBody(exchange, partWanted);
  const upload = exchange.uploads.find(uploadID, repository, image.digest);
  const expected = upload.sizeOf(part.number);
  if (expected === undefined) throw invalid(`there is no part ${part.number} of ${upload.totalParts}`);
  if (part.size !== expected) throw invalid(`part ${part.number} has ${expected} bytes, not ${part.size}`);
  replyJson(exchange, { data: { presignedURL: await uploadUrl(exchange, { kind: "part", upload, part }) } });
}

function invalid(message: string): Failure {
  return new Failure(400, "BLOB_UPLOAD_INVALID", message);
}

const completed = (value: unknown, where: string) => {
  const json = object(value, where);
  const part = (item: unknown, at: string) => {
    const row = object(item, at);
    return { partNumber: field(row, "partNumber", count, at), token: field(row, "token", string, at) };
  };
  return {
    uploadID: field(json, "uploadID", string, where),
    parts: field(json, "completedParts", optional(list(part)), where) ?? [],
  };
};

async function completeMultipart(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const { uploadID, parts } = await jsonBody(exchange, completed);
  const upload = exchange.uploads.find(uploadID, repository, image.digest);
  try {
    await meaning(WRONG, upload.complete(parts));
  } catch (error) {
    // What is missing can still be sent; what is wrong cannot be mended.
    if (!(error instanceof Failure) || error.status !== 400) await exchange.uploads.end(upload);
    throw error;
  }
  await exchange.uploads.end(upload);
  await finish(exchange, repository, image);
}

async function abortMultipart(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, repository } = await imageToPush(exchange, parameters);
  const { uploadID } = await jsonBody(exchange, (value, where) => ({
    uploadID: field(object(value, where), "uploadID", string, where),
  }));
  const upload: MultipartUpload = exchange.uploads.find(uploadID, repository, image.digest);
  await exchange.uploads.end(upload);
  replyJson(exchange, {});
}
