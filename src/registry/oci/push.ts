/** A SIF as an artifact: its bytes, the config that carries its metadata, the manifest, a PUT a tag, and the proof. */
import type { Call, Task } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import { type SifArtifact, sifArtifact } from "../../image/artifact.ts";
import { MEDIA_TYPES } from "../../image/document.ts";
import { digestOf } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { UploadSessions } from "../../transfer/upload-session.ts";
import type { PushRequest, PushResult } from "../registry.ts";
import type { OciApi } from "./api.ts";
import { type HostRule, type HostRules, ruleFor } from "./hosts.ts";
import { fetchDocument, putManifest, readBack } from "./manifests.ts";
import { digestOfSource, putKnownBlob, sourceBody } from "./monolithic.ts";
import { type BlobResult, refusesChunks, uploadChunked } from "./upload.ts";

export interface PushContext {
  readonly api: OciApi;
  readonly hostRules: HostRules;
  readonly sessions: UploadSessions;
  readonly limits?: Partial<RetryLimits> | undefined;
}

type Sent = Pick<PushResult, "digest" | "transfer">;

/** Bytes up to which a file is read into memory: then its digest is known before the first request. */
const SMALL = 8 * 1024 * 1024;

export async function push(context: PushContext, request: PushRequest, call: Call): Promise<PushResult> {
  const { reference, source, title, tags } = request;
  const task = call.progress.start(title, source.size);
  try {
    const sent = await sendBlob(context, request, task, call);
    await source.unchanged();
    const { metadata, description, plainManifest: plain } = request;
    const artifact = sifArtifact({ title, digest: sent.digest, size: source.size, metadata, description, plain });
    await nameIt(context, request, artifact, call);
    task.done();
    return { reference, tags, manifest: artifact.manifestDigest, ...sent };
  } catch (error) {
    task.fail();
    throw error;
  }
}

async function sendBlob(context: PushContext, request: PushRequest, task: Task, call: Call): Promise<Sent> {
  const { source } = request;
  const rule = ruleFor(context.api.host, context.hostRules);
  if (source.size <= SMALL) return sendSmall(context, request, task, call);
  if (rule.mode === "monolithic" || request.from !== undefined || (await looksPresent(context, request, call))) {
    return sendKnown(context, request, task, call);
  }
  try {
    return await sendStreamed(context, request, rule, task, call);
  } catch (error) {
    if (!refusesChunks(error)) throw error;
    call.log.verbose(`${context.api.host} takes no chunks; sending it in one request`);
    return sendKnown(context, request, task, call);
  }
}

async function sendSmall(context: PushContext, request: PushRequest, task: Task, call: Call): Promise<Sent> {
  const chunks: Buffer[] = [];
  for await (const chunk of request.source.open(0)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const digest = digestOf(bytes);
  const { api, limits } = context;
  const body = { size: bytes.length, open: () => bytes };
  const transfer = await putKnownBlob({
    api,
    path: request.reference.path,
    digest,
    body,
    from: request.from,
    limits,
    call,
  });
  task.at(bytes.length);
  return { digest, transfer };
}

/** Reads the file for its digest first: that may save sending it, and some registries want nothing else. */
async function sendKnown(context: PushContext, request: PushRequest, task: Task, call: Call): Promise<Sent> {
  const { api, limits } = context;
  const { source, reference, from } = request;
  task.state("hashing");
  call.log.verbose(`reading ${request.title} once for its digest before it is sent`);
  const digest = await digestOfSource(source, call);
  const body = sourceBody(source, task);
  const transfer = await putKnownBlob({ api, path: reference.path, digest, body, from, limits, call });
  task.at(source.size);
  return { digest, transfer };
}

function sendStreamed(
  { api, sessions, limits }: PushContext,
  { source, reference }: PushRequest,
  rule: HostRule,
  task: Task,
  call: Call,
): Promise<BlobResult> {
  return uploadChunked({ api, path: reference.path, source, rule, sessions, task, call, limits });
}

/** The name that is pushed to holds a file of the same size: most likely the same, so its digest is worth knowing first. */
async function looksPresent({ api }: PushContext, { reference, source }: PushRequest, call: Call): Promise<boolean> {
  try {
    const { document } = await fetchDocument(api, reference, call);
    return document.kind === "manifest" && document.layers.some(({ size }) => size === source.size);
  } catch (error) {
    if (isCode(error, "NOT_FOUND", "REPLY_INVALID", "INTEGRITY", "FORBIDDEN", "UNAUTHORIZED")) return false;
    throw error;
  }
}

async function nameIt(context: PushContext, request: PushRequest, artifact: SifArtifact, call: Call): Promise<void> {
  const { api, limits } = context;
  const { path, selector } = request.reference;
  const { config, configDigest, manifest: bytes, manifestDigest: digest } = artifact;
  const body = { size: config.length, open: () => config };
  await putKnownBlob({ api, path, digest: configDigest, body, limits, call });
  if (selector.kind === "digest" && selector.digest !== digest) {
    throw new SregistryError(
      "INTEGRITY",
      `the manifest would be ${digest}, not that of ${formatReference(request.reference)}`,
      {
        hint: "push to a tag",
      },
    );
  }
  const names: readonly string[] = request.tags.length === 0 ? [digest] : request.tags;
  for (const name of names) {
    await putManifest(api, path, name, { bytes, digest, mediaType: MEDIA_TYPES.manifest }, call);
    await readBack(api, path, name, digest, call);
  }
}
