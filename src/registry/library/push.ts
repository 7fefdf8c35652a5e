/** A push: what is missing is made, the bytes are sent unless they are there, every tag is set and read back. */
import { type Call, type Task, tellingWaits } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { type Digest, digestHex } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, Tag } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadSessions } from "../../transfer/upload-session.ts";
import type { PushRequest, PushResult } from "../registry.ts";
import type { LibraryApi } from "./api.ts";
import { type Completed, type ImageUpload, removeRow } from "./complete.ts";
import { digestsOf, type FileDigests } from "./digests.ts";
import { savedParts, sendParts } from "./multipart.ts";
import { findOrMake, makeOwner, makePlace, type Place, pushPath } from "./place.ts";
import { type ImageRecord, imageRecord } from "./records.ts";
import { nameRow } from "./tags.ts";
import { sendImage } from "./upload.ts";

export interface PushContext {
  readonly api: LibraryApi;
  /** Of pushes that name none; undefined: the library is asked whose the token is. */
  readonly entity: string | undefined;
  readonly sessions: UploadSessions;
  readonly retry: Partial<RetryLimits> | undefined;
  /** Bytes; what is larger goes in parts. */
  readonly multipartAbove: number;
}

interface Sent extends Completed {
  readonly image: ImageRecord;
  readonly transfer: PushResult["transfer"];
}

/** @throws SregistryError CONFLICT for a frozen tag, INTEGRITY when the file changed or a tag names something else afterwards. */
export async function push(context: PushContext, request: PushRequest, outer: Call): Promise<PushResult> {
  const { api } = context;
  const { reference, source, title } = request;
  const task = outer.progress.start(title, source.size);
  const call = tellingWaits(outer, task);
  try {
    const path = await pushPath(api, reference.path, context.entity, call);
    await requireFindable(api, request.tags, call);
    // A login that is missing is told before a large file is read.
    const owner = await makeOwner(api, path, call);
    const digests = await digestsOf(source, await likelyPartSize(context, source, call), task, call);
    requirePinned(reference, digests.sha256);
    const place = await makePlace(api, path, call, owner);
    const { image, transfer, quota, page } = await send(context, request, place, digests, task, call);
    await requireUnchanged(context, request, image, call);
    await source.learned?.(digests.sha256);
    await nameIt(context, request, place, { image, digest: digests.sha256 }, call);
    task.at(source.size, "found");
    task.done();
    return {
      reference,
      digest: digests.sha256,
      transfer,
      tags: request.tags,
      ...(quota === undefined ? {} : { quota }),
      ...(page === undefined ? {} : { page }),
    };
  } catch (error) {
    task.fail();
    throw error;
  }
}

/** Bytes; known by the kind of server before it is asked. Undefined for an image that goes as a whole. */
async function likelyPartSize({ api, multipartAbove }: PushContext, { size }: Source, call: Call) {
  if (size <= multipartAbove) return undefined;
  // Singularity Registry Server 2.1 has parts of 500 MiB, Hinkskalle and our own server of 64 MiB.
  return ((await api.version(call)) === "2.0.0-alpha.1" ? 500 : 64) * 1024 * 1024;
}

function requirePinned(reference: PlacedReference, digest: Digest): void {
  const { selector } = reference;
  if (selector.kind !== "digest" || selector.digest === digest) return;
  throw new SregistryError("INTEGRITY", `the file's digest is ${digest}, not that of ${formatReference(reference)}`, {
    hint: "push to a tag",
  });
}

/**
 * Singularity Registry Server 2.1 (API 2.0.0-alpha.1) looks for names in lower case and without a file's ending, and stores
 * them as they come: a tag of another kind could never be found again.
 * @throws SregistryError REFERENCE_INVALID.
 */
export async function requireFindable(api: LibraryApi, tags: readonly Tag[], call: Call): Promise<void> {
  const lost = tags.find((tag) => /[A-Z]|\.(?:sif|simg|img)/.test(tag));
  if (lost === undefined || (await api.version(call)) !== "2.0.0-alpha.1") return;
  throw new SregistryError("REFERENCE_INVALID", `${api.name} would not find the tag ${lost} again`, {
    hint: `push it as ${lost.toLowerCase().replaceAll(/\.(?:sif|simg|img)/g, "")}`,
  });
}

