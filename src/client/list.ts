/** Containers at an endpoint that a pattern matches, one entry a tag, as the endpoint's pages arrive. */
import type { Call } from "../call.ts";
import { isCode, type Missing, SregistryError } from "../errors.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { formatReference } from "../reference/format.ts";
import { matches, type Pattern } from "../reference/pattern.ts";
import type { PlacedReference, RepoPath } from "../reference/reference.ts";
import { capability, type ImageInfo, type Registry, SHORTEST_SEARCH } from "../registry/registry.ts";
import { imageMetadata } from "./metadata.ts";
import { withTag } from "./placement.ts";
import type { Placement, Services } from "./services.ts";

type ListServices = Pick<Services, "openFor" | "placement">;

export interface ListEntry {
  /** As the user would write it: without scheme at the default registry. */
  readonly name: string;
  readonly reference: PlacedReference;
}

export interface Description {
  readonly image: ImageInfo;
  readonly metadata: ImageMetadata;
}

/** A collection that was made, and that nothing was pushed to yet. */
export interface EmptyCollection {
  /** `dinosaur/` */
  readonly name: string;
  readonly collection: string;
}

/** The images of `listAll`. */
export async function* list(services: ListServices, pattern: Pattern, call: Call): AsyncGenerator<ListEntry> {
  for await (const entry of listAll(services, pattern, call)) if ("reference" in entry) yield entry;
}

/**
 * Images, and after them the collections without any, where the endpoint knows collections apart from their images.
 * @throws SregistryError NOT_FOUND when the pattern names something and nothing is there.
 */
export async function* listAll(
  services: ListServices,
  pattern: Pattern,
  call: Call,
): AsyncGenerator<ListEntry | EmptyCollection> {
  const [registry, placement] = await Promise.all([services.openFor(pattern), services.placement(pattern)]);
  let found = false;
  for await (const path of repositories(placement, registry, pattern, call)) {
    for await (const reference of images(registry, placement.at(path), pattern, call)) {
      found = true;
      yield { name: formatReference(placement.shown(reference)), reference };
    }
  }
  for (const collection of await emptyCollections(registry, pattern, call)) {
    found = true;
    yield { name: `${collection}/`, collection };
  }
  if (!found && (pattern.path !== undefined || pattern.container !== undefined)) {
    throw new SregistryError("NOT_FOUND", `${registry.name} has nothing that matches ${describePattern(pattern)}`, {
      hint: "sregistry list shows what is there",
      ...(pattern.path === undefined ? {} : { missing: missingImage(placement.at(pattern.path), pattern) }),
    });
  }
}

function missingImage(repository: PlacedReference, { selector }: Pattern): Missing {
  const name = formatReference(selector === undefined ? repository : { ...repository, selector });
  return { kind: "image", name, ...(selector === undefined ? { listed: true } : {}) };
}

/** None for a pattern that names a container: then nothing more is asked. */
async function emptyCollections(registry: Registry, pattern: Pattern, call: Call): Promise<readonly string[]> {
  const { path, container, selector } = pattern;
  if (container !== undefined || selector !== undefined || path?.includes("/") === true) return [];
  const all = (await registry.can.emptyCollections?.(call)) ?? [];
  return all.filter((name) => matches(pattern, name));
}

/** An oddity of one image: the next one may be in order. */
export const ODD_IMAGE = ["IMAGE_INVALID", "UNSUPPORTED", "INTEGRITY", "REPLY_INVALID", "NOT_FOUND"] as const;

/**
 * As `describe`; undefined, with a warning, for what is no SIF or is damaged: one odd image must not hide the others.
 * One that was asked for by its own tag or digest fails.
 */
export async function describeOne(
  services: Services,
  pattern: Pattern,
  entry: ListEntry,
  call: Call,
): Promise<Description | undefined> {
  try {
    return await describe(services, entry, call);
  } catch (error) {
    if (pattern.selector !== undefined || !isCode(error, ...ODD_IMAGE)) throw error;
    call.log.warn(`${entry.name} is left out: ${error.message}`);
    return undefined;
  }
}

async function describe(services: Services, entry: ListEntry, call: Call): Promise<Description> {
  const registry = await services.open(entry.reference);
  const image = await registry.resolve(entry.reference, {}, call);
  return { image, metadata: await imageMetadata(services, registry, image, call) };
}

/**
 * The matching repositories, as paths below the default registry's prefix. A pattern with a tag, or of two components
 * and more whose repository exists, needs no catalogue, which many registries do not offer.
 */
async function* repositories(
  placement: Placement,
  registry: Registry,
  pattern: Pattern,
  call: Call,
): AsyncGenerator<RepoPath> {
  const { path, selector } = pattern;
  if (path !== undefined && (selector !== undefined || path.includes("/"))) {
    if (selector !== undefined || (await hasTags(registry, placement.at(path).path, call))) {
      yield path;
      return;
    }
  }
  try {
    for await (const full of capability(registry, "repositories")(call)) {
      const below = placement.below(full);
      if (below !== undefined && matches(pattern, below)) yield below;
    }
  } catch (error) {
    const word = path?.split("/").at(-1) ?? pattern.container;
    const askable = word !== undefined && word.length >= SHORTEST_SEARCH && registry.can.search !== undefined;
    if (!isCode(error, "UNSUPPORTED") || !askable) throw error;
    call.log.verbose(`${registry.name} has no list: searching for ${word} instead`);
    yield* searched(registry, word, pattern, call);
  }
}

/** Sylabs cloud lists nothing, and finds by a part of the name. */
async function* searched(registry: Registry, word: string, pattern: Pattern, call: Call): AsyncGenerator<RepoPath> {
  const seen = new Set<RepoPath>();
  for await (const { reference } of capability(registry, "search")(word, {}, call)) {
    if (seen.has(reference.path) || !matches(pattern, reference.path)) continue;
    seen.add(reference.path);
    yield reference.path;
  }
}

async function hasTags(registry: Registry, path: RepoPath, call: Call): Promise<boolean> {
  try {
    for await (const _tag of capability(registry, "tags")(path, call)) return true;
    return false;
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return false;
    throw error;
  }
}

async function* images(
  registry: Registry,
  repository: PlacedReference,
  { selector }: Pattern,
  call: Call,
): AsyncGenerator<PlacedReference> {
  if (selector !== undefined) {
    const reference = { ...repository, selector };
    if (await exists(registry, reference, call)) yield reference;
    return;
  }
  try {
    for await (const tag of capability(registry, "tags")(repository.path, call)) yield withTag(repository, tag);
  } catch (error) {
    // A catalogue names what has no tag any more, and registries say of that in turn that it is not there.
    if (!isCode(error, "NOT_FOUND")) throw error;
    call.log.verbose(`${repository.path} is left out: ${error.message}`);
  }
}

async function exists(registry: Registry, reference: PlacedReference, call: Call): Promise<boolean> {
  try {
    await registry.resolve(reference, {}, call);
    return true;
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return false;
    throw error;
  }
}

function describePattern({ path, container, selector }: Pattern): string {
  const name = container === undefined ? (path ?? "") : `/${container}`;
  if (selector === undefined) return name;
  if (selector.kind === "tag") return `${name}:${selector.tag}`;
  return `${name}@${selector.kind === "digest" ? selector.digest : selector.hex}`;
}
