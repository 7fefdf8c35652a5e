/** Manifests, indexes and blobs of the store one by one, for a copy that changes no byte. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { decodeDocument } from "../../image/document.ts";
import { digestAlgorithm, isDigest } from "../../reference/digest.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { BlobRequest, Content, PushResult, StoredDocument } from "../registry.ts";
import { checkSize, findEntry, notFound } from "./images.ts";
import type { Entry } from "./index-file.ts";
import { held, receive } from "./push.ts";
import type { Store } from "./store.ts";

export function localContent(store: Store): Content {
  async function entryOf(reference: PlacedReference): Promise<Entry | undefined> {
    const repository = store.repository(reference.path);
    const index = await repository.index();
    return index === undefined ? undefined : findEntry(repository, index, reference);
  }

  async function document(reference: PlacedReference): Promise<StoredDocument> {
    const repository = store.repository(reference.path);
    const entry = await entryOf(reference);
    if (entry === undefined) throw notFound(reference, await repository.index());
    const stored = await repository.manifest(entry.digest);
    if (stored === undefined) {
      throw new SregistryError("INTEGRITY", `the manifest ${entry.digest} of ${reference.path} is missing or damaged`, {
        hint: "sregistry serve --check",
      });
    }
    const { bytes, digest, mediaType } = stored;
    return { bytes, digest, mediaType, document: decodeDocument(bytes, mediaType) };
  }

  return {
    origin: "local://",
    digestOf: async (reference) => (await entryOf(reference))?.digest,
    document,
    async readBlob({ path }, { digest, size }, { start, end }) {
      const repository = store.repository(path);
      const total = await checkSize(repository, digest, size);
      return { start, total, body: repository.readBlob(digest, start, Math.min(end ?? total, total)) };
    },
    hasBlob: async (path, { digest, size }) => (await store.repository(path).blobSize(digest)) === size,
    putBlob: (request, call) => putBlob(store, request, call),
    async putDocument(path, name, { bytes, digest, mediaType }) {
      const tags = isDigest(name) ? [] : [name];
      const put = await store.repository(path).putManifest({ bytes, contentType: mediaType, digest, tags });
      if (put.kind === "stored") return;
      throw new SregistryError("CONFLICT", `${path} lost ${put.blobs.join(", ")} while it was copied to`, {
        hint: "somebody may delete there: copy it again",
      });
    },
    async referrersOf(path, digest) {
      const found = await store.repository(path).referrers(digest);
      return found.flatMap(({ digest: one }) => (typeof one === "string" && isDigest(one) ? [one] : []));
    },
  };
}

async function putBlob(store: Store, request: BlobRequest, call: Call): Promise<PushResult["transfer"]> {
  const { path, digest, source, title } = request;
  await store.prepare();
  const repository = store.repository(path);
  const there = await held(store, repository, digest, source.size);
  if (there !== undefined) return there;
  const task = call.progress.start(title, source.size);
  const upload = await repository.createUpload(digestAlgorithm(digest), true);
  try {
    await receive(upload, source, task, call);
    task.state("writing to the disk");
    await upload.commit(digest);
    await source.unchanged();
    task.done();
    return "uploaded";
  } catch (error) {
    task.fail();
    throw error;
  } finally {
    await upload.abort();
  }
}
