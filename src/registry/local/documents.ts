/** Manifests and indexes of a repository, read and decoded; remembered, since a digest's document never changes. */
import { readFile } from "node:fs/promises";
import { type Descriptor, type Document, decodeDocument, LARGEST_DOCUMENT } from "../../image/document.ts";
import { type Digest, digestAlgorithm, digestOf } from "../../reference/digest.ts";
import { fileStat, ifPresent } from "./files.ts";
import type { Entry } from "./index-file.ts";
import type { Layout } from "./layout.ts";

const REMEMBERED = 256;

export interface Documents {
  /** Undefined when the blob is not there, or not what its digest says. */
  bytes(digest: Digest): Promise<Uint8Array | undefined>;
  /** @throws SregistryError REPLY_INVALID for bytes that are no manifest. */
  read(entry: Pick<Entry, "digest" | "mediaType">): Promise<Document | undefined>;
}

export function documentsOf(layout: Layout): Documents {
  const known = new Map<Digest, Document>();

  async function bytes(digest: Digest): Promise<Uint8Array | undefined> {
    const path = layout.blob(digest);
    const stat = await fileStat(path);
    if (stat === undefined || stat.size > LARGEST_DOCUMENT) return undefined;
    const content = await ifPresent(readFile(path));
    return content !== undefined && digestOf(content, digestAlgorithm(digest)) === digest ? content : undefined;
  }

  async function read({ digest, mediaType }: Pick<Entry, "digest" | "mediaType">): Promise<Document | undefined> {
    const before = known.get(digest);
    if (before !== undefined) return before;
    const content = await bytes(digest);
    if (content === undefined) return undefined;
    const document = decodeDocument(content, mediaType);
    for (const oldest of known.keys()) {
      if (known.size < REMEMBERED) break;
      known.delete(oldest);
    }
    known.set(digest, document);
    return document;
  }

  return { bytes, read };
}

/** Layers that their publishers forbid to pass on (image-spec layer.md): a registry does without them. */
const NOT_DISTRIBUTED = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

/** What has to be there for a document to be of use. An index may name manifests that nobody copied. */
export function neededBy(document: Document): readonly Descriptor[] {
  if (document.kind === "index") return [];
  return [document.config, ...document.layers.filter(({ mediaType }) => !NOT_DISTRIBUTED.test(mediaType))];
}

/** All that a document names, there or not. Its subject is none of it: that lives and goes on its own. */
export function namedBy(document: Document): readonly Digest[] {
  const descriptors = document.kind === "index" ? document.manifests : [document.config, ...document.layers];
  return descriptors.map(({ digest }) => digest);
}
