/** What `list` takes: everything, a collection or any prefix, a container's name across collections, or one image. */
import { looksLikeHost, parseHost } from "./host.ts";
import { invalid, quote } from "./invalid.ts";
import { parseRepoPath } from "./name.ts";
import { hubPath, refuseBareHost, refuseFilePath, splitLibraryHost, splitOciHost } from "./parse.ts";
import type { Host, RepoPath, Scheme, Selector } from "./reference.ts";
import { parseSelector } from "./selector.ts";
import { cut, splitScheme, splitSelector } from "./split.ts";

/** Absent members ask for nothing; `path` and `container` exclude each other. */
export interface Pattern {
  /** Absent: the default registry. */
  readonly scheme?: Scheme;
  readonly host?: Host;
  /** The repository, or a prefix of repositories. With a selector: this repository alone. */
  readonly path?: RepoPath;
  /** Last component of the repository, whatever stands before it. */
  readonly container?: RepoPath;
  /** Present only when the user wrote a tag or a digest. */
  readonly selector?: Selector;
}

/** @throws SregistryError REFERENCE_INVALID as parseReference does. */
export function parsePattern(text: string | undefined): Pattern {
  if (text === undefined || text === "") return {};
  const { scheme, rest } = splitScheme(text);
  switch (scheme) {
    case "oras":
    case "docker":
      return ociPattern(scheme, rest);
    case "library":
    case "shub":
      return hubPattern(scheme, rest);
    case "local":
      return { scheme, ...named(rest, scheme) };
    case undefined:
      if (!rest.startsWith("/")) refuseFilePath(rest);
      refuseBareHost(rest);
      return named(rest, undefined);
  }
}

function ociPattern(scheme: "oras" | "docker", rest: string): Pattern {
  const [first, after] = cut(rest, "/");
  const isHost = scheme === "oras" ? looksLikeHost : isHostAlone;
  if (after === undefined && isHost(first)) return { scheme, host: parseHost(first) };
  const { host, named: name } = splitOciHost(scheme, rest);
  const pattern = named(name, scheme);
  return { scheme, host, ...pattern, ...(pattern.path === undefined ? {} : { path: hubPath(host, pattern.path) }) };
}

/** A host is told by its dot, port or brackets here, or by the slashes that make it one in a reference. */
function hubPattern(scheme: "library" | "shub", rest: string): Pattern {
  const [first, after] = cut(rest, "/");
  if (rest !== "" && (after === undefined ? isHostAlone(first) : looksLikeHost(first))) {
    return { scheme, host: parseHost(first), ...named(after ?? "", scheme) };
  }
  if (scheme === "shub" && rest.split("/").length === 3 && !rest.startsWith("/")) {
    return { scheme, host: parseHost(first), ...named(after ?? "", scheme) };
  }
  if (scheme === "library" && rest.slice(1).includes("/")) {
    const { host, named: name } = splitLibraryHost(rest.replace(/\/$/, ""));
    return { scheme, ...(host === undefined ? {} : { host }), ...named(name, scheme) };
  }
  return { scheme, ...named(rest, scheme) };
}

/** Without a slash `name:1` is a tag, so that a port tells a host only after an address, a dot or localhost. */
function isHostAlone(text: string): boolean {
  return looksLikeHost(cut(text, ":")[0]) || text.startsWith("[");
}

function named(text: string, scheme: Scheme | undefined): Pick<Pattern, "path" | "container" | "selector"> {
  const split = splitSelector(text);
  const asked = split.tag !== undefined || split.digest !== undefined;
  const selector = asked ? { selector: parseSelector(split, scheme) } : {};
  const path = asked ? split.path : split.path.replace(/\/$/, "");
  if (path === "" && !asked) return {};
  if (!path.startsWith("/")) return { path: parseRepoPath(path, scheme), ...selector };
  const container = path.slice(1);
  if (container.includes("/")) {
    throw invalid(
      `pattern ${quote(path)} has more than a container's name after its first slash`,
      `write ${container} for that repository, or /${container.slice(container.lastIndexOf("/") + 1)}`,
    );
  }
  return { container: parseRepoPath(container, scheme), ...selector };
}

/** True when the repository `path` is one that the pattern asks for; hosts and selectors are the caller's to compare. */
export function matches({ path: wanted, container, selector }: Pattern, path: string): boolean {
  if (container !== undefined) return path === container || path.endsWith(`/${container}`);
  if (wanted === undefined || path === wanted) return true;
  return selector === undefined && path.startsWith(`${wanted}/`);
}
