/**
 * A push by signatures: one upload a tag, as a row has one tag. The server promises nothing by its answer, so what it stored is
 * looked up afterwards; and what it has already is not sent, since the same bytes again break the image (sregistry 2.1).
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, type Task, tellingWaits } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { abortError } from "../../http/network-error.ts";
import { createRetryPolicy, isTransient } from "../../http/retry-policy.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import { parseTag } from "../../reference/name.ts";
import { uriOf, versionOf } from "../../reference/sregistry.ts";
import { readSource } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";
import type { PushRequest, PushResult, Registry } from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { frozenTag } from "./frozen.ts";
import { asStored, type ImageName, shubName, storedName } from "./names.ts";
import { findRows } from "./rows.ts";
import { announce, upload } from "./upload.ts";

export interface PushContext {
  readonly api: SregistryApi;
  /** Sees private images, of which a search may not tell. */
  readonly shub: Registry;
  /** Milliseconds between the looks at what was stored: the version is an md5 until a worker got to it. */
  readonly waits: readonly number[];
}

interface Content {
  readonly digest: Digest;
  /** 32 hex digits. */
  readonly md5: string;
}

/** @throws SregistryError CONFLICT for a frozen tag, FORBIDDEN, INTEGRITY for a file that changes meanwhile. */
export async function push(context: PushContext, request: PushRequest, outer: Call): Promise<PushResult> {
  const { reference, source, title } = request;
  const images = request.tags.map((tag) => storedName(reference.path, tag, outer.log));
  if (images.length === 0) {
    throw new SregistryError("UNSUPPORTED", `${context.api.name} stores images by tag only`, {
      hint: "name a tag: collection/name:tag",
    });
  }
  const task = outer.progress.start(title, source.size);
  const call = tellingWaits(outer, task);
  try {
    const content = await hash(source, task, call.signal);
    await source.unchanged();
    let uploaded = 0;
    for (const image of images) if (await pushOne(context, request, image, content, task, call)) uploaded += 1;
    task.done();
    const tags = images.map(({ tag }) => parseTag(tag));
    return { reference, tags, digest: content.digest, transfer: uploaded > 0 ? "uploaded" : "present" };
  } catch (error) {
    task.fail();
    throw error;
  }
}

async function hash(source: Source, task: Task, signal: AbortSignal): Promise<Content> {
  task.state("hashing");
  const [sha256, md5] = [createHash("sha256"), createHash("md5")];
  for await (const chunk of readSource(source, 0, source.size, signal)) {
    sha256.update(chunk);
    md5.update(chunk);
  }
  return { digest: finishDigest(sha256), md5: md5.digest("hex") };
}

/** @returns false when the server has these bytes under this tag. */
async function pushOne(
  context: PushContext,
  request: PushRequest,
  image: ImageName,
  content: Content,
  task: Task,
  call: Call,
): Promise<boolean> {
  const { api } = context;
  const { source } = request;
  const [row] = await findRows(api, image, image.tag, call);
  if (row !== undefined && isOf(row.version, content)) {
    call.log.verbose(`${api.name} has ${uriOf(image)} with these very bytes: nothing is sent`);
    return false;
  }
  if (row?.frozen === true) throw frozenTag(api, image, row.version);
  const cid = await announce(api, image, call);
  const policy = createRetryPolicy({
    what: `POST /upload of ${uriOf(image)}`,
    signal: call.signal,
    log: call.log,
    limits: api.retry,
    waiting: call.waiting,
  });
  for (;;) {
    try {
      await upload(api, image, cid, source, (offset) => task.at(offset), call);
      break;
    } catch (error) {
      if (!isTransient(error)) throw error;
      // The answer was lost, and perhaps nothing else.
      if (isOf(await storedVersion(context, request, image, call), content)) break;
      await policy.next(error);
    }
  }
  await source.unchanged();
  await readBack(context, request, image, content, call);
  return true;
}

function isOf(version: string | undefined, { digest, md5 }: Content): boolean {
  return version === versionOf(digest) || version?.toLowerCase() === md5;
}

/** @throws SregistryError FORBIDDEN when nothing is there, CONFLICT when it is something else. */
async function readBack(
  context: PushContext,
  request: PushRequest,
  image: ImageName,
  content: Content,
  call: Call,
): Promise<void> {
  const { name } = context.api;
  let version: string | undefined;
  for (const wait of [0, ...context.waits]) {
    await pause(wait, call.signal);
    version = await storedVersion(context, request, image, call).catch((error: unknown) => {
      throw unverified(image, error);
    });
    if (isOf(version, content)) return;
  }
  if (version === undefined) {
    throw new SregistryError("FORBIDDEN", `${name} said "Upload Complete" for ${uriOf(image)} and stored nothing`, {
      hint: "a superuser who does not own the collection may push and keeps nothing: push as the owner",
    });
  }
  throw new SregistryError(
    "CONFLICT",
    `${uriOf(image)} at ${name} is ${version} after the push, not ${versionOf(content.digest)}`,
    { hint: "somebody else may have pushed meanwhile, or you are a superuser and the collection is another user's" },
  );
}

function unverified(image: ImageName, error: unknown): unknown {
  if (!(error instanceof SregistryError) || isCode(error, "INTERRUPTED")) return error;
  const { code, message, hint, status, retryAfter } = error;
  return new SregistryError(code, `${uriOf(image)} is uploaded and could not be read back: ${message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(status === undefined ? {} : { status }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

/** Said of a row that does not tell what it is. */
const UNVERSIONED = "without a version";

/** Undefined when there is nothing under this name. */
async function storedVersion(
  { api, shub }: PushContext,
  { reference }: PushRequest,
  image: ImageName,
  call: Call,
): Promise<string | undefined> {
  const [row] = await findRows(api, image, image.tag, call);
  if (row !== undefined) return row.version ?? UNVERSIONED;
  try {
    const named = shubName(asStored(reference), { kind: "tag", tag: parseTag(image.tag) });
    const { digest } = await shub.resolve(named, {}, call);
    return digest === undefined ? UNVERSIONED : versionOf(digest);
  } catch (error) {
    if (isCode(error, "NOT_FOUND", "UNAUTHORIZED", "FORBIDDEN")) return undefined;
    throw error;
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds === 0) return;
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // The only way this timer fails.
    throw abortError(signal);
  }
}
