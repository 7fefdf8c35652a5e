/** Names between what a user writes and where the image is: bare names at the default registry and back. */
import { SregistryError } from "../errors.ts";
import { parseRepoPath, parseTag } from "../reference/name.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { PlacedReference, Reference, RepoPath, Tag } from "../reference/reference.ts";
import type { DefaultRegistry } from "./default-registry.ts";

/** A bare name at the default registry; anything with a scheme stays as it is. */
export function placeReference(reference: Reference, registry: DefaultRegistry): PlacedReference {
  if (reference.scheme !== undefined) return reference;
  const { path, selector } = reference;
  switch (registry.kind) {
    case "local":
      return { scheme: "local", path, selector };
    case "library":
      // Without a host: the default library is the one that library:// means then.
      return { scheme: "library", path: parseRepoPath(path, "library"), selector };
    case "oras":
      return { scheme: "oras", host: registry.host, path: prefixed(registry.prefix, path), selector };
  }
}

/** The repository `path` at an endpoint; its tag does not matter to what asks for repositories. */
export function placePath({ scheme, host }: Pattern, path: RepoPath, registry: DefaultRegistry): PlacedReference {
  const selector = { kind: "tag", tag: LATEST } as const;
  switch (scheme) {
    case undefined:
      return placeReference({ path, selector }, registry);
    case "local":
      return { scheme, path, selector };
    case "oras":
    case "docker":
      if (host === undefined) throw new SregistryError("USAGE", `${scheme}:// needs a host`);
      return { scheme, host, path, selector };
    default:
      return { scheme, path, selector, ...(host === undefined ? {} : { host }) };
  }
}

/** The name a user of the default registry would type: no scheme, host or prefix. */
export function unplace(reference: PlacedReference, registry: DefaultRegistry): Reference {
  const { path, selector } = reference;
  switch (registry.kind) {
    case "local":
      return reference.scheme === "local" ? { path, selector } : reference;
    case "library":
      return reference.scheme === "library" && reference.host === undefined ? { path, selector } : reference;
    case "oras": {
      if (reference.scheme !== "oras" || reference.host !== registry.host) return reference;
      const below = withoutPrefix(path, registry);
      return below === undefined ? reference : { path: below, selector };
    }
  }
}

/** `path` below the default registry's prefix; undefined when it is elsewhere. */
export function withoutPrefix(path: RepoPath, registry: DefaultRegistry): RepoPath | undefined {
  if (registry.kind !== "oras" || registry.prefix === undefined) return path;
  const prefix = `${registry.prefix}/`;
  return path.startsWith(prefix) ? parseRepoPath(path.slice(prefix.length)) : undefined;
}

/** The same image under another tag. */
export function withTag<R extends Reference>(reference: R, tag: Tag): R {
  // `library://path:a,b` names several; this is about one.
  const several = reference.scheme === "library" && reference.tags !== undefined ? { tags: [tag] } : {};
  return { ...reference, ...several, selector: { kind: "tag", tag } };
}

const LATEST = parseTag("latest");

function prefixed(prefix: RepoPath | undefined, path: RepoPath): RepoPath {
  return prefix === undefined ? path : parseRepoPath(`${prefix}/${path}`);
}
