/** The images of a repository as the protocol knows them: by the hash of their bytes, with the tags that lead to them. */
import { stat } from "node:fs/promises";
import { isCode } from "../../errors.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { sifLayer } from "../../image/artifact.ts";
import type { Descriptor, Document, Manifest } from "../../image/document.ts";
import { chooseByArchitecture } from "../../image/platform.ts";
import type { Digest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";
import { ifPresent } from "../../registry/local/files.ts";
import type { Entry, RepositoryIndex } from "../../registry/local/index-file.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { Failure } from "../failure.ts";
import { type ImageFacts, imageFacts } from "./facts.ts";
import type { ImageName } from "./names.ts";

export interface ImageEntry {
  /** Of the bytes. */
  readonly digest: Digest;
  readonly size: number;
  /** Manifests that hold these bytes, in the order of the index. */
  readonly manifests: readonly Digest[];
  /** Those that lead to it, themselves or by an index of several architectures. */
  readonly tags: readonly Tag[];
  readonly description: string | undefined;
}

export interface StoredImage extends ImageEntry, ImageFacts {
  readonly repository: Repository;
  /** RFC 3339: when the bytes came. */
  readonly created: string;
}

/** What is no image of one file (a container in layers, a signature) is left out. */
export async function imagesOf(repository: Repository): Promise<readonly ImageEntry[]> {
  const index = await repository.index();
  if (index === undefined) return [];
  const tags = await tagsByManifest(repository, index);
  const found = new Map<Digest, ImageEntry>();
  for (const entry of index.manifests.values()) {
    const document = await repository.document(entry);
    const layer = document?.kind === "manifest" ? layerOf(document) : undefined;
    if (document === undefined || layer === undefined) continue;
    const before = found.get(layer.digest);
    found.set(layer.digest, {
      digest: layer.digest,
      size: layer.size,
      manifests: [...(before?.manifests ?? []), entry.digest],
      tags: [...new Set([...(before?.tags ?? []), ...(tags.get(entry.digest) ?? [])])].sort(),
      description: document.annotations["org.opencontainers.image.description"] ?? before?.description,
    });
  }
  return [...found.values()];
}

async function tagsByManifest(
  repository: Repository,
  index: RepositoryIndex,
): Promise<ReadonlyMap<Digest, readonly Tag[]>> {
  const tags = new Map<Digest, Tag[]>();
  for (const [tag, entry] of index.tags) {
    const document = await repository.document(entry);
    const named = document?.kind === "index" ? document.manifests.map(({ digest }) => digest) : [];
    for (const digest of [entry.digest, ...named]) tags.set(digest, [...(tags.get(digest) ?? []), tag]);
  }
  return tags;
}

/** Undefined for an image in layers and for other artifacts. */
function layerOf(manifest: Manifest): Descriptor | undefined {
  try {
    return sifLayer(manifest).layer;
  } catch (error) {
    if (isCode(error, "UNSUPPORTED", "IMAGE_INVALID")) return undefined;
    throw error;
  }
}

/** With what its bytes say; undefined when they are gone. */
export async function withFacts(repository: Repository, entry: ImageEntry): Promise<StoredImage | undefined> {
  const file = await ifPresent(stat(repository.layout.blob(entry.digest)));
  if (file === undefined) return undefined;
  const created = file.mtime.toISOString();
  return { ...entry, ...(await imageFacts(repository, entry.digest)), repository, size: file.size, created };
}

/**
 * The image of a name. A tag of several architectures is asked for one of them; an image whose architecture is known and
 * another one is not there.
 * @throws Failure 404; 400 for a container in layers, naming its type, by which singularity knows to ask an OCI registry.
 */
export async function findImage(
  repository: Repository,
  { selector }: Pick<ImageName, "selector">,
  architecture: string | undefined,
): Promise<StoredImage> {
  const images = await imagesOf(repository);
  if ("digest" in selector) {
    const entry = images.find(({ digest }) => digest === selector.digest);
    const found = entry === undefined ? undefined : await withFacts(repository, entry);
    if (found !== undefined) return found;
    throw notFound(repository, selector.digest);
  }
  const tagged = entryOfTag(await repository.index(), selector.tag);
  const manifest = tagged === undefined ? undefined : await chosen(repository, tagged, architecture);
  if (manifest === undefined) throw notFound(repository, selector.tag);
  const entry = images.find(({ manifests }) => manifests.includes(manifest));
  if (entry === undefined) throw await noImage(repository, manifest, selector.tag);
  const found = await withFacts(repository, entry);
  if (found === undefined) throw notFound(repository, selector.tag);
  const wanted = architecture?.split("/")[0];
  if (wanted === undefined || found.architecture === undefined || found.architecture === wanted) return found;
  throw notFound(repository, `${selector.tag} for ${wanted}, only for ${found.architecture}`);
}

/** Singularity Registry Server lowers the case of whatever is asked for, so its clients may have done it. */
export function entryOfTag(index: RepositoryIndex | undefined, tag: Tag): Entry | undefined {
  const lower = tag.toLowerCase();
  return index?.tags.get(tag) ?? (isTag(lower) ? index?.tags.get(lower) : undefined);
}

async function chosen(repository: Repository, entry: Entry, architecture?: string): Promise<Digest | undefined> {
  const document = await repository.document(entry);
  if (document?.kind !== "index") return document === undefined ? undefined : entry.digest;
  return chooseByArchitecture(document, architecture, hostArchitecture()).digest;
}

async function noImage(repository: Repository, digest: Digest, tag: Tag): Promise<Failure> {
  const document = await documentOf(repository, digest);
  if (document?.kind !== "manifest") return notFound(repository, tag);
  const type = document.config.mediaType;
  return new Failure(400, "UNSUPPORTED", `${repository.path}:${tag} is no image of one file: it is of type ${type}`);
}

export async function documentOf(repository: Repository, digest: Digest): Promise<Document | undefined> {
  const entry = (await repository.index())?.manifests.get(digest);
  return entry === undefined ? undefined : await repository.document(entry);
}

export function notFound({ path }: Repository, what: string): Failure {
  return new Failure(404, "MANIFEST_UNKNOWN", `there is no image ${path}:${what.replace(/^sha256:/, "sha256.")}`);
}
