/** A SIF into the store: read once, hashed on its way to the disk, named last. */

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Call, Task } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { sifArtifact } from "../../image/artifact.ts";
import { type Digest, digestOf, finishDigest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import type { PushRequest, PushResult } from "../registry.ts";
import type { Repository } from "./repository.ts";
import type { Store } from "./store.ts";
import type { Upload } from "./upload.ts";

type Arrival = { readonly digest: Digest; readonly transfer: "uploaded" | "present" | "mounted" };

/** A concurrent delete may take a blob between its arrival and the manifest; then it is sent again. */
const TRIES = 3;

export async function pushImage(store: Store, request: PushRequest, call: Call): Promise<PushResult> {
  const { reference, tags, source, title, metadata, description, plainManifest } = request;
  await store.prepare();
  const repository = store.repository(reference.path);
  const task = call.progress.start(title, source.size);
  try {
    for (let left = TRIES; left > 0; left -= 1) {
      const { digest, transfer } = await arrive(store, repository, request, task, call);
      await source.unchanged();
      await source.learned?.(digest);
      const artifact = sifArtifact({ title, digest, size: source.size, metadata, description, plain: plainManifest });
      requirePinned(reference, [digest, artifact.manifestDigest]);
      await putBytes(repository, artifact.config);
      const put = await repository.putManifest({ bytes: artifact.manifest, contentType: undefined, tags });
      if (put.kind === "missing") continue;
      task.done();
      return { reference, digest, manifest: put.digest, transfer, tags };
    }
    throw new SregistryError("CONFLICT", `blobs of ${reference.path} were deleted while it was pushed, ${TRIES} times`);
  } catch (error) {
    task.fail();
    throw error;
  }
}

/** An image is found by its own digest and by its manifest's: a push to another one would be no push of that image. */
function requirePinned(reference: PlacedReference, digests: readonly Digest[]): void {
  const { selector } = reference;
  if (selector.kind !== "digest" || digests.includes(selector.digest)) return;
  throw new SregistryError(
    "INTEGRITY",
    `the file's digest is ${digests[0]}, not that of ${formatReference(reference)}`,
    {
      hint: "push to a tag",
    },
  );
}

/** The SIF's bytes as a blob of the repository. */
async function arrive(
  store: Store,
  repository: Repository,
  request: PushRequest,
  task: Task,
  call: Call,
): Promise<Arrival> {
  const known = request.digest ?? (await request.source.known?.());
  if (known !== undefined) {
    const there = await held(store, repository, known, request.source.size);
    if (there !== undefined) return { digest: known, transfer: there };
  } else if (await sizeIsKnown(repository, request.source)) {
    task.state("comparing");
    const digest = await hashSource(request.source, task, call);
    if ((await repository.blobSize(digest)) === request.source.size) return { digest, transfer: "present" };
  }
  const upload = await repository.createUpload("sha256", true);
  try {
    await receive(upload, request.source, task, call);
    const digest = await upload.digest("sha256");
    if ((await upload.size()) !== request.source.size) await request.source.unchanged();
    if (request.digest !== undefined && request.digest !== digest) throw otherBytes(request.digest, digest);
    const there = await held(store, repository, digest, request.source.size);
    if (there !== undefined) return { digest, transfer: there };
    task.state("writing to the disk");
    await upload.commit(digest);
    return { digest, transfer: "uploaded" };
  } finally {
    await upload.abort();
  }
}

/** A blob that this repository has, or takes from another of the store; undefined when nobody has it whole. */
export async function held(
  store: Store,
  repository: Repository,
  digest: Digest,
  size: number,
): Promise<"present" | "mounted" | undefined> {
  const holder = (await repository.blobSize(digest)) === undefined ? await store.holder(digest) : repository;
  if (holder === undefined || (await holder.blobSize(digest)) !== size) return undefined;
  if (holder === repository) return "present";
  return (await repository.mount(digest, holder)) ? "mounted" : undefined;
}

function otherBytes(promised: Digest, found: Digest): SregistryError {
  return new SregistryError("INTEGRITY", `what came has the digest ${found}, not ${promised}; nothing was tagged`);
}

export async function receive(upload: Upload, source: Source, task: Task, call: Call): Promise<void> {
  const body = source.open(0);
  const stop = (): void => void body.destroy();
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    call.signal.throwIfAborted();
    await upload.append(body, { progress: (offset) => task.at(offset) });
  } catch (error) {
    call.signal.throwIfAborted();
    throw error;
  } finally {
    call.signal.removeEventListener("abort", stop);
    body.destroy();
  }
}

/** Manifests, newest first, that are asked for the size of their image. */
const ASKED = 200;

/** An image of this size in the repository most likely is this one: then the file is read, but not written. */
async function sizeIsKnown(repository: Repository, source: Source): Promise<boolean> {
  const entries = [...((await repository.index())?.manifests.values() ?? [])].slice(-ASKED);
  for (const entry of entries.reverse()) {
    const document = await repository.document(entry);
    if (document?.kind === "manifest" && document.layers.some(({ size }) => size === source.size)) return true;
  }
  return false;
}

async function hashSource(source: Source, task: Task, call: Call): Promise<Digest> {
  const hash = createHash("sha256");
  let offset = 0;
  for await (const chunk of source.open(0)) {
    call.signal.throwIfAborted();
    hash.update(chunk);
    offset += chunk.length;
    task.at(offset);
  }
  return finishDigest(hash);
}

/** A small blob: the config. */
export async function putBytes(repository: Repository, bytes: Uint8Array): Promise<void> {
  const digest = digestOf(bytes);
  if ((await repository.blobSize(digest)) === bytes.length) return;
  const upload = await repository.createUpload("sha256", true);
  try {
    await upload.append(Readable.from([bytes]));
    await upload.commit(digest);
  } finally {
    await upload.abort();
  }
}
