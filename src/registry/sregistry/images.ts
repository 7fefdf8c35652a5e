/** Two stores behind one set of names: an image is where its protocol pushed it, and its name says nothing of that. */
import type { Call } from "../../call.ts";
import { type ErrorCode, isCode, SregistryError } from "../../errors.ts";
import { formatReference } from "../../reference/format.ts";
import { isTag } from "../../reference/name.ts";
import type { PlacedReference, Selector } from "../../reference/reference.ts";
import {
  type BodyPart,
  type ByteRange,
  capability,
  type ImageInfo,
  type Registry,
  type ResolveOptions,
} from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { asStored, containerAt, digestOfVersion, shubName } from "./names.ts";
import { findRows } from "./rows.ts";

export interface Stores {
  readonly api: SregistryApi;
  readonly library: Registry;
  readonly shub: Registry;
  /** Which is asked first. */
  readonly first: Kind;
}

export type Kind = "library" | "shub";

/** Where an image was found, by which name, and as what. */
interface Found {
  readonly kind: Kind;
  readonly named: PlacedReference;
  readonly image: ImageInfo;
  /** What was asked for. */
  readonly options: ResolveOptions;
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

  /** By the name as it is given, then by the one that a push would have made of it. */
  async resolve(reference: PlacedReference, options: ResolveOptions, call: Call): Promise<ImageInfo> {
    const found = await this.#find(reference, options, call).catch(async (error: unknown) => {
      const stored = asStored(reference);
      if (stored === reference || !isCode(error, "NOT_FOUND")) throw error;
      call.log.verbose(`${error.message}; trying ${formatReference(stored)}, as the server stores names`);
      return this.#find(stored, options, call).catch((second: unknown) => {
        throw telling(error, second);
      });
    });
    const image: ImageInfo = { ...found.image, reference };
    this.#found.set(image, found);
    return image;
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
      const twin = await this.#ask(kind, found.named, found.options, call).catch((second: unknown) => {
        throw telling(error, second);
      });
      const { digest } = twin.image;
      if (image.digest !== undefined && digest !== undefined && digest !== image.digest) throw error;
      const part = await this.#stores[kind].read(twin.image, range, call);
      this.#found.set(image, twin);
      return part;
    }
  }

  /** An image that was handed on as a copy is the library's, as far as its reference goes. */
  of(image: ImageInfo): Found {
    return this.#found.get(image) ?? { kind: "library", named: image.reference, image, options: {} };
  }

  async #find(reference: PlacedReference, options: ResolveOptions, call: Call): Promise<Found> {
    const { first } = this.#stores;
    try {
      return await this.#ask(first, reference, options, call);
    } catch (error) {
      if (!isCode(error, ...NOT_HERE)) throw error;
      call.log.verbose(`${words(first)}: ${error.message}; trying ${words(other(first))}`);
      return await this.#ask(other(first), reference, options, call).catch((second: unknown) => {
        throw first === "library" ? telling(error, second) : telling(second, error);
      });
    }
  }

  async #ask(kind: Kind, named: PlacedReference, options: ResolveOptions, call: Call): Promise<Found> {
    const { library, shub } = this.#stores;
    if (kind === "library") return { kind, named, image: await library.resolve(named, options, call), options };
    const there = shubName(named, await this.#shubSelector(named, call));
    const image = await shub.resolve(there, options, call);
    if (there.path !== named.path) {
      call.log.verbose(
        `the shub protocol has no entities: ${formatReference(named)} is taken from ${formatReference(there)}`,
      );
    }
    await this.#requireArchitecture(image, options, call);
    return { kind, named, image, options };
  }

  /** Its store has one image of a name, whatever was asked for: what that one is stands in its own header alone. */
  async #requireArchitecture(image: ImageInfo, { architecture: asked }: ResolveOptions, call: Call): Promise<void> {
    if (asked === undefined) return;
    const { api, shub } = this.#stores;
    const name = formatReference(image.reference);
    const read = capability(shub, "metadata")(image, call).catch((error: unknown) => {
      // No SIF: a file that was pushed as it is.
      if (isCode(error, "IMAGE_INVALID")) return undefined;
      throw error;
    });
    const architecture = (await read)?.architecture;
    if (architecture === undefined) {
      call.log.warn(`${name} at ${api.name} does not say for which architecture it is; ${asked} was asked for`);
      return;
    }
    if (architecture === asked.split("/")[0]) return;
    throw new SregistryError("NOT_FOUND", `${name} at ${api.name} is an image for ${architecture}, not for ${asked}`, {
      hint: "pull it without --arch, or ask for an architecture that is there",
    });
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
