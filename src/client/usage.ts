/** What images take at an endpoint, by collection and container: each image is counted once, whatever its tags. */
import type { Call } from "../call.ts";
import type { Digest } from "../reference/digest.ts";
import type { Pattern } from "../reference/pattern.ts";
import { type ListEntry, list } from "./list.ts";
import { type Asked, type Depth, withFacts } from "./list-facts.ts";
import type { Services } from "./services.ts";

export interface UsageCounts {
  readonly tags: number;
  /** Different ones, by their digests. */
  readonly images: number;
  /** Bytes of the different images. */
  readonly size: number;
  /** Bytes of what all tags name together: what a pull of each would fetch. */
  readonly tagged: number;
}

/** One image of a container. */
export interface UsageImage {
  readonly tags: readonly string[];
  /** Null where the endpoint does not say. */
  readonly size: number | null;
  /** Null where the endpoint promises none: such images are all different. */
  readonly digest: Digest | null;
  /** RFC 3339. */
  readonly created: string | null;
}

export interface UsageContainer extends UsageCounts {
  /** Its path: collection and name. */
  readonly name: string;
  /** The largest first. */
  readonly contents: readonly UsageImage[];
}

export interface UsageCollection extends UsageCounts {
  /** Empty: containers outside any. */
  readonly name: string;
  /** The largest first. */
  readonly containers: readonly UsageContainer[];
}

export interface Usage {
  readonly registry: string;
  /** An image that several collections hold counts once. */
  readonly total: UsageCounts & {
    readonly collections: number;
    readonly containers: number;
    /** Images whose size nobody says: they are in no sum. */
    readonly unknown: number;
  };
  /** The largest first. */
  readonly collections: readonly UsageCollection[];
}

/**
 * One image a tag: of a name that stands for several architectures, that of this machine. `dates`: they are asked for too.
 * @throws SregistryError NOT_FOUND when the pattern names something and nothing is there.
 */
export async function usage(
  services: Services,
  pattern: Pattern,
  { dates = false }: { readonly dates?: boolean },
  call: Call,
): Promise<Usage> {
  const [registry, placement] = await Promise.all([services.openFor(pattern), services.placement(pattern)]);
  const depth: Depth = dates ? "header" : "resolved";
  const found = new Map<string, Map<string, Asked<ListEntry>[]>>();
  for await (const asked of withFacts(services, list(services, pattern, call), { depth, strict: false }, call)) {
    const { path } = placement.shown(asked.entry.reference);
    const collection = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    const containers = found.get(collection) ?? new Map<string, Asked<ListEntry>[]>();
    found.set(collection, containers);
    const tags = containers.get(path) ?? [];
    containers.set(path, tags);
    tags.push(asked);
  }
  const collections = largestFirst(
    [...found].map(([name, containers]): UsageCollection => {
      const all = [...containers].map(([path, tags]) => container(path, tags));
      return { name, ...counted(all.flatMap(({ contents }) => contents)), containers: largestFirst(all) };
    }),
  );
  const images = collections.flatMap(({ containers }) => containers.flatMap(({ contents }) => contents));
  return {
    registry: registry.name,
    total: {
      collections: collections.length,
      containers: collections.reduce((sum, { containers }) => sum + containers.length, 0),
      ...counted(images),
      unknown: images.filter(({ size }) => size === null).length,
    },
    collections,
  };
}

function container(name: string, tags: readonly Asked<ListEntry>[]): UsageContainer {
  const byDigest = new Map<string, UsageImage & { readonly tags: string[] }>();
  for (const { entry, facts } of tags) {
    const key = facts.digest ?? entry.name;
    const { selector } = entry.reference;
    const tag =
      selector.kind === "tag" ? selector.tag : `@${selector.kind === "digest" ? selector.digest : selector.hex}`;
    const { size, digest, created } = facts;
    const image = byDigest.get(key) ?? { tags: [], size, digest, created };
    byDigest.set(key, image);
    image.tags.push(tag);
  }
  const contents = [...byDigest.values()].sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
  return { name, ...counted(contents), contents };
}

/** At any level an image counts once. */
function counted(images: readonly UsageImage[]): UsageCounts {
  const seen = new Set<Digest>();
  const counts = { tags: 0, images: 0, size: 0, tagged: 0 };
  for (const { tags, size, digest } of images) {
    counts.tags += tags.length;
    counts.tagged += (size ?? 0) * tags.length;
    if (digest !== null && seen.has(digest)) continue;
    if (digest !== null) seen.add(digest);
    counts.images += 1;
    counts.size += size ?? 0;
  }
  return counts;
}

function largestFirst<T extends UsageCounts & { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
}
