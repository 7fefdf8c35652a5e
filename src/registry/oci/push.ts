/** A SIF as an artifact: its bytes, the config that carries its metadata, the manifest, a PUT a tag, and the proof. */
import { type Call, silentProgress, type Task, tellingWaits } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { type SifArtifact, sifArtifact } from "../../image/artifact.ts";
import { MEDIA_TYPES } from "../../image/document.ts";
import { digestOf } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { RepoPath } from "../../reference/reference.ts";
import { readSource } from "../../transfer/read-source.ts";
import { noUploadSessions, type UploadSessions } from "../../transfer/upload-session.ts";
import type { PushRequest, PushResult } from "../registry.ts";
import type { OciApi } from "./api.ts";
import { bytesSource, HashedSource } from "./hashed-source.ts";
import { type HostRules, ruleFor } from "./hosts.ts";
import { fetchDocument, putManifest, readBack } from "./manifests.ts";
import { type BlobResult, sendBlob } from "./upload.ts";

export interface PushContext {
  readonly api: OciApi;
  readonly hostRules: HostRules;
  readonly sessions: UploadSessions;
}

/** Bytes up to which a file is read into memory: then its digest is known before the first request. */
const SMALL = 8 * 1024 * 1024;

/** @throws SregistryError CONFLICT when a tag does not name what was pushed afterwards, and what `sendBlob` throws. */
export async function push(context: PushContext, request: PushRequest, outer: Call): Promise<PushResult> {
  const { reference, source, title, tags, metadata, description, plainManifest: plain } = request;
  const task = outer.progress.start(title, source.size);
  const call = tellingWaits(outer, task);
  try {
    const sent = await sendImage(context, request, task, call);
    await source.unchanged();
    await source.learned?.(sent.digest);
    const artifact = sifArtifact({ title, digest: sent.digest, size: source.size, metadata, description, plain });
    await nameIt(context, request, artifact, call);
    task.done();
    return { reference, tags, manifest: artifact.manifestDigest, ...sent };
  } catch (error) {
    task.fail();
    throw error;
  }
}

async function sendImage(context: PushContext, request: PushRequest, task: Task, call: Call): Promise<BlobResult> {
  const { api, hostRules, sessions } = context;
  const { source, reference, from } = request;
  const { path } = reference;
  const rule = ruleFor(api.host, hostRules);
  const digest = request.digest ?? (await source.known?.());
  if (digest !== undefined) return sendBlob({ api, path, source, rule, sessions, task, call, from, digest });
  if (source.size <= SMALL) {
    const chunks: Buffer[] = [];
    for await (const chunk of readSource(source, 0, source.size, call.signal)) chunks.push(chunk);
    return sendBytes(context, path, Buffer.concat(chunks), call, { task, from });
  }
  await using bytes = new HashedSource(source, task, call.signal, undefined);
  const hashFirst = from !== undefined || (await looksPresent(api, request, call));
  return await sendBlob({ api, path, source, bytes, rule, sessions, task, call, from, hashFirst });
}

interface BytesOptions {
  readonly task?: Task;
  readonly from?: RepoPath | undefined;
}

/** A blob that is in memory: looked for by its digest, then sent in one request. */
export async function sendBytes(
  { api, hostRules }: Pick<PushContext, "api" | "hostRules">,
  path: RepoPath,
  bytes: Uint8Array,
  call: Call,
  { task = silentProgress.start(""), from }: BytesOptions = {},
): Promise<BlobResult> {
  return sendBlob({
    api,
    path,
    source: bytesSource(bytes),
    rule: { ...ruleFor(api.host, hostRules), mode: "monolithic" },
    sessions: noUploadSessions,
    task,
    call,
    digest: digestOf(bytes),
    from,
  });
}

/**
 * A tag that is to be set holds a file of the same size: most likely the same, so its digest is worth knowing before anything
 * is sent. Whatever keeps the answer from us keeps nobody from pushing.
 */
async function looksPresent(api: OciApi, { reference, tags, source }: PushRequest, call: Call): Promise<boolean> {
  for (const tag of tags) {
    try {
      const named = { ...reference, selector: { kind: "tag", tag } } as const;
      const { document } = await fetchDocument(api, named, call, "push");
      if (document.kind === "manifest" && document.layers.some(({ size }) => size === source.size)) return true;
    } catch (error) {
      if (!isCode(error, "NOT_FOUND", "REPLY_INVALID", "INTEGRITY", "FORBIDDEN", "REFUSED")) throw error;
      call.log.debug(`nothing to compare with: ${error.message}`);
    }
  }
  return false;
}

async function nameIt(context: PushContext, request: PushRequest, artifact: SifArtifact, call: Call): Promise<void> {
  const { api } = context;
  const { path, selector } = request.reference;
  const { config, manifest: bytes, manifestDigest: digest } = artifact;
  await sendBytes(context, path, config, call);
  if (selector.kind === "digest" && selector.digest !== digest) {
    const name = formatReference(request.reference);
    throw new SregistryError("INTEGRITY", `the manifest would be ${digest}, not that of ${name}`, {
      hint: "push to a tag",
    });
  }
  const names: readonly string[] = request.tags.length === 0 ? [digest] : request.tags;
  for (const name of names) {
    await putManifest(api, path, name, { bytes, digest, mediaType: MEDIA_TYPES.manifest }, call);
    await readBack(api, path, name, digest, call);
  }
}
