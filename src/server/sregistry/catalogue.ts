/** The store as this protocol sees it: collections of containers, and one image for every tag. */
import { isCode } from "../../errors.ts";
import { sifLayer } from "../../image/artifact.ts";
import type { Digest } from "../../reference/digest.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { uriOf, versionOf } from "../../reference/sregistry.ts";
import { fileStat } from "../../registry/local/files.ts";
import { metadataOf } from "../../registry/local/images.ts";
import type { Store } from "../../registry/local/index.ts";
import type { Entry } from "../../registry/local/index-file.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { type Collection, collectionOf, containerOf } from "../collections.ts";
import type { Exchange } from "../exchange.ts";
import { numericId } from "../ids.ts";

/** A collection and the paths of its containers. */
export interface Shelf {
  readonly collection: Collection;
  readonly paths: readonly RepoPath[];
}

export interface Row {
  readonly collection: string;
  readonly name: string;
  readonly tag: Tag;
  readonly entry: Entry;
  readonly repository: Repository;
}

/** In the order of the tags. */
export async function rowsOf(repository: Repository): Promise<readonly Row[]> {
  const { path } = repository;
  const names = { collection: collectionOf(path), name: containerOf(path) };
  const tags = [...((await repository.index())?.tags ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return tags.map(([tag, entry]) => ({ ...names, tag, entry, repository }));
}

/** One after the other: a store may have more files than a process may have open. */
export async function inTurn<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** What the identity may see: collections by name, each with the paths of its containers. */
export async function visibleShelves({ access, identity, store }: Exchange): Promise<readonly Shelf[]> {
  const collections = await access.collections.list(identity);
  const shelves = new Map(collections.map((collection) => [collection.name, { collection, paths: [] as RepoPath[] }]));
  for (const path of await store.repositories()) shelves.get(collectionOf(path))?.paths.push(path);
  return [...shelves.values()];
}

/** One row for every tag of what the identity may see. */
export async function visibleRows(exchange: Exchange): Promise<readonly Row[]> {
  const paths = (await visibleShelves(exchange)).flatMap((shelf) => shelf.paths);
  return (await inTurn(paths, (path) => rowsOf(exchange.store.repository(path)))).flat();
}

/** As `GET /api/containers/<id>/` tells it. */
export async function describeRow(row: Row): Promise<object> {
  const { collection, name, tag, entry, repository } = row;
  return {
    id: numericId(uriOf(row)),
    name,
    tag,
    add_date: await timeOf(repository.layout.blob(entry.digest)),
    metrics: {},
    version: versionOf(await contentDigest(repository, entry)),
    frozen: entry.frozen,
    metadata: {},
    collection,
  };
}

/** The digest of the image's bytes; the manifest's where it is no single file (a container image in layers, an index). */
export async function contentDigest(repository: Repository, entry: Entry): Promise<Digest> {
  const document = await unlessDamaged(repository.document(entry));
  if (document?.kind !== "manifest") return entry.digest;
  try {
    return sifLayer(document).layer.digest;
  } catch (error) {
    if (isCode(error, "UNSUPPORTED", "IMAGE_INVALID")) return entry.digest;
    throw error;
  }
}

export async function labelsOf({ entry, repository }: Row): Promise<Readonly<Record<string, string>>> {
  const document = await unlessDamaged(repository.document(entry));
  return document?.kind === "manifest" ? ((await metadataOf(repository, document))?.labels ?? {}) : {};
}

/** A manifest that is damaged ends no listing of the others: `serve --check` tells of it. */
async function unlessDamaged<T>(document: Promise<T>): Promise<T | undefined> {
  try {
    return await document;
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

/** As `GET /api/collections/<id>/` tells it. `base` is the server's URL. */
export async function describeShelf(store: Store, { collection, paths }: Shelf, base: string): Promise<object> {
  const repositories = paths.map((path) => store.repository(path));
  const rows = (await inTurn(repositories, rowsOf)).flat();
  const added = await inTurn(repositories, ({ layout }) => timeOf(layout.marker));
  const modified = await inTurn(repositories, ({ layout }) => timeOf(layout.index));
  const created = collection.created ?? added.sort()[0] ?? NO_TIME;
  return {
    id: numericId(collection.name),
    name: collection.name,
    add_date: created,
    modify_date: modified.sort().at(-1) ?? created,
    metadata: {},
    containers: rows.map((row) => ({
      name: row.name,
      tag: row.tag,
      uri: uriOf(row),
      detail: `${base}/api/containers/${numericId(uriOf(row))}/`,
    })),
  };
}

const NO_TIME = new Date(0).toISOString();

async function timeOf(path: string): Promise<string> {
  return (await fileStat(path))?.mtime.toISOString() ?? NO_TIME;
}