function architectureOf({ metadata }: Pick<PushRequest, "metadata">): string {
  return metadata?.architecture ?? hostArchitecture();
}

/** Nothing is tagged that is not what was read. */
async function requireUnchanged(
  { api }: PushContext,
  { source }: PushRequest,
  { id, uploaded }: ImageRecord,
  call: Call,
) {
  try {
    await source.unchanged();
  } catch (error) {
    if (uploaded !== true) await removeRow({ api, id, call });
    throw error;
  }
}

async function send(
  { api, sessions, retry, multipartAbove }: PushContext,
  request: PushRequest,
  place: Place,
  digests: FileDigests,
  task: Task,
  call: Call,
): Promise<Sent> {
  const { source } = request;
  const path = `${place.entity}/${place.collection}/${place.container}`;
  const architecture = architectureOf(request);
  const settings = { api, path, architecture, sessions, retry, multipartAbove };
  const upload: Omit<ImageUpload, "id"> = { ...settings, source, digests, task, call };
  const resumed = await goOn(upload);
  if (resumed !== undefined) return resumed;
  const { description } = request;
  const image = await imageFor(api, { architecture, description }, place, digests.sha256, call);
  if (image.uploaded === true) return { image, transfer: "present" };
  return { image, transfer: "uploaded", ...(await sendImage({ ...upload, id: image.id })) };
}

/** With the parts that an earlier process has sent; undefined when there are none, or the library forgot them. */
async function goOn(upload: Omit<ImageUpload, "id">): Promise<Sent | undefined> {
  const { api, call } = upload;
  const saved = await savedParts(upload);
  if (saved === undefined) return undefined;
  call.log.info(`going on with an interrupted upload: ${saved.done.length} of ${saved.parts} parts are at ${api.name}`);
  try {
    const done = await sendParts({ ...upload, id: saved.image }, saved);
    return { image: unfinished(saved.image, upload.digests.sha256), transfer: "resumed", ...done };
  } catch (error) {
    if (!isCode(error, "NOT_FOUND", "REFUSED", "FORBIDDEN", "CONFLICT", "SERVER_ERROR")) throw error;
    // What is still kept waits for a better moment.
    if ((await savedParts(upload)) !== undefined) throw error;
    call.log.info(`${api.name} has forgotten the interrupted upload; it begins again`);
    return undefined;
  }
}

function unfinished(id: string, digest: Digest): ImageRecord {
  return {
    id,
    digest,
    size: undefined,
    uploaded: false,
    architecture: undefined,
    created: undefined,
    tags: [],
    description: undefined,
    fingerprints: [],
    entity: undefined,
    collection: undefined,
    container: undefined,
  };
}

/** The image's record, made where it is missing. At Singularity Registry Server 2.1 the look-up itself makes a new one each time. */
export async function imageFor(
  api: LibraryApi,
  { architecture, description = "" }: { readonly architecture: string; readonly description?: string | undefined },
  { entity, collection, container, record }: Place,
  digest: Digest,
  call: Call,
): Promise<ImageRecord> {
  const hash = `sha256.${digestHex(digest)}`;
  const url = api.url(`v1/images/${entity}/${collection}/${container}:${hash}`, { arch: architecture });
  const body = { hash, description, container: record.id, uploaded: false };
  return await findOrMake(
    api,
    {
      what: `the image ${hash}`,
      find: () => api.find(url, imageRecord, call),
      make: () => api.make("POST", api.url("v1/images"), body, imageRecord, call),
    },
    call,
  );
}

/** One row has one tag at Singularity Registry Server 2.1 (API alpha.1): each further tag gets a row of its own, without bytes. */
async function nameIt(
  { api }: PushContext,
  request: PushRequest,
  place: Place,
  { image, digest }: { readonly image: ImageRecord; readonly digest: Digest },
  call: Call,
): Promise<void> {
  const architecture = architectureOf(request);
  const oneTagARow = (await api.version(call)) === "2.0.0-alpha.1";
  for (const [index, tag] of request.tags.entries()) {
    const row = index === 0 || !oneTagARow ? image : await imageFor(api, { architecture }, place, digest, call);
    await nameRow(api, place, row, { tag, digest, architecture }, call);
  }
}
