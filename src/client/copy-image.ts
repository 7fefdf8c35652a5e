/** A copy where one side is no place of OCI documents: the SIF is read from the one and pushed to the other. */
import { arch } from "node:os";
import type { Call } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import { goArchitecture } from "../image/architecture.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
import type { ImageReader } from "../image/reader.ts";
import { type Digest, digestAlgorithm } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { Tag } from "../reference/reference.ts";
import { capability, type ImageInfo, type Registry } from "../registry/registry.ts";
import { sizedReader } from "../transfer/registry-reader.ts";
import { type RemoteSource, remoteSource } from "../transfer/remote-source.ts";
import { sequentialReader } from "../transfer/sequential-reader.ts";
import { at, type End, through } from "./copy-sides.ts";
import { withTag } from "./placement.ts";
import { requireSigned } from "./signature.ts";

export interface ImageCopyOptions {
  /** Go's name. */
  readonly architecture: string | undefined;
  readonly anyFile: boolean;
  readonly allowUnsigned: boolean;
}

/** What a tag of the destination stands for; `other`: something that is no SIF. */
export type Held = ImageInfo | "other" | undefined;

export interface Contents {
  readonly reader: ImageReader;
  /** Undefined for a file that is no SIF. */
  readonly metadata: ImageMetadata | undefined;
  /** For another architecture than this machine's. */
  readonly isForeign: boolean;
}

export interface Sent {
  /** What pins it at the destination. */
  readonly pin: Digest;
  /** Bytes that were read from the source. */
  readonly transferred: number;
}

export class ImageCopy {
  readonly #from: End;
  readonly #to: End;
  readonly #options: ImageCopyOptions;
  readonly #call: Call;

  constructor(from: End, to: End, options: ImageCopyOptions, call: Call) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#call = call;
  }

  async resolve(): Promise<ImageInfo> {
    const { registry, reference } = this.#from;
    const { architecture } = this.#options;
    const choice = architecture === undefined ? {} : { architecture };
    const image = await at("source", this.#call, registry.resolve(reference, choice, this.#call));
    const is = image.architecture;
    if (architecture === undefined || is === undefined || architecture.split("/")[0] === is) return image;
    const words = `source: ${formatReference(reference)} is an image for ${is}, and ${architecture} was asked for`;
    throw new SregistryError("NOT_FOUND", words, { hint: "to copy it as it is, leave --arch away" });
  }

  async there(tag: Tag, architecture: string | undefined): Promise<Held> {
    const { registry, reference } = this.#to;
    const choice = architecture === undefined ? {} : { architecture };
    try {
      return await at("destination", this.#call, registry.resolve(withTag(reference, tag), choice, this.#call));
    } catch (error) {
      if (isCode(error, "NOT_FOUND", "FORBIDDEN")) return undefined;
      if (isCode(error, "UNSUPPORTED", "IMAGE_INVALID", "INTEGRITY", "REPLY_INVALID")) return "other";
      throw error;
    }
  }

  /** More names for what the destination has, where the content alone pins it; false where it has to be pushed. */
  async nameAgain(held: ImageInfo, tags: readonly Tag[]): Promise<boolean> {
    const setTags = this.#to.registry.can.tag;
    if (setTags === undefined || held.manifest !== undefined) return false;
    await at("destination", this.#call, setTags(held, tags, this.#call));
    return true;
  }

  /** What the image says of itself, read by ranges. */
  contents(image: ImageInfo): Promise<Contents> {
    return at("source", this.#call, this.#contents(image));
  }

  async #contents(image: ImageInfo): Promise<Contents> {
    const reader = await sizedReader(this.#from.registry, image, this.#call);
    const metadata = this.#options.anyFile ? undefined : await readImageMetadata(reader);
    const is = metadata?.architecture;
    return { reader, metadata, isForeign: is !== undefined && is !== goArchitecture(arch()) };
  }

  async send(image: ImageInfo, { reader, metadata }: Contents, tags: readonly Tag[]): Promise<Sent> {
    const call = this.#call;
    const { registry, reference } = this.#to;
    const push = await at("destination", call, (async () => capability(registry, "push"))());
    const source = (): RemoteSource => imageSource(this.#from.registry, image, reader.size, call);
    if (registry.signedOnly === true && !this.#options.allowUnsigned) {
      await at("source", call, this.#requireSigned(image, reader, source()));
    }
    const { path } = image.reference;
    const request = {
      reference: tags[0] === undefined ? reference : withTag(reference, tags[0]),
      tags,
      ...(isSha256(image.digest) ? { digest: image.digest } : {}),
      // Without the tag: the same image under two of them stays one manifest.
      title: `${path.slice(path.lastIndexOf("/") + 1)}.sif`,
      metadata,
      plainManifest: false,
    };
    const bytes = source();
    const result = await through(bytes, call, push({ ...request, source: bytes }, call));
    call.log.verbose(`${formatReference(reference)}: ${result.transfer}`);
    return { pin: result.manifest ?? result.digest, transferred: bytes.transferred };
  }

  async #requireSigned({ reference }: ImageInfo, reader: ImageReader, source: RemoteSource): Promise<void> {
    const name = formatReference(reference);
    this.#call.log.verbose(`${name} is read for its signature before it is copied`);
    await using contents = sequentialReader(source, reader);
    await requireSigned(contents, name, this.#call);
  }
}

function imageSource(registry: Registry, image: ImageInfo, size: number, call: Call): RemoteSource {
  const { digest, reference } = image;
  const read: Parameters<typeof remoteSource>[0]["read"] = (range, own) => registry.read(image, range, own);
  return remoteSource({ name: formatReference(reference), size, digest, call, read });
}

function isSha256(digest: Digest | undefined): digest is Digest {
  return digest !== undefined && digestAlgorithm(digest) === "sha256";
}
