/**
 * After a NOT_FOUND: what has a name like the one that is not there. It asks for little, and changes nothing of the failure but
 * its hint.
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { Call } from "../call.ts";
import { enriched, isCode, type Missing, type SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { formatReference, repositoryName } from "../reference/format.ts";
import { isRepoPath } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import type { PlacedReference, RepoPath, Tag } from "../reference/reference.ts";
import { type Registry, SHORTEST_SEARCH } from "../registry/registry.ts";
import { withTag } from "./placement.ts";
import type { Placement, Services } from "./services.ts";
import { choice, insteadOfPath, insteadOfTag, some } from "./suggest-names.ts";

/** Names that are read at most: some pages, whatever the registry holds. */
const ENOUGH = 1000;

/** The same failure, with a better hint where there is one. @throws SregistryError when the endpoint does not answer. */
export async function suggest(services: Services, error: SregistryError, call: Call): Promise<SregistryError> {
  const { missing, hint: before } = error;
  if (missing === undefined) return error;
  const hint =
    missing.kind === "file"
      ? await fileHint(missing.name, services.cwd)
      : await imageHint(services, missing, before, call);
  return hint === undefined ? error : enriched(error, { hint });
}

async function fileHint(path: string, cwd: string): Promise<string | undefined> {
  const folder = dirname(path);
  const near = nearest(basename(path), await readdir(folder));
  if (near === undefined) return undefined;
  const name = relative(cwd, join(folder, near));
  return `did you mean ${name.startsWith("..") ? join(folder, near) : name}?`;
}

async function imageHint(
  services: Services,
  { name, listed }: Missing,
  before: string | undefined,
  call: Call,
): Promise<string | undefined> {
  const reference = await services.place(parseReference(name));
  if (services.offline && reference.scheme !== "local") return undefined;
  const [registry, placement] = await Promise.all([services.open(reference), services.placement({})]);
  const list: Lister = (one) => {
    const named = one.includes("://") && !one.startsWith("library://");
    return ["sregistry list", ...(named ? [] : services.registryFlags), one].join(" ");
  };
  const tags = await tagsThere(registry, reference.path, call);
  // One that lost its last tag may still be there, and helps nobody.
  if (tags !== undefined && tags.length > 0) return tagHint(reference, tags, placement, list);
  // Nor does what is below a name that has just been listed.
  const { path: wanted } = reference;
  const others = (await pathsThere(registry, wanted, call)).filter(
    (path) => path !== wanted && !(listed === true && path.startsWith(`${wanted}/`)),
  );
  const hint = pathHint(reference, others, placement, list);
  // Registries say of what is private that it is not there.
  const login = /sregistry (?:login \S+|remote (?:login|status)(?: \S+)?)/.exec(before ?? "")?.[0];
  return hint === undefined || login === undefined ? hint : `${hint}; if it is private: ${login}`;
}

/** The command that lists what has this name. */
type Lister = (name: string) => string;

function tagHint(
  reference: PlacedReference,
  tags: readonly Tag[],
  { shown }: Placement,
  list: Lister,
): string | undefined {
  const { selector } = reference;
  const repository = repositoryName(shown(reference));
  // It is there: something else about it was not, such as its architecture.
  if (selector.kind === "tag" && tags.includes(selector.tag)) return undefined;
  const near = selector.kind === "tag" ? insteadOfTag(selector.tag, tags) : [];
  if (near.length === 0) return `${repository} has ${some(tags)}: ${list(repository)}`;
  const names = near.map((tag) => formatReference(shown(withTag(reference, tag))));
  return `did you mean ${choice(names)}? ${list(repository)} shows all`;
}

function pathHint(
  reference: PlacedReference,
  paths: readonly string[],
  { shown }: Placement,
  list: Lister,
): string | undefined {
  const { near, beside, isCollection } = insteadOfPath(reference.path, paths);
  const name = (path: RepoPath): string => repositoryName(shown({ ...reference, path }));
  if (isCollection) return `${name(reference.path)} is a collection: ${list(name(reference.path))}`;
  const [first, ...others] = near.filter((path) => isRepoPath(path, reference.scheme)).map(name);
  if (first !== undefined) {
    return `did you mean ${choice([first, ...others])}? ${list(first)} shows what is there`;
  }
  const collection = reference.path.split("/").slice(0, -1).join("/");
  if (beside.length === 0 || !isRepoPath(collection, reference.scheme)) return undefined;
  return `${name(collection)} has ${some(beside)}: ${list(name(collection))}`;
}

/** Undefined where there is no such repository, or nobody tells. */
async function tagsThere(registry: Registry, path: RepoPath, call: Call): Promise<readonly Tag[] | undefined> {
  try {
    return await atMost(ENOUGH, registry.can.tags?.(path, call) ?? []);
  } catch (error) {
    if (isCode(error, "NOT_FOUND", "UNSUPPORTED")) return undefined;
    throw error;
  }
}

async function pathsThere(registry: Registry, path: RepoPath, call: Call): Promise<readonly string[]> {
  const { repositories, search } = registry.can;
  try {
    return await atMost(ENOUGH, repositories?.(call) ?? []);
  } catch (error) {
    if (!isCode(error, "UNSUPPORTED")) throw error;
    // Sylabs cloud lists nothing, and finds by a part of a name: one half of it will be right.
    const word = path.split("/").at(-1) ?? "";
    const half = Math.max(SHORTEST_SEARCH, Math.ceil(word.length / 2));
    for (const part of new Set([word.slice(0, half), word.slice(-half)])) {
      if (search === undefined || part.length < SHORTEST_SEARCH) return [];
      const hits = await atMost(ENOUGH, search(part, {}, call));
      if (hits.length > 0) return hits.map(({ reference }) => reference.path);
    }
    return [];
  }
}

async function atMost<T>(count: number, items: AsyncIterable<T> | Iterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length >= count) break;
  }
  return found;
}
