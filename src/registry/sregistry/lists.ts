/** Collections page by page, and what lists are made of from them: the server has no search by parts of names. */
import type { Call } from "../../call.ts";
import { count, type Decoder, field, list, object, optional, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { isRepoPath, isTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import type { SearchHit, SearchOptions } from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { containerAt, isUnfinished, libraryPath, libraryReference } from "./names.ts";
import { findRows } from "./rows.ts";

/** Collections asked for at once: 10 unless told, and the requests of a day are few. */
const PAGE = 100;
/** A list that goes on longer than this is one without end. */
const MOST_PAGES = 1000;

export interface Listed {
  readonly path: RepoPath;
  readonly tags: readonly Tag[];
}

interface Collection {
  readonly name: string;
  readonly containers: readonly { readonly name: string; readonly tag: string }[];
}

const collectionDecoder: Decoder<Collection> = (value, where) => {
  const json = object(value, where);
  return {
    name: field(json, "name", string, where),
    containers:
      field(
        json,
        "containers",
        optional(
          list((item, at) => {
            const container = object(item, at);
            return { name: field(container, "name", string, at), tag: field(container, "tag", string, at) };
          }),
        ),
        where,
      ) ?? [],
  };
};

interface Page {
  readonly total: number | undefined;
  readonly next: string | undefined;
  readonly results: readonly Collection[];
}

const pageDecoder: Decoder<Page> = (value, where) => {
  const json = object(value, where);
  return {
    total: field(json, "count", optional(count), where),
    next: field(json, "next", optional(string), where),
    results: field(json, "results", list(collectionDecoder), where),
  };
};

/**
 * Every collection that the user may see. `next` is a URL made of the Host header, often another name or scheme than ours behind
 * a proxy: its query is taken and asked at our address, so that no page leads elsewhere.
 */
async function* collections(api: SregistryApi, call: Call): AsyncGenerator<Collection> {
  const seen = new Set<string>();
  for (let query: string | undefined = `?limit=${PAGE}`; query !== undefined; ) {
    if (seen.has(query) || seen.size >= MOST_PAGES) {
      throw new SregistryError(
        "REPLY_INVALID",
        `the list of collections of ${api.name} never ends: page ${seen.size + 1} is one it gave before`,
      );
    }
    seen.add(query);
    const page: Page = await api.get(`/api/collections/${query}`, pageDecoder, call);
    yield* page.results;
    query = nextQuery(api, page.next);
  }
}

function nextQuery({ name, base }: SregistryApi, next: string | undefined): string | undefined {
  if (next === undefined || next === "") return undefined;
  if (URL.canParse(next, base.href)) return new URL(next, base).search;
  throw new SregistryError("REPLY_INVALID", `${name} names a next page that is no URL`);
}

/** Containers with their tags, in the server's order; those of unfinished pushes alone are left out. `onEmpty`: told of a collection without any. */
export async function* containers(
  api: SregistryApi,
  call: Call,
  onEmpty: (collection: string) => void = () => undefined,
): AsyncGenerator<Listed> {
  for await (const collection of collections(api, call)) {
    if (collection.containers.every(({ tag }) => isUnfinished(tag)) && isRepoPath(collection.name, "library")) {
      onEmpty(collection.name);
    }
    const found = new Map<string, Tag[]>();
    for (const { name, tag } of collection.containers) {
      if (isUnfinished(tag)) continue;
      const tags = found.get(name) ?? [];
      if (isTag(tag)) found.set(name, [...tags, tag]);
      else call.log.verbose(`${api.name} lists the tag ${JSON.stringify(tag.slice(0, 200))}, which is none`);
    }
    for (const [name, tags] of found) {
      const path = libraryPath({ collection: collection.name, name });
      if (path !== undefined) yield { path, tags };
      else call.log.verbose(`${api.name} lists ${JSON.stringify(`${collection.name}/${name}`.slice(0, 300))}: no name`);
    }
  }
}

/** @throws SregistryError NOT_FOUND for a container that is not there, or not to be seen. */
export async function tagsOf(api: SregistryApi, path: RepoPath, call: Call): Promise<readonly Tag[]> {
  const container = containerAt(path);
  const rows = await findRows(api, container, undefined, call);
  const tags = new Set(rows.map(({ tag }) => tag).filter(isTag));
  if (tags.size > 0) return [...tags];
  throw new SregistryError("NOT_FOUND", `${api.name} has no container ${container.collection}/${container.name}`, {
    hint: "check the name; a private one needs a login",
  });
}

/** What has the words in its `collection/name:tag`. */
export async function* search(
  api: SregistryApi,
  query: string,
  { architecture, signed }: SearchOptions,
  call: Call,
): AsyncGenerator<SearchHit> {
  if (architecture !== undefined || signed === true) {
    call.log.warn(`${api.name} knows neither the architectures of its images nor who signed them: all are shown`);
  }
  const wanted = query.toLowerCase();
  for await (const { path, tags } of containers(api, call)) {
    const hits = tags.filter((tag) => `${path}:${tag}`.toLowerCase().includes(wanted));
    const [first] = hits;
    if (first === undefined) continue;
    const reference = libraryReference(path, first);
    yield { reference, tags: hits, description: undefined, architecture: undefined, signedBy: [] };
  }
}
