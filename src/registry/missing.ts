/** Decorator: a NOT_FOUND says of which name it is, so that somebody can look for one like it. */
import { enriched, isCode } from "../errors.ts";
import { formatReference } from "../reference/format.ts";
import { parseTag } from "../reference/name.ts";
import type { PlacedReference, RepoPath, Tag } from "../reference/reference.ts";
import type { Registry } from "./registry.ts";

/** `endpoint`: any name there. */
export function namingMissing(registry: Registry, endpoint: PlacedReference): Registry {
  const { can, content } = registry;
  const { tags, deletable, delete: remove } = can;
  return {
    ...registry,
    resolve: (reference, options, call) => named(reference, registry.resolve(reference, options, call)),
    can: {
      ...can,
      ...(tags === undefined ? {} : { tags: (path, call) => namedTags(at(endpoint, path), tags(path, call)) }),
      ...(deletable === undefined ? {} : { deletable: (one, call) => named(one, deletable(one, call)) }),
      ...(remove === undefined ? {} : { delete: (one, call) => named(one, remove(one, call)) }),
    },
    ...(content === undefined
      ? {}
      : { content: { ...content, document: (one, call) => named(one, content.document(one, call)) } }),
  };
}

async function named<T>(reference: PlacedReference, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw withName(reference, error);
  }
}

async function* namedTags(reference: PlacedReference, tags: AsyncIterable<Tag>): AsyncGenerator<Tag> {
  try {
    yield* tags;
  } catch (error) {
    throw withName(reference, error);
  }
}

function withName(reference: PlacedReference, error: unknown): unknown {
  if (!isCode(error, "NOT_FOUND") || error.missing !== undefined) return error;
  return enriched(error, { missing: { kind: "image", name: formatReference(reference) } });
}

function at(endpoint: PlacedReference, path: RepoPath): PlacedReference {
  return { ...endpoint, path, selector: { kind: "tag", tag: LATEST } };
}

const LATEST = parseTag("latest");
