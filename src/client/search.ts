/** Free-text search: the endpoint's own where it has one, else the names that it lists. */
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { askedArchitecture } from "../image/architecture.ts";
import { formatReference } from "../reference/format.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import type { Registry, SearchHit, SearchOptions } from "../registry/registry.ts";
import { list } from "./list.ts";
import type { Services } from "./services.ts";

export type { SearchOptions } from "../registry/registry.ts";

export interface SearchEntry extends Pick<SearchHit, "description" | "architecture" | "signedBy"> {
  /** As the user would write it. */
  readonly name: string;
  readonly tags: readonly string[];
}

/** `where` names an endpoint, not an image. @throws SregistryError USAGE. */
export function endpointPattern(word: string | undefined): Pattern {
  const { path, container, selector, ...endpoint } = parsePattern(word);
  if (path === undefined && container === undefined && selector === undefined) return endpoint;
  throw new SregistryError("USAGE", `${JSON.stringify(word)} is no endpoint`, {
    hint: "write library://, library://HOST or oras://HOST; a remote's name goes with --registry",
  });
}

/** `where`: an endpoint as `list` takes it; `{}` is the default registry. */
export async function* search(
  services: Services,
  query: string,
  where: Pattern,
  options: SearchOptions,
  call: Call,
): AsyncGenerator<SearchEntry> {
  const registry = await services.openFor(where);
  const { architecture } = options;
  const asked = architecture === undefined ? options : { ...options, architecture: askedArchitecture(architecture) };
  if (registry.can.search === undefined) yield* searchNames(services, registry, query, where, call);
  else yield* searchThere(services, registry.can.search(query, asked, call), where);
}

async function* searchThere(
  services: Services,
  hits: AsyncIterable<SearchHit>,
  where: Pattern,
): AsyncGenerator<SearchEntry> {
  const placement = await services.placement(where);
  for await (const { reference, tags, description, architecture, signedBy } of hits) {
    yield { name: formatReference(placement.shown(reference)), tags, description, architecture, signedBy };
  }
}

async function* searchNames(
  services: Services,
  registry: Registry,
  query: string,
  where: Pattern,
  call: Call,
): AsyncGenerator<SearchEntry> {
  call.log.verbose(`${registry.name} has no search of its own: looking through the names that it lists`);
  const wanted = query.toLowerCase();
  for await (const { name, reference } of list(services, where, call)) {
    if (!name.toLowerCase().includes(wanted)) continue;
    const tags = reference.selector.kind === "tag" ? [reference.selector.tag] : [];
    yield { name, tags, description: undefined, architecture: undefined, signedBy: [] };
  }
}
