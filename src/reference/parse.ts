/**
 * Text -> Reference: `[scheme://][host[:port]/]path[:tag][@digest]`. Length is capped first, and every step is one
 * pass over the text. Nothing of the environment is asked.
 */
import { isPath } from "./file-word.ts";
import { looksLikeHost, parseHost } from "./host.ts";
import { invalid, quote } from "./invalid.ts";
import { parseRepoPath } from "./name.ts";
import type {
  BareReference,
  Host,
  LibraryReference,
  OciReference,
  Reference,
  RepoPath,
  Scheme,
  Selector,
  ShubReference,
} from "./reference.ts";
import { parseLibrarySelector, parseSelector } from "./selector.ts";
import { cut, splitScheme, splitSelector } from "./split.ts";

/** @throws SregistryError REFERENCE_INVALID naming the part of `text` that is wrong and what to write instead. */
export function parseReference(text: string): Reference {
  const { scheme, rest } = splitScheme(text);
  switch (scheme) {
    case "library":
      return parseLibrary(rest);
    case "shub":
      return parseShub(rest);
    case "oras":
    case "docker":
      return parseOci(scheme, rest);
    case "local":
      refusePort(rest, "local:// names no host", `write oras://${rest} for a registry there`);
      return { scheme, ...parseNamed(rest, scheme) };
    case undefined:
      return parseBare(rest);
  }
}

function parseNamed(text: string, scheme?: Scheme): { readonly path: RepoPath; readonly selector: Selector } {
  const split = splitSelector(text);
  return { path: parseRepoPath(split.path, scheme), selector: parseSelector(split, scheme) };
}

/** SingularityCE's reading: three slashes or more, and the first component is the host; `library:///a/b` has none. */
export function splitLibraryHost(rest: string): { readonly host?: Host; readonly named: string } {
  if (rest.startsWith("/")) return { named: rest.slice(1) };
  const [first, named] = cut(rest, "/");
  if (named === undefined || rest.split("/").length <= 3) {
    refusePort(
      rest,
      "library:// takes the first component for a host only before three others",
      `write library://${first}/ENTITY/COLLECTION/CONTAINER`,
    );
    return { named: rest };
  }
  return { host: parseHost(first), named };
}

function parseLibrary(rest: string): LibraryReference {
  const { host, named } = splitLibraryHost(rest);
  const split = splitSelector(named);
  const path = parseRepoPath(split.path, "library");
  const components = path.split("/").length;
  if (components > 3) {
    throw invalid(
      `path ${quote(path)} has ${components} components: library:// paths have at most three`,
      "write library://[HOST/]entity/collection/container:tag",
    );
  }
  return { scheme: "library", ...(host === undefined ? {} : { host }), path, ...parseLibrarySelector(split) };
}

function parseShub(rest: string): ShubReference {
  const components = rest.split("/").length;
  if (components < 2 || components > 3) {
    throw invalid(
      `shub:// path ${quote(rest)} has ${components} component${components === 1 ? "" : "s"}, not two or three`,
      "write shub://[HOST[:PORT]/]collection/name:tag",
    );
  }
  if (components === 2) {
    refusePort(
      rest,
      "shub:// takes the first of three components for a host",
      `write shub://HOST:PORT/collection/name`,
    );
    return { scheme: "shub", ...parseNamed(rest, "shub") };
  }
  const [host, named = ""] = cut(rest, "/");
  return { scheme: "shub", host: parseHost(host), ...parseNamed(named, "shub") };
}

const HUB = parseHost("docker.io");
/** Docker Hub's API hosts, which users write as well as its name. */
const HUB_HOSTS: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** The host of an oras or docker name, by Docker's rule; without one docker names are Docker Hub's. */
export function splitOciHost(scheme: "oras" | "docker", rest: string): { readonly host: Host; readonly named: string } {
  const [first, named] = cut(rest, "/");
  if (named !== undefined && looksLikeHost(first)) {
    const host = parseHost(first);
    return { host: HUB_HOSTS.includes(host) ? HUB : host, named };
  }
  if (scheme === "docker") return { host: HUB, named: rest };
  if (named === undefined) {
    throw invalid(
      `${quote(`oras://${rest}`)} does not name both a host and a path`,
      "write oras://HOST[:PORT]/path:tag, as in oras://ghcr.io/org/tool:1.0",
    );
  }
  throw invalid(
    `${quote(first)} is not a host, and an oras:// reference names one`,
    `write oras://docker.io/${rest} for Docker Hub, or oras://${first}:443/${named} for a host of that name`,
  );
}

/** Docker Hub's own images live under `library/`; no other registry gets that prefix. */
export function hubPath(host: Host, path: RepoPath): RepoPath {
  return host === HUB && !path.includes("/") ? parseRepoPath(`library/${path}`) : path;
}

function parseOci(scheme: "oras" | "docker", rest: string): OciReference {
  const { host, named } = splitOciHost(scheme, rest);
  const { path, selector } = parseNamed(named, scheme);
  return { scheme, host, path: hubPath(host, path), selector };
}

function parseBare(rest: string): BareReference {
  refuseFilePath(rest);
  refuseBareHost(rest);
  const named = parseNamed(rest);
  if (/\.(?:sif|simg|img)$/.test(named.path)) {
    // Singularity Registry Server cuts these endings out of every name it is asked for.
    throw invalid(
      `name ${quote(named.path)} ends like a file's, not like an image's in a registry`,
      "for a file give its path where the verb takes one; for an image leave the ending out",
    );
  }
  return named;
}

/** `../tool.sif` would be told to be a host, for its dots; `/avocado` is a pattern that has gone astray. */
export function refuseFilePath(rest: string): void {
  if (!isPath(rest) || /^\/[^/]*$/.test(rest)) return;
  throw invalid(
    `${quote(rest)} is the path of a file, and an image in a registry is named here`,
    "images are named like lab/tool:1.0; sregistry push sends a file, sregistry inspect shows one",
  );
}

/** A forgotten scheme must not send the name to the default registry. */
export function refuseBareHost(rest: string): void {
  const [first, named] = cut(rest, "/");
  if (named === undefined || !looksLikeHost(first) || /:(?![0-9]+$)/.test(first.replace(/^\[.*\]/, ""))) return;
  throw invalid(
    `${quote(first)} is written like a host, but the reference has no scheme`,
    `write oras://${rest} (or library://, shub://, docker://)`,
  );
}

/** A host with a port where the scheme's grammar has no room for it: the port would be read as a tag. */
function refusePort(rest: string, why: string, hint: string): void {
  const [first, named] = cut(rest, "/");
  if (named !== undefined && /^(?:\[.*\]|[^:]*)(?::[0-9]+)$|^\[/.test(first)) {
    throw invalid(`host ${quote(first)} is not expected here: ${why}`, hint);
  }
}
