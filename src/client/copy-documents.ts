/** A copy between two places that store OCI documents: every manifest and blob byte for byte, so that digests stay. */

import { type Call, silentProgress } from "../call.ts";
import { isCode } from "../errors.ts";
import { hostArchitecture } from "../image/architecture.ts";
import type { Descriptor, Document } from "../image/document.ts";
import { chooseByArchitecture } from "../image/platform.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference, repositoryName } from "../reference/format.ts";
import type { PlacedReference, Tag } from "../reference/reference.ts";
import type { Content, StoredDocument } from "../registry/registry.ts";
import { remoteSource } from "../transfer/remote-source.ts";
import { at, type End, through } from "./copy-sides.ts";
import { eachOf } from "./copy-together.ts";
import { withTag } from "./placement.ts";

export interface ContentEnd extends End {
  readonly content: Content;
}

/** Layers that their publishers forbid to pass on (image-spec layer.md): registries do without them. */
const NOT_DISTRIBUTED = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

/** Layers on their way at a time. */
const BLOBS = 3;
/** Bytes. */
const LEAST_SHOWN = 64 * 1024;

/** Undefined where one of them stores images in another way. */
export function contentEnd(end: End): ContentEnd | undefined {
  const { content } = end.registry;
  return content === undefined ? undefined : { ...end, content };
}

export class DocumentCopy {
  readonly #from: ContentEnd;
  readonly #to: ContentEnd;
  readonly #call: Call;
  /** Bytes of blobs that were read from the source. */
  transferred = 0;

  constructor(from: ContentEnd, to: ContentEnd, call: Call) {
    this.#from = from;
    this.#to = to;
    this.#call = call;
  }

  /** What the source's name stands for, as cheaply as can be; undefined when only its document tells. */
  named(): Promise<Digest | undefined> {
    return at("source", this.#call, this.#from.content.digestOf(this.#from.reference, this.#call));
  }

  /** `architecture`: the one image of an index. */
  async document(digest: Digest | undefined, architecture: string | undefined): Promise<StoredDocument> {
    const { reference } = this.#from;
    const found = await this.#fetch(digest === undefined ? reference : pinnedTo(reference, digest));
    if (architecture === undefined || found.document.kind !== "index") return found;
    const { document } = found;
    const chosen = await at(
      "source",
      this.#call,
      (async () => chooseByArchitecture(document, architecture, hostArchitecture()))(),
    );
    return this.#fetch(pinnedTo(reference, chosen.digest));
  }

  /** What a tag of the destination stands for. A login that may write and not read is told of nothing. */
  async there(tag: Tag): Promise<Digest | undefined> {
    const { content, reference } = this.#to;
    try {
      return await at("destination", this.#call, content.digestOf(withTag(reference, tag), this.#call));
    } catch (error) {
      if (isCode(error, "NOT_FOUND", "FORBIDDEN")) return undefined;
      throw error;
    }
  }

  /** All that the document names, then the document under its own digest. */
  async whole(made: StoredDocument): Promise<void> {
    await this.below(made.document);
    await this.put(made.digest, made);
  }

  put(name: Tag | Digest, made: StoredDocument): Promise<void> {
    const { content, reference } = this.#to;
    return at("destination", this.#call, content.putDocument(reference.path, name, made, this.#call));
  }

  /** What a document names is at the destination afterwards; what is there already is not read. */
  async below(document: Document): Promise<void> {
    if (document.kind === "index") {
      for (const { digest } of document.manifests) await this.#manifest(digest);
      return;
    }
    const blobs = new Map([document.config, ...document.layers].map((blob) => [blob.digest, blob]));
    const copied = [...blobs.values()].filter(({ mediaType }) => !NOT_DISTRIBUTED.test(mediaType));
    await eachOf(copied, BLOBS, this.#call, (blob, call) => this.#blob(blob, call));
  }

  /** Signatures and the like that point at the document or at what it names, and what points at those. */
  async referrers({ digest, document }: Pick<StoredDocument, "digest" | "document">): Promise<number> {
    let copied = 0;
    const { content, reference } = this.#from;
    if (document.kind === "index") {
      for (const child of document.manifests) {
        const { document: below } = await this.#fetch(pinnedTo(reference, child.digest));
        copied += await this.referrers({ digest: child.digest, document: below });
      }
    }
    const found = await at("source", this.#call, content.referrersOf(reference.path, digest, this.#call));
    for (const one of found) {
      const made = await this.#fetch(pinnedTo(reference, one));
      if (!(await this.#isThere(one))) {
        await this.whole(made);
        copied += 1;
      }
      copied += await this.referrers(made);
    }
    return copied;
  }

  #fetch(reference: PlacedReference): Promise<StoredDocument> {
    return at("source", this.#call, this.#from.content.document(reference, this.#call));
  }

  async #isThere(digest: Digest): Promise<boolean> {
    const { content, reference } = this.#to;
    return (await at("destination", this.#call, content.digestOf(pinnedTo(reference, digest), this.#call))) === digest;
  }

  async #manifest(digest: Digest): Promise<void> {
    if (await this.#isThere(digest)) return;
    await this.whole(await this.#fetch(pinnedTo(this.#from.reference, digest)));
  }

  async #blob(blob: Descriptor, call: Call): Promise<void> {
    const { content, reference } = this.#to;
    const { path } = reference;
    if (await at("destination", call, content.hasBlob(path, blob, call))) return;
    const { content: origin, reference: from } = this.#from;
    const { digest, size } = blob;
    const source = remoteSource({
      name: `blob ${digest} of ${repositoryName(from)}`,
      size,
      digest,
      call,
      read: (range, own) => origin.readBlob(from, blob, range, own),
    });
    const title = blob.annotations["org.opencontainers.image.title"] ?? `${from.path} ${digest.slice(7, 19)}`;
    const near = origin.origin === content.origin && from.path !== path ? { from: from.path } : {};
    // Configs are not worth a bar.
    const told = size < LEAST_SHOWN ? { ...call, progress: silentProgress } : call;
    const transfer = await through(source, call, content.putBlob({ path, digest, source, title, ...near }, told));
    this.transferred += source.transferred;
    call.log.verbose(`${formatReference(pinnedTo(from, digest))}: ${transfer}`);
  }
}

function pinnedTo(reference: PlacedReference, digest: Digest): PlacedReference {
  return { ...reference, selector: { kind: "digest", digest } };
}
