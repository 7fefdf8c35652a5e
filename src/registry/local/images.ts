/** References -> SIFs of the store: by tag, by manifest digest, by the digest of the SIF itself, by architecture. */
import { readFile } from "node:fs/promises";
import { SregistryError } from "../../errors.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { sifLayer } from "../../image/artifact.ts";
import { configMetadata } from "../../image/config.ts";
import { type Descriptor, type Document, LARGEST_DOCUMENT, type Manifest } from "../../image/document.ts";
import { HEADER_SIZE, hasSifMagic, notSif } from "../../image/header.ts";
import type { ImageMetadata } from "../../image/metadata.ts";
import { chooseByArchitecture } from "../../image/platform.ts";
import type { Digest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { ImageInfo, ResolveOptions } from "../registry.ts";
import { fileStat, ifPresent } from "./files.ts";
import type { Entry, RepositoryIndex } from "./index-file.ts";
import type { Repository } from "./repository.ts";

export interface Found {
  readonly entry: Pick<Entry, "digest" | "mediaType">;
  readonly manifest: Manifest;
}

/** @throws SregistryError NOT_FOUND, and INTEGRITY for a manifest that a check would report. */
export async function findImage(
  repository: Repository,
  reference: PlacedReference,
  { architecture }: ResolveOptions,
): Promise<Found> {
  const index = await repository.index();
  const entry = index === undefined ? undefined : await findEntry(repository, index, reference);
  if (entry === undefined) throw notFound(reference, index);
  const document = await readDocument(repository, entry);
  if (document.kind === "manifest") return { entry, manifest: document };
  const chosen = chooseByArchitecture(document, architecture, hostArchitecture());
  const manifest = await readDocument(repository, chosen);
  if (manifest.kind === "manifest") return { entry: chosen, manifest };
  throw new SregistryError("IMAGE_INVALID", `${formatReference(reference)} is an index of indexes`);
}

/** The entry that a reference names: a tag's, a manifest's, or that of the manifest with this SIF. */
export async function findEntry(
  repository: Repository,
  index: RepositoryIndex,
  { selector }: Pick<PlacedReference, "selector">,
): Promise<Entry | undefined> {
  if (selector.kind === "tag") return index.tags.get(selector.tag);
  if (selector.kind === "version") return undefined;
  return index.manifests.get(selector.digest) ?? (await entryOfLayer(repository, index, selector.digest));
}

async function entryOfLayer(
  repository: Repository,
  index: RepositoryIndex,
  digest: Digest,
): Promise<Entry | undefined> {
  if ((await repository.blobSize(digest)) === undefined) return undefined;
  for (const entry of index.manifests.values()) {
    const document = await repository.document(entry);
    if (document?.kind === "manifest" && document.layers.some((layer) => layer.digest === digest)) return entry;
  }
  return undefined;
}

async function readDocument(repository: Repository, entry: Pick<Entry, "digest" | "mediaType">): Promise<Document> {
  const document = await repository.document(entry);
  if (document !== undefined) return document;
  throw new SregistryError("INTEGRITY", `the manifest ${entry.digest} of ${repository.path} is missing or damaged`, {
    hint: "sregistry serve --check",
  });
}

export async function imageInfo(
  repository: Repository,
  reference: PlacedReference,
  { entry, manifest }: Found,
): Promise<ImageInfo> {
  const { layer, certain } = sifLayer(manifest);
  if (!certain) await requireMagic(repository, reference, layer);
  const created = manifest.annotations["org.opencontainers.image.created"];
  return {
    reference,
    size: layer.size,
    digest: layer.digest,
    manifest: entry.digest,
    architecture: (await metadataOf(repository, manifest))?.architecture,
    mediaType: layer.mediaType,
    ...(created === undefined ? {} : { created }),
    annotations: manifest.annotations,
  };
}

async function requireMagic(
  repository: Repository,
  reference: PlacedReference,
  { digest, size }: Descriptor,
): Promise<void> {
  const total = await checkSize(repository, digest, size);
  const chunks: Buffer[] = [];
  for await (const chunk of repository.readBlob(digest, 0, Math.min(HEADER_SIZE, total))) chunks.push(chunk);
  const head = Buffer.concat(chunks);
  if (!hasSifMagic(head)) throw notSif(head, formatReference(reference));
}

/** What the push left in the config blob; undefined for another client's push. */
export async function metadataOf(repository: Repository, manifest: Manifest): Promise<ImageMetadata | undefined> {
  const path = repository.layout.blob(manifest.config.digest);
  const size = (await fileStat(path))?.size;
  if (size === undefined || size > LARGEST_DOCUMENT) return undefined;
  const bytes = await ifPresent(readFile(path));
  return bytes === undefined ? undefined : configMetadata(bytes);
}

/** @throws SregistryError INTEGRITY when the store lost the bytes or some of them. */
export async function checkSize(repository: Repository, digest: Digest, size: number | undefined): Promise<number> {
  const found = await repository.blobSize(digest);
  if (found !== undefined && (size === undefined || found === size)) return found;
  const words = found === undefined ? "is missing" : `has ${found} bytes instead of ${size}`;
  throw new SregistryError("INTEGRITY", `blob ${digest} of ${repository.path} ${words}`, {
    hint: "sregistry serve --check, then push the image again",
  });
}

export function notFound(reference: PlacedReference, index: RepositoryIndex | undefined): SregistryError {
  const words = index === undefined ? "there is no such repository" : "it has no such tag or digest";
  return new SregistryError("NOT_FOUND", `${formatReference(reference)} is not in the local store: ${words}`, {
    hint:
      index === undefined
        ? `sregistry list local:// shows what is; at another registry it has a host: ${formatReference(reference).replace("local://", "oras://HOST/")}`
        : `sregistry list local://${reference.path}`,
  });
}
