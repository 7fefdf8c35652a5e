/** What is told of each image of a list: several are asked at once, and come in the order of the list. */
import type { Call } from "../call.ts";
import { type ErrorCode, isCode } from "../errors.ts";
import { decodeHeader, HEADER_SIZE } from "../image/header.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import type { PlacedReference } from "../reference/reference.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { sizedReader } from "../transfer/registry-reader.ts";
import { ahead } from "./copy-together.ts";
import { type EmptyCollection, type ListEntry, ODD_IMAGE } from "./list.ts";
import type { ListRow } from "./list-columns.ts";
import { imageMetadata } from "./metadata.ts";
import type { Services } from "./services.ts";

/** Images that are asked while one is waited for: eight at once. */
const AHEAD = 7;

/** How much is asked of an image, each with what stands before it. */
export const DEPTHS = [
  /** Nothing: its name tells. */
  "name",
  /** The endpoint's answer to a request for this name. */
  "resolved",
  /** The image's first bytes too, where the endpoint does not say. */
  "header",
  /** All that the endpoint or the image says of itself. */
  "metadata",
] as const;
export type Depth = (typeof DEPTHS)[number];

export type Facts = Required<
  Pick<ListRow, "size" | "architecture" | "created" | "digest" | "manifest" | "format" | "signed">
>;

export interface Asked<E> {
  readonly entry: E;
  readonly facts: Facts;
  /** Why it could not be read: the facts say less than was asked, or nothing. */
  readonly unread?: string;
}

const NOTHING: Facts = {
  size: null,
  architecture: null,
  created: null,
  digest: null,
  manifest: null,
  format: null,
  signed: null,
};

/** An image's own oddity, or rights: the next one may be in order. A network that is down is nobody's oddity. */
const ODD: readonly ErrorCode[] = [
  ...ODD_IMAGE,
  ...(["UNAUTHORIZED", "FORBIDDEN", "REFUSED", "SERVER_ERROR"] as const),
];

/** `strict`: an image that cannot be read fails. Otherwise one warning at the end tells of them all. */
export async function* withFacts<E extends ListEntry | EmptyCollection>(
  services: Services,
  entries: AsyncIterable<E>,
  { depth, strict }: { readonly depth: Depth; readonly strict: boolean },
  call: Call,
): AsyncGenerator<Asked<E>> {
  if (depth === "name") {
    // Of many thousands none waits for another.
    for await (const entry of entries) yield { entry, facts: NOTHING };
    return;
  }
  let count = 0;
  let first: string | undefined;
  let unread = 0;
  const ask = async (entry: E): Promise<Asked<E>> => {
    if ("collection" in entry) return { entry, facts: NOTHING };
    let facts = NOTHING;
    try {
      const registry = await services.open(entry.reference);
      const image = await resolveAny(registry, entry.reference, call);
      facts = factsOf(image);
      return { entry, facts: await more(services, registry, image, { facts, depth }, call) };
    } catch (error) {
      if (strict || !isCode(error, ...ODD)) throw error;
      const words = error.message.includes(entry.name) ? error.message : `${entry.name}: ${error.message}`;
      call.log.verbose(`could not be read: ${words}`);
      return { entry, facts, unread: words };
    }
  };
  for await (const { result } of ahead(entries, AHEAD, ask)) {
    const asked = await result;
    count += 1;
    if (asked.unread !== undefined) unread += 1;
    // In the order of the list: several are read at once, and any may fail before the others.
    first ??= asked.unread;
    yield asked;
  }
  if (first !== undefined) call.log.warn(unreadWords(unread, count, first));
}

function unreadWords(unread: number, count: number, first: string): string {
  if (unread === 1) return `one image could not be read: ${first}`;
  return `${unread} of ${count} images could not be read (-v tells of each): ${first}`;
}

function factsOf({ size, architecture, created, digest, manifest, annotations }: ImageInfo): Facts {
  return {
    ...NOTHING,
    size: size ?? null,
    architecture: architecture ?? null,
    created: dateOf(created ?? annotations["org.opencontainers.image.created"]),
    digest: digest ?? null,
    manifest: manifest ?? null,
  };
}

/** What the endpoint did not say when it was asked for the name, as far as `depth` wants it. */
async function more(
  services: Services,
  registry: Registry,
  image: ImageInfo,
  { facts, depth }: { readonly facts: Facts; readonly depth: Depth },
  call: Call,
): Promise<Facts> {
  if (depth === "resolved") return facts;
  const all = depth === "metadata" ? await fromMetadata(services, registry, image, facts, call) : facts;
  if (all.architecture !== null && all.created !== null) return all;
  return { ...all, ...(await fromHeader(services, registry, image, all, call)) };
}

async function fromMetadata(
  services: Services,
  registry: Registry,
  image: ImageInfo,
  known: Facts,
  call: Call,
): Promise<Facts> {
  const { architecture, format, signed } = await imageMetadata(services, registry, image, call);
  return { ...known, architecture: known.architecture ?? architecture ?? null, format, signed };
}

/** Where an image is not for this machine, it is looked for as one of the usual others. */
async function resolveAny(registry: Registry, reference: PlacedReference, call: Call): Promise<ImageInfo> {
  try {
    return await registry.resolve(reference, {}, call);
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) throw error;
    for (const architecture of ["amd64", "arm64"]) {
      const found = await registry.resolve(reference, { architecture }, call).catch((other: unknown) => {
        if (!isCode(other, "NOT_FOUND")) throw other;
      });
      if (found !== undefined) return found;
    }
    throw error;
  }
}

/** What the image's own first bytes say, where the endpoint does not: an OCI-SIF's header knows no architecture. */
async function fromHeader(
  services: Services,
  registry: Registry,
  image: ImageInfo,
  known: Facts,
  call: Call,
): Promise<Pick<Facts, "size" | "architecture" | "created">> {
  const reader = await sizedReader(registry, image, call);
  const head = await reader.read(0, Math.min(reader.size, HEADER_SIZE));
  const { architecture, created } = decodeHeader(head, reader.size, reader.name ?? registry.name);
  const ask = (): Promise<ImageMetadata> => imageMetadata(services, registry, image, call);
  return {
    size: known.size ?? reader.size,
    architecture: known.architecture ?? architecture ?? (await ask()).architecture ?? null,
    created: known.created ?? (created === undefined ? null : new Date(created * 1000).toISOString()),
  };
}

/** What a server calls a date is one, or not known. */
function dateOf(text: string | undefined): string | null {
  return text === undefined || Number.isNaN(Date.parse(text)) ? null : text;
}
