/** Words that a shell may offer for what is typed so far: as much as can be told at once, and no failure. */
import type { Call } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import { looksLikeHost } from "../reference/host.ts";
import { isRepoPath, parseRepoPath } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import { SCHEMES } from "../reference/split.ts";
import type { Registry } from "../registry/registry.ts";
import { listCache } from "./cache-care.ts";
import type { Placement, Services } from "./services.ts";

export interface Word {
  readonly word: string;
  /** A few words on what it is. */
  readonly says: string;
}

/** Runs while somebody else may be waited for; disks are not hurried. */
export interface Clock {
  start(): void;
  stop(): void;
}

export interface HurriedCall extends Call {
  readonly clock: Clock;
}

/** Of `typed`, as they are found; the caller stops when it has waited enough. */
export type WordFinder = (
  services: Services,
  typed: string,
  line: readonly string[],
  call: HurriedCall,
) => AsyncIterable<Word>;

/** Repositories and tags beyond which nobody reads on. */
const ENOUGH = 2_000;

export async function* remoteWords({ libraries, config }: Services): AsyncGenerator<Word> {
  const { active, remotes } = await libraries.remotes();
  for (const [name, { uri }] of remotes) yield { word: name, says: name === active ? `${uri} (active)` : uri };
  for (const [name, uri] of config.remotes ?? []) yield { word: name, says: uri };
}

export async function* registryWords(services: Services): AsyncGenerator<Word> {
  yield { word: "local", says: "the embedded registry" };
  yield* remoteWords(services);
}

/** Remotes, and the hosts of registries that have a name here. */
export async function* loginWords(services: Services): AsyncGenerator<Word> {
  yield* remoteWords(services);
  for (const { word, says } of ociHosts(services)) yield { word, says };
}

export async function* endpointWords(services: Services): AsyncGenerator<Word> {
  yield { word: "library://", says: "the active remote's library" };
  for (const { word, says } of ociHosts(services)) yield { word: `oras://${word}`, says };
}

function ociHosts({ config }: Services): readonly Word[] {
  const hosts = new Map<string, string>();
  for (const [name, uri] of config.remotes ?? []) {
    const host = /^(?:oras|docker):\/\/([^/]+)/.exec(uri)?.[1];
    if (host !== undefined) hosts.set(host, name);
  }
  return [...hosts].map(([word, says]) => ({ word, says }));
}

/** A typed name: what stands before the path, the endpoint that it means, and the path so far. */
interface Typed {
  /** `oras://ghcr.io/`, `local://`, or nothing. */
  readonly front: string;
  readonly pattern: Pattern;
  readonly name: string;
}

export async function* referenceWords(
  services: Services,
  typed: string,
  _line: readonly string[],
  call: HurriedCall,
): AsyncGenerator<Word> {
  if (!typed.includes("://")) {
    yield* schemes.filter(({ word }) => word.startsWith(typed));
  }
  const at = typed.lastIndexOf("@");
  if (at >= 0) {
    yield* digestWords(services, typed.slice(0, at));
    return;
  }
  const host = /^(oras|docker):\/\/([^/]*)$/.exec(typed);
  if (host !== null) {
    for (const { word, says } of ociHosts(services)) yield { word: `${host[1]}://${word}/`, says };
  }
  if (typed !== "") yield* cachedNames(services, typed);
  const name = host === null ? splitTyped(typed) : undefined;
  if (name !== undefined) yield* namesThere(services, name, call);
}

/** As `list` takes them: a container's name behind a slash is no path. */
export async function* patternWords(
  services: Services,
  typed: string,
  line: readonly string[],
  call: HurriedCall,
): AsyncGenerator<Word> {
  if (!typed.startsWith("/")) yield* referenceWords(services, typed, line, call);
}

/** Tags of the image that the line names, last named first. */
export async function* tagWords(
  services: Services,
  _typed: string,
  line: readonly string[],
  call: HurriedCall,
): AsyncGenerator<Word> {
  for (const word of line.slice(1).reverse()) {
    const named = splitTyped(word.replace(/(?::[^:/]*)?(?:@.*)?$/, ""));
    if (named === undefined || !named.name.includes("/") || !isRepoPath(named.name)) continue;
    for await (const tag of tagsThere(services, named, named.name, call)) yield { word: tag, says: "tag" };
    return;
  }
}

const schemes: readonly Word[] = SCHEMES.map((scheme) => ({
  word: `${scheme}://`,
  says: {
    library: "a library",
    shub: "Singularity Hub's protocol",
    oras: "an image at an OCI registry",
    docker: "layers at an OCI registry",
    local: "the embedded registry",
  }[scheme],
}));

