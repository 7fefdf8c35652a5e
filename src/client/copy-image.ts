/** A copy where one side is no place of OCI documents: the SIF is read from the one and pushed to the other. */
import type { Call } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
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

  /** What a tag of the destination stands for; `other` for what is no SIF. */
  async there(tag: Tag, architecture = this.#options.architecture): Promise<ImageInfo | "other" | undefined> {
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

  async send(image: ImageInfo, tags: readonly Tag[]): Promise<Sent> {
    const call = this.#call;
    const { registry, reference } = this.#to;
    const push = await at("destination", call, (async () => capability(registry, "push"))());
    const { source, metadata } = await at("source", call, this.#open(image));
    const { path } = image.reference;
    const result = await through(
      source,
      call,
      push(
        {
          reference: tags[0] === undefined ? reference : withTag(reference, tags[0]),
          tags,
          source,
          ...(isSha256(image.digest) ? { digest: image.digest } : {}),
          // Without the tag: the same image under two of them stays one manifest.
          title: `${path.slice(path.lastIndexOf("/") + 1)}.sif`,
          metadata,
          plainManifest: false,
        },
        call,
      ),
    );
    call.log.verbose(`${formatReference(reference)}: ${result.transfer}`);
    return { pin: result.manifest ?? result.digest, transferred: source.transferred };
  }

  /** Its metadata is read by ranges before its bytes are; where the destination wants a signature, that is looked at too. */
  async #open(image: ImageInfo): Promise<{ source: RemoteSource; metadata: ImageMetadata | undefined }> {
    const call = this.#call;
    const { registry } = this.#from;
    const reader = await sizedReader(registry, image, call);
    const name = formatReference(image.reference);
    const open = (): RemoteSource => imageSource(registry, image, reader.size, call);
    const metadata = this.#options.anyFile ? undefined : await readImageMetadata(reader);
    if (this.#to.registry.signedOnly === true && !this.#options.allowUnsigned) {
      call.log.verbose(`${name} is read for its signature before it is copied`);
      await using contents = sequentialReader(open(), reader);
      await requireSigned(contents, name, call);
    }
    return { source: open(), metadata };
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
