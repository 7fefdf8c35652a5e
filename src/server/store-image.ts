/** A file that came in by another protocol than OCI's, as an image of the store: with the manifest of a local push. */

import { isCode } from "../errors.ts";
import { sifArtifact } from "../image/artifact.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
import type { Digest } from "../reference/digest.ts";
import type { Tag } from "../reference/reference.ts";
import type { Store } from "../registry/local/index.ts";
import { putBytes } from "../registry/local/push.ts";
import type { Repository } from "../registry/local/repository.ts";
import type { Upload } from "../registry/local/upload.ts";
import { fileReader } from "../transfer/file-source.ts";
import { Failure } from "./failure.ts";

export interface ReceivedImage {
  /** Of the file's bytes, which are a blob of the repository by now. */
  readonly digest: Digest;
  /** A file's base name; clients save an image under it. */
  readonly title: string;
  /** Empty: the image is known by digest alone. */
  readonly tags: readonly Tag[];
  readonly description?: string;
}

/**
 * The upload's bytes as a blob of the repository, whichever it was begun in; those that another one has are shared.
 * The upload is left to be aborted.
 */
export async function placeUpload(store: Store, repository: Repository, upload: Upload): Promise<Digest> {
  const digest = await upload.digest("sha256");
  const size = await upload.size();
  const own = await repository.blobSize(digest);
  if (own === size) return digest;
  const holder = own === undefined ? await store.holder(digest) : undefined;
  const shared = holder !== undefined && (await holder.blobSize(digest)) === size;
  if (!shared || !(await repository.mount(digest, holder))) await upload.commit(digest, repository.layout);
  return digest;
}

/**
 * @returns the manifest's digest. The same file under the same title always has the same one.
 * @throws Failure 409 when the bytes were deleted meanwhile.
 */
export async function storeImage(repository: Repository, image: ReceivedImage): Promise<Digest> {
  const { digest, title, tags, description } = image;
  const size = await repository.blobSize(digest);
  if (size === undefined) throw deleted(digest);
  const metadata = await metadataOfBlob(repository, digest);
  const artifact = sifArtifact({ title, digest, size, metadata, description, plain: false });
  await putBytes(repository, artifact.config);
  const put = await repository.putManifest({ bytes: artifact.manifest, contentType: undefined, tags });
  if (put.kind === "missing") throw deleted(put.blobs.join(", "));
  return put.digest;
}

/** Undefined for what is no SIF, or no whole one: the servers of these protocols take any bytes. */
async function metadataOfBlob(repository: Repository, digest: Digest): Promise<ImageMetadata | undefined> {
  await using reader = await fileReader(repository.layout.blob(digest));
  try {
    return await readImageMetadata(reader);
  } catch (error) {
    if (isCode(error, "IMAGE_INVALID")) return undefined;
    throw error;
  }
}

function deleted(what: string): Failure {
  return new Failure(409, "MANIFEST_BLOB_UNKNOWN", `${what} was deleted while it was pushed: push the image again`);
}