/** Undefined for what is no beginning of a name. */
function splitTyped(typed: string): Typed | undefined {
  const [, scheme = "", rest = ""] = /^((?:[a-z]+:\/\/)?)(.*)$/s.exec(typed) ?? [];
  const [first = "", ...after] = rest.split("/");
  const isOci = /^(?:oras|docker):/.test(scheme);
  const hosted = after.length > 0 && (isOci || (/^(?:library|shub):/.test(scheme) && looksLikeHost(first)));
  const front = hosted ? `${scheme}${first}/` : scheme;
  try {
    // A host alone is a pattern without its slash, a scheme alone one with both.
    const pattern = front === "" ? {} : parsePattern(hosted ? front.slice(0, -1) : front);
    return { front, pattern, name: hosted ? after.join("/") : rest };
  } catch (error) {
    if (isCode(error, "REFERENCE_INVALID")) return undefined;
    throw error;
  }
}

async function* namesThere(services: Services, typed: Typed, call: HurriedCall): AsyncGenerator<Word> {
  const { front, name } = typed;
  const colon = name.indexOf(":");
  if (colon >= 0) {
    yield* withTags(services, typed, name.slice(0, colon), call);
    return;
  }
  const found: string[] = [];
  for await (const path of pathsThere(services, typed, call)) {
    if (path.startsWith(name)) found.push(path);
    if (found.length >= ENOUGH) break;
  }
  const [only, ...others] = nextComponents(found, name.length);
  if (only === undefined) return;
  if (others.length > 0 || only.endsWith("/")) {
    for (const word of [only, ...others]) {
      yield { word: `${front}${word}`, says: word.endsWith("/") ? "collection" : "container" };
    }
    return;
  }
  let tagged = false;
  for await (const word of withTags(services, typed, only, call)) {
    tagged = true;
    yield word;
  }
  if (!tagged) yield { word: `${front}${only}`, says: "container" };
}

/** Paths up to their next slash; where all go on with the same component, up to the one after. */
function nextComponents(paths: readonly string[], from: number): readonly string[] {
  const next = new Set(
    paths.map((path) => {
      const slash = path.indexOf("/", from);
      return slash < 0 ? path : path.slice(0, slash + 1);
    }),
  );
  const [only] = next;
  if (next.size === 1 && only?.endsWith("/") === true) return nextComponents(paths, only.length);
  return [...next].sort();
}

async function* pathsThere(services: Services, { pattern, name }: Typed, call: HurriedCall): AsyncGenerator<string> {
  const { registry, placement } = await endpoint(services, pattern, call);
  try {
    for await (const full of registry.can.repositories?.(call) ?? []) {
      const path = placement.below(full);
      if (path !== undefined) yield path;
    }
  } catch (error) {
    // Sylabs cloud lists nothing, and finds by three characters and more of a name.
    const word = name.split("/").at(-1) ?? "";
    if (!isCode(error, "UNSUPPORTED") || word.length < 3 || registry.can.search === undefined) throw error;
    for await (const { reference } of registry.can.search(word, {}, call)) yield reference.path;
  }
}

/** Already to find out what the default registry is may take a question. */
async function endpoint(
  services: Services,
  pattern: Pattern,
  { clock }: HurriedCall,
): Promise<{ readonly registry: Registry; readonly placement: Placement }> {
  clock.start();
  const placement = await services.placement(pattern);
  if (placement.at(ANY).scheme === "local") clock.stop();
  return { registry: await services.openFor(pattern), placement };
}

/** Which path does not matter. */
const ANY = parseRepoPath("any");

async function* withTags(services: Services, typed: Typed, path: string, call: HurriedCall): AsyncGenerator<Word> {
  if (!isRepoPath(path)) return;
  for await (const tag of tagsThere(services, typed, path, call)) {
    yield { word: `${typed.front}${path}:${tag}`, says: "tag" };
  }
}

async function* tagsThere(
  services: Services,
  { pattern }: Typed,
  path: string,
  call: HurriedCall,
): AsyncGenerator<string> {
  if (!isRepoPath(path)) return;
  const { registry, placement } = await endpoint(services, pattern, call);
  let count = 0;
  for await (const tag of registry.can.tags?.(placement.at(path).path, call) ?? []) {
    yield tag;
    count += 1;
    if (count >= ENOUGH) return;
  }
}

/** Names that images in the cache were fetched by. */
async function* cachedNames(services: Services, typed: string): AsyncGenerator<Word> {
  for (const { reference } of (await listCache(services)).entries) {
    if (reference?.startsWith(typed) === true) yield { word: reference, says: "in the cache" };
  }
}

/** Pins of `name` that are in the cache. */
async function* digestWords(services: Services, name: string): AsyncGenerator<Word> {
  const path = pathOf(name);
  for (const { reference, digest } of (await listCache(services)).entries) {
    if (reference === undefined || path === undefined) continue;
    const known = pathOf(reference);
    if (known === path || known?.endsWith(`/${path}`) === true) {
      yield { word: `${name}@${digest}`, says: `${reference}, in the cache` };
    }
  }
}

function pathOf(name: string): string | undefined {
  try {
    return parseReference(name).path;
  } catch (error) {
    if (error instanceof SregistryError) return undefined;
    throw error;
  }
}
