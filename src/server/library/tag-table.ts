/** Which tag is which image, by architecture; and tags set and taken one architecture at a time. */
import { join } from "node:path";
import { type Document, MEDIA_TYPES } from "../../image/document.ts";
import { imageEntries } from "../../image/platform.ts";
import type { Digest } from "../../reference/digest.ts";
import type { Tag } from "../../reference/reference.ts";
import { requireThawed } from "../../registry/local/frozen.ts";
import type { Entry } from "../../registry/local/index-file.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { withLock } from "../../transfer/lock.ts";
import { imageFacts } from "./facts.ts";
import { type ImageEntry, imagesOf } from "./images.ts";

/** Architecture -> tag -> digest of the image's bytes. The architecture is "" where it is not known. */
export type TagTable = ReadonlyMap<string, ReadonlyMap<Tag, Digest>>;

export async function tagTable(repository: Repository): Promise<TagTable> {
  const table = new Map<string, Map<Tag, Digest>>();
  const images = await imagesOf(repository);
  const imageOf = new Map(images.flatMap(({ digest, manifests }) => manifests.map((one) => [one, digest] as const)));
  for (const [tag, entry] of (await repository.index())?.tags ?? []) {
    for (const { architecture, manifest } of await members(repository, entry)) {
      const digest = imageOf.get(manifest);
      if (digest === undefined) continue;
      const tags = table.get(architecture) ?? new Map<Tag, Digest>();
      table.set(architecture, tags.set(tag, digest));
    }
  }
  return table;
}

export interface Member {
  readonly architecture: string;
  readonly manifest: Digest;
}

/** The images behind a tag: one, or one for each architecture. */
export async function members(repository: Repository, entry: Entry): Promise<readonly Member[]> {
  const document = await repository.document(entry);
  if (document === undefined) return [];
  if (document.kind === "index") {
    return imageEntries(document).map(({ platform, digest }) => ({
      architecture: platform?.architecture ?? "",
      manifest: digest,
    }));
  }
  return [{ architecture: await architectureOf(repository, document), manifest: entry.digest }];
}

async function architectureOf(repository: Repository, document: Document): Promise<string> {
  const [layer] = document.kind === "manifest" && document.layers.length === 1 ? document.layers : [];
  if (layer === undefined || (await repository.blobSize(layer.digest)) === undefined) return "";
  return (await imageFacts(repository, layer.digest)).architecture ?? "";
}

/**
 * Points the tag at the image. Images of other architectures stay under it: they become, or are, an index together. One of
 * the same architecture, or of none that is known, is replaced; it stays by its hash.
 * @throws SregistryError CONFLICT for a frozen tag.
 */
export async function setTag(repository: Repository, tag: Tag, image: ImageEntry, architecture: string): Promise<void> {
  await alone(repository, async () => {
    const before = (await repository.index())?.tags.get(tag);
    const there = before === undefined ? [] : await members(repository, before);
    const same = there.find((one) => one.architecture === architecture && image.manifests.includes(one.manifest));
    const manifest = same?.manifest ?? image.manifests.at(-1);
    if (manifest === undefined) return;
    const others = there.filter((one) => ![architecture, ""].includes(one.architecture));
    await point(
      repository,
      tag,
      architecture === "" ? [{ architecture, manifest }] : [...others, { architecture, manifest }],
    );
    if (before !== undefined) await dropIndex(repository, before);
  });
}

/**
 * Takes the manifests from under the tags, and away where nothing names them any more, with their blobs.
 * @throws SregistryError CONFLICT when one of the tags is frozen: then all stay.
 */
export async function removeImage(
  repository: Repository,
  manifests: readonly Digest[],
  tags: readonly Tag[],
): Promise<void> {
  await alone(repository, async () => {
    const index = await repository.index();
    if (index !== undefined) requireThawed(repository.path, index, tags, undefined);
    for (const tag of tags) {
      const before = (await repository.index())?.tags.get(tag);
      if (before === undefined) continue;
      const rest = (await members(repository, before)).filter(({ manifest }) => !manifests.includes(manifest));
      if (rest.length > 0) await point(repository, tag, rest);
      else await repository.deleteTag(tag);
      await dropIndex(repository, before);
    }
    for (const manifest of manifests) await dropUnnamed(repository, manifest);
  });
}

async function point(repository: Repository, tag: Tag, images: readonly Member[]): Promise<void> {
  const [only] = images;
  if (only !== undefined && images.length === 1) return await repository.tag(only.manifest, [tag]);
  const index = await repository.index();
  const manifests = [...images]
    .sort((a, b) => (a.architecture < b.architecture ? -1 : 1))
    .flatMap(({ architecture, manifest }) => {
      const entry = index?.manifests.get(manifest);
      if (entry === undefined) return [];
      const { mediaType, digest, size } = entry;
      return [{ mediaType, digest, size, platform: { architecture, os: "linux" } }];
    });
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  await repository.putManifest({ bytes, contentType: undefined, tags: [tag] });
}

/** An index that lost its tag says nothing that its images do not. */
async function dropIndex(repository: Repository, entry: Entry): Promise<void> {
  if ((await repository.document(entry))?.kind === "index") await dropUnnamed(repository, entry.digest);
}

async function dropUnnamed(repository: Repository, digest: Digest): Promise<void> {
  const index = await repository.index();
  for (const entry of index?.entries ?? []) {
    if (entry.digest === digest && entry.tag !== undefined) return;
    const document = await repository.document(entry);
    if (document?.kind === "index" && document.manifests.some((one) => one.digest === digest)) return;
  }
  await repository.deleteManifest(digest, { unused: true });
}

/** Two pushes of different architectures would each overwrite the other's index. */
async function alone(repository: Repository, work: () => Promise<void>): Promise<void> {
  await withLock(join(repository.layout.directory, ".lock.tags"), work);
}
