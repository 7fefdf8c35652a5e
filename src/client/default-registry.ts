/** The registry that a name without scheme belongs to, as --registry, SREGISTRY_REGISTRY or the configuration say. */
import { SregistryError } from "../errors.ts";
import { looksLikeHost, parseHost } from "../reference/host.ts";
import { parseRepoPath, parseTag } from "../reference/name.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { Host, PlacedReference, Reference, RepoPath, Tag } from "../reference/reference.ts";

export type DefaultRegistry =
  | { readonly kind: "local" }
  | {
      readonly kind: "oras";
      readonly host: Host;
      /** Put before every path: `oras://ghcr.io/org` makes `tool:1` `oras://ghcr.io/org/tool:1`. */
      readonly prefix: RepoPath | undefined;
      /** The scheme of an http(s) URL decides; undefined leaves it to --plain-http and loopback. */
      readonly plainHttp: boolean | undefined;
    };

const URL_FORM = /^(oras|docker|http|https):\/\/([^/]+)(?:\/(.*))?$/;

/** @throws SregistryError CONFIG_INVALID naming `from` when the text is no registry. */
export function parseDefaultRegistry(text: string, from: string): DefaultRegistry {
  if (text === "local" || text === "local://") return { kind: "local" };
  const match =
    URL_FORM.exec(text) ?? URL_FORM.exec(looksLikeHost(text.split("/", 1)[0] ?? "") ? `oras://${text}` : "");
  if (match?.[2] === undefined) {
    throw new SregistryError("CONFIG_INVALID", `${from} ${JSON.stringify(text)} names no registry`, {
      hint: "expected local, oras://HOST[/PATH], http://HOST[:PORT] or https://HOST",
    });
  }
  const path = (match[3] ?? "").replace(/\/+$/, "");
  const web = match[1] === "http" || match[1] === "https";
  return {
    kind: "oras",
    host: parseHost(match[2]),
    prefix: path === "" ? undefined : parseRepoPath(path),
    plainHttp: web ? match[1] === "http" : undefined,
  };
}

/** A bare name at the default registry; anything with a scheme stays as it is. */
export function placeReference(reference: Reference, registry: DefaultRegistry): PlacedReference {
  if (reference.scheme !== undefined) return reference;
  const { path, selector } = reference;
  if (registry.kind === "local") return { scheme: "local", path, selector };
  return { scheme: "oras", host: registry.host, path: prefixed(registry.prefix, path), selector };
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
  if (registry.kind === "local") return reference.scheme === "local" ? { path, selector } : reference;
  if (reference.scheme !== "oras" || reference.host !== registry.host) return reference;
  const below = withoutPrefix(path, registry);
  return below === undefined ? reference : { path: below, selector };
}

/** `path` below the default registry's prefix; undefined when it is elsewhere. */
export function withoutPrefix(path: RepoPath, registry: DefaultRegistry): RepoPath | undefined {
  if (registry.kind === "local" || registry.prefix === undefined) return path;
  const prefix = `${registry.prefix}/`;
  return path.startsWith(prefix) ? parseRepoPath(path.slice(prefix.length)) : undefined;
}

/** The same image under another tag. */
export function withTag<R extends Reference>(reference: R, tag: Tag): R {
  return { ...reference, selector: { kind: "tag", tag } };
}

const LATEST = parseTag("latest");

function prefixed(prefix: RepoPath | undefined, path: RepoPath): RepoPath {
  return prefix === undefined ? path : parseRepoPath(`${prefix}/${path}`);
}

export interface ChosenRegistry {
  readonly registry: DefaultRegistry;
  /** Which was taken, and why: for -v. */
  readonly why: string;
}

/** --registry (or its variable) > the configuration > the embedded store. */
export function chooseDefault(flag: string | undefined, configured: string | undefined): ChosenRegistry {
  if (flag !== undefined) {
    return { registry: parseDefaultRegistry(flag, "--registry"), why: `${flag} (--registry or SREGISTRY_REGISTRY)` };
  }
  if (configured !== undefined) {
    const registry = parseDefaultRegistry(configured, "registry in config.yaml");
    return { registry, why: `${configured} (config.yaml)` };
  }
  return { registry: { kind: "local" }, why: "the embedded store (nothing else is set)" };
}
