/** Under which names a host's login is kept in docker's, podman's and Singularity's files. */

/** Docker Hub's key in every such file and helper: that of its index, of long ago. */
export const HUB_KEY = "https://index.docker.io/v1/";

const HUB_HOST = "index.docker.io";
const HUB_NAMES: readonly string[] = ["docker.io", HUB_HOST, "registry-1.docker.io", "registry.hub.docker.com"];

export interface KeyQuery {
  readonly host: string;
  readonly repository?: string | undefined;
  /** https, or http: which port a host without one has. */
  readonly secure?: boolean | undefined;
}

/** The key that docker and Singularity write for a host. */
export function storedKey(host: string): string {
  return canonicalHost(host) === HUB_HOST ? HUB_KEY : canonicalHost(host);
}

/** One name for all of Docker Hub's; any other host as it is. A port is part of the name: `h` is not `h:5000`. */
function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return HUB_NAMES.includes(lower) ? HUB_HOST : lower;
}

/**
 * `host` or `host/path` that a key stands for. With a scheme (`https://h/v1/`) the path is that of an API; without, it is
 * podman's: the login holds for the repositories below it (containers-auth.json(5)).
 */
export function placeOfKey(key: string): string {
  const bare = key.replace(/^https?:\/\//i, "");
  const [host = "", ...path] = bare.split("/");
  const api = bare !== key || /^v[12]?$/.test(path.join("/").replace(/\/$/, ""));
  const below = api ? "" : path.join("/").replace(/\/+$/, "");
  return below === "" ? canonicalHost(host) : `${canonicalHost(host)}/${below}`;
}

/** The places to look for, most specific first: `h/a/b`, `h/a`, `h`, and `h` with its port spelled out. */
export function placesFor({ host, repository, secure }: KeyQuery): readonly string[] {
  const base = canonicalHost(host);
  const parts = repository === undefined || repository === "" ? [] : repository.split("/");
  const below = parts.map((_, index) => [base, ...parts.slice(0, parts.length - index)].join("/"));
  const portless = !/:\d+$/.test(base) && secure !== undefined;
  return [...below, base, ...(portless ? [`${base}:${secure ? 443 : 80}`] : [])];
}

/**
 * The keys of `keys` that hold for the query, best first. Of several for one place, the one docker itself would write comes
 * before the place spelled out, and both before any other spelling.
 */
export function matchingKeys(keys: Iterable<string>, query: KeyQuery): readonly string[] {
  const known = [...keys];
  return placesFor(query).flatMap((place) => {
    const rank = (key: string): number => (key === storedKey(place) ? 0 : key === place ? 1 : 2);
    return known.filter((key) => placeOfKey(key) === place).sort((a, b) => rank(a) - rank(b));
  });
}

/** Every key that stands for the whole host. */
export function keysOfHost(keys: Iterable<string>, host: string): readonly string[] {
  return [...keys].filter((key) => placeOfKey(key) === canonicalHost(host));
}
