/** Two stores behind one set of names: an image is where its protocol pushed it, and its name says nothing of that. */
import type { Call } from "../../call.ts";
import { type ErrorCode, isCode } from "../../errors.ts";
import { isTag } from "../../reference/name.ts";
import type { PlacedReference, Selector } from "../../reference/reference.ts";
import type { BodyPart, ByteRange, ImageInfo, Registry, ResolveOptions } from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { containerAt, digestOfVersion, shubName } from "./names.ts";
import { findRows } from "./rows.ts";

export interface Stores {
  readonly api: SregistryApi;
  readonly library: Registry;
  readonly shub: Registry;
  /** Which is asked first. */
  readonly first: Kind;
}

export type Kind = "library" | "shub";

/** Where an image was found, and as what. */
interface Found {
  readonly kind: Kind;
  readonly image: ImageInfo;
}

/** "Not here", in all the words that a server has which says nothing of private images: the other store may know it. */
const NOT_HERE: readonly ErrorCode[] = [
  "NOT_FOUND",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "UNSUPPORTED",
  "REPLY_INVALID",
  "SERVER_ERROR",
];

export class Images {
  readonly #stores: Stores;
  readonly #found = new WeakMap<ImageInfo, Found>();

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  async resolve(reference: PlacedReference, options: ResolveOptions, call: Call): Promise<ImageInfo> {
    const { first } = this.#stores;
    try {
      return this.#keep(reference, await this.#ask(first, reference, options, call));
    } catch (error) {
      if (!isCode(error, ...NOT_HERE)) throw error;
      call.log.verbose(`${words(first)}: ${error.message}; trying ${words(other(first))}`);
      return this.#keep(reference, await this.#askOther(reference, options, call, error));
    }
  }

  /** From where it was resolved; where that has the name and not the bytes, from the other, if it is the same image. */
  async read(image: ImageInfo, range: ByteRange, call: Call): Promise<BodyPart> {
    const found = this.of(image);
    try {
      return await this.#stores[found.kind].read(found.image, range, call);
    } catch (error) {
      if (!isCode(error, "NOT_FOUND")) throw error;
      const kind = other(found.kind);
      call.log.verbose(`${words(found.kind)}: ${error.message}; trying ${words(kind)}`);
      const { image: twin } = await this.#ask(kind, image.reference, {}, call).catch((second: unknown) => {
        throw telling(error, second);
      });
      if (image.digest !== undefined && twin.digest !== undefined && twin.digest !== image.digest) throw error;
      const part = await this.#stores[kind].read(twin, range, call);
      this.#found.set(image, { kind, image: twin });
      return part;
    }
  }

  /** An image that was handed on as a copy is the library's, as far as its reference goes. */
  of(image: ImageInfo): Found {
    return this.#found.get(image) ?? { kind: "library", image };
  }

  #keep(reference: PlacedReference, found: Found): ImageInfo {
    const image: ImageInfo = { ...found.image, reference };
    this.#found.set(image, found);
    return image;
  }

  async #askOther(reference: PlacedReference, options: ResolveOptions, call: Call, first: unknown): Promise<Found> {
    try {
      return await this.#ask(other(this.#stores.first), reference, options, call);
    } catch (second) {
      throw this.#stores.first === "library" ? telling(first, second) : telling(second, first);
    }
  }

  async #ask(kind: Kind, reference: PlacedReference, options: ResolveOptions, call: Call): Promise<Found> {
    const { library, shub } = this.#stores;
    if (kind === "library") return { kind, image: await library.resolve(reference, options, call) };
    const selector = await this.#shubSelector(reference, call);
    try {
      return { kind, image: await shub.resolve(shubName(reference, selector), options, call) };
    } catch (error) {
      // A signed push stores its tag in lower case, and this lookup is exact.
      const lower = selector.kind === "tag" ? selector.tag.toLowerCase() : "";
      if (!isCode(error, "NOT_FOUND") || selector.kind !== "tag" || lower === selector.tag || !isTag(lower))
        throw error;
      return { kind, image: await shub.resolve(shubName(reference, { kind: "tag", tag: lower }), options, call) };
    }
  }

  /** The server passes over a digest here: a tag that has it is looked for, and then held to it. */
  async #shubSelector(reference: PlacedReference, call: Call): Promise<Selector> {
    const { selector, path } = reference;
    if (selector.kind !== "digest") return selector;
    const rows = await findRows(this.#stores.api, containerAt(path), undefined, call).catch((error: unknown) => {
      if (isCode(error, ...NOT_HERE)) return [];
      throw error;
    });
    const tag = rows.find(({ version }) => digestOfVersion(version) === selector.digest)?.tag;
    return tag !== undefined && isTag(tag) ? { kind: "tag", tag } : selector;
  }
}

/** `first`, unless it says "not found" and the second more than that: of a private image, a limit, the network. */
function telling(first: unknown, second: unknown): unknown {
  const vague = isCode(second, "NOT_FOUND", "UNSUPPORTED", "REPLY_INVALID", "INTEGRITY");
  return isCode(first, "NOT_FOUND") && !vague ? second : first;
}

function other(kind: Kind): Kind {
  return kind === "library" ? "shub" : "library";
}

function words(kind: Kind): string {
  return kind === "library" ? "by the library protocol" : "by the shub protocol";
}
