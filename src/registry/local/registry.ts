/** The embedded store behind the port that every endpoint implements. */

import { SregistryError } from "../../errors.ts";
import type { Digest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, RepoPath, Tag } from "../../reference/reference.ts";
import type { BodyPart, ByteRange, DeleteResult, ImageInfo, Registry } from "../registry.ts";
import { localContent } from "./content.ts";
import { checkSize, findEntry, findImage, imageInfo, metadataOf, notFound } from "./images.ts";
import type { Entry, RepositoryIndex } from "./index-file.ts";
import { pushImage } from "./push.ts";
import type { Repository } from "./repository.ts";
import type { Store } from "./store.ts";

export interface LocalRegistry extends Registry {
  /** The read-only file with the image's bytes: to copy or clone, never to change. */
  blobPath(image: ImageInfo): Promise<string>;
}

export function createLocalRegistry(store: Store): LocalRegistry {
  const at = (reference: PlacedReference): Repository => store.repository(reference.path);

  async function blobPath({ reference, digest, size }: ImageInfo): Promise<string> {
    await checkSize(at(reference), required(digest), size);
    return at(reference).layout.blob(required(digest));
  }

  return {
    name: "the local store",
    async resolve(reference, options) {
      const repository = at(reference);
      return await imageInfo(repository, reference, await findImage(repository, reference, options));
    },
    async read(image: ImageInfo, { start, end }: ByteRange): Promise<BodyPart> {
      const digest = required(image.digest);
      const repository = at(image.reference);
      const total = await checkSize(repository, digest, image.size);
      return { start, total, body: repository.readBlob(digest, start, Math.min(end ?? total, total)) };
    },
    blobPath,
    content: localContent(store),
    can: {
      push: (request, call) => pushImage(store, request, call),
      async *repositories() {
        yield* await store.repositories();
      },
      tags: (path) => tagsOf(store, path),
      async metadata(image) {
        const { manifest } = await findImage(at(image.reference), pinnedTo(image), {});
        return await metadataOf(at(image.reference), manifest);
      },
      async tag(image, tags) {
        // What the name stands for, which may be an index of several images.
        const repository = at(image.reference);
        const index = await repository.index();
        const entry = index === undefined ? undefined : await findEntry(repository, index, image.reference);
        if (entry === undefined) throw notFound(image.reference, index);
        await repository.tag(entry.digest, tags);
      },
      async deletable(reference) {
        return (await plan(at(reference), reference)).result;
      },
      delete: (reference) => deleteImage(at(reference), reference),
    },
  };
}

/** A tag goes with its image unless that has other names; a digest goes with all its tags. */
export async function deleteImage(repository: Repository, reference: PlacedReference): Promise<DeleteResult> {
  const { entry, tagOnly, result } = await plan(repository, reference);
  const gone =
    tagOnly === undefined ? repository.deleteManifest(entry.digest, { unused: true }) : repository.deleteTag(tagOnly);
  if (!(await gone)) throw notFound(reference, await repository.index());
  return result;
}

async function* tagsOf(store: Store, path: RepoPath): AsyncGenerator<Tag> {
  const index = await store.repository(path).index();
  if (index === undefined) {
    throw new SregistryError("NOT_FOUND", `the local store has no repository ${path}`, {
      hint: "sregistry list local://",
    });
  }
  yield* [...index.tags.keys()].sort();
}

interface Removal {
  readonly entry: Entry;
  /** The tag that goes alone, since others name the same image. */
  readonly tagOnly: Tag | undefined;
  readonly result: DeleteResult;
}

async function plan(repository: Repository, reference: PlacedReference): Promise<Removal> {
  const index = await repository.index();
  const entry = index === undefined ? undefined : await findEntry(repository, index, reference);
  if (index === undefined || entry === undefined) throw notFound(reference, index);
  const { selector } = reference;
  const tags = index.entries.flatMap(({ digest, tag }) => (digest === entry.digest && tag !== undefined ? [tag] : []));
  if (selector.kind === "tag" && (tags.length > 1 || (await isInAnIndex(repository, index, entry.digest)))) {
    return { entry, tagOnly: selector.tag, result: { deleted: [formatReference(reference)] } };
  }
  const named = tags.sort().map((tag) => formatReference({ ...reference, selector: { kind: "tag", tag } }));
  const pin = formatReference({ ...reference, selector: { kind: "digest", digest: entry.digest } });
  return { entry, tagOnly: undefined, result: { deleted: [...named, pin] } };
}

/** An image that an index of several still names keeps its manifest and blobs when its own last tag goes. */
async function isInAnIndex(repository: Repository, index: RepositoryIndex, digest: Digest): Promise<boolean> {
  for (const other of index.manifests.values()) {
    const document = await repository.document(other);
    if (document?.kind === "index" && document.manifests.some((entry) => entry.digest === digest)) return true;
  }
  return false;
}

/** The image that was resolved, though its tag may have moved since. */
function pinnedTo({ reference, manifest }: ImageInfo): PlacedReference {
  return { ...reference, selector: { kind: "digest", digest: required(manifest) } };
}

/** The store gives every image both digests. */
function required(digest: Digest | undefined): Digest {
  if (digest !== undefined) return digest;
  throw new SregistryError("INTERNAL", "an image of another endpoint was given to the local store");
}
