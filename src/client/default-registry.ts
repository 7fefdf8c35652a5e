/** Which registry a name without scheme belongs to, and which library one without host: chosen out of what the user set. */
import { SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { looksLikeHost, parseHost } from "../reference/host.ts";
import { parseRepoPath } from "../reference/name.ts";
import type { Host, RepoPath } from "../reference/reference.ts";

export interface OciDefault {
  readonly kind: "oras";
  readonly host: Host;
  /** Put before every path: `oras://ghcr.io/org` makes `tool:1` `oras://ghcr.io/org/tool:1`. */
  readonly prefix: RepoPath | undefined;
  /** The scheme of an http(s) URL decides; undefined leaves it to --plain-http and loopback. */
  readonly plainHttp: boolean | undefined;
}

/** A library as the user named it: a remote of remote.yaml, or the address of a front end or of the API itself. */
export type LibraryName =
  | { readonly kind: "remote"; readonly name: string }
  | { readonly kind: "url"; readonly url: URL };

export type DefaultRegistry =
  | { readonly kind: "local" }
  | OciDefault
  | { readonly kind: "library"; readonly library: LibraryName };

/** `ask`: an http(s) URL, which has to be asked what it speaks. */
export type WantedRegistry = DefaultRegistry | { readonly kind: "ask"; readonly url: URL };

/** What a user may call a registry by a name of their own. */
export interface KnownNames {
  /** Remotes of remote.yaml. */
  readonly remotes: ReadonlySet<string>;
  /** Of config.yaml: name -> what --registry would take. */
  readonly own: ReadonlyMap<string, string>;
}

const OCI_FORM = /^(?:oras|docker):\/\/([^/]+)(?:\/(.*))?$/;

/** @throws SregistryError CONFIG_INVALID naming `from` when the text is no registry. */
export function parseRegistryName(text: string, from: string, known: KnownNames): WantedRegistry {
  if (text === "local" || text === "local://") return { kind: "local" };
  if (known.remotes.has(text)) return { kind: "library", library: { kind: "remote", name: text } };
  const own = known.own.get(text);
  if (own !== undefined) return parseRegistryName(own, `${from} (${text} in config.yaml)`, NO_NAMES);
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return { kind: "ask", url: webUrl(text, from) };
  if (text.startsWith("library://")) {
    const url = `https://${text.slice("library://".length)}`;
    return { kind: "library", library: { kind: "url", url: webUrl(url, from) } };
  }
  if (text.includes("://") && !OCI_FORM.test(text)) throw notARegistry(text, from, known);
  const oci = OCI_FORM.exec(text) ?? OCI_FORM.exec(looksLikeHost(text.split("/", 1)[0] ?? "") ? `oras://${text}` : "");
  if (oci?.[1] === undefined) throw notARegistry(text, from, known);
  const path = (oci[2] ?? "").replace(/\/+$/, "");
  return ociDefault(parseHost(oci[1]), path, undefined);
}

const NO_NAMES: KnownNames = { remotes: new Set(), own: new Map() };

function notARegistry(text: string, from: string, { remotes, own }: KnownNames): SregistryError {
  const names = [...new Set(["local", ...remotes, ...own.keys()])];
  const near = nearest(text, names);
  const expected = `expected a remote (${names.join(", ")}), oras://HOST[/PATH], http://HOST[:PORT] or https://HOST`;
  return new SregistryError("CONFIG_INVALID", `${from} ${JSON.stringify(text)} names no registry`, {
    hint: near === undefined ? expected : `did you mean ${near}? ${expected}`,
  });
}

/** @throws SregistryError CONFIG_INVALID for a URL with a user, a query or a fragment. */
export function webUrl(text: string, from: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username === "";
  if (plain && url.password === "") return url;
  throw new SregistryError("CONFIG_INVALID", `${from} ${JSON.stringify(text)} is no http(s) address of a server`, {
    hint: "write it as https://HOST[:PORT][/PATH], without user, query or fragment",
  });
}

/** An http(s) URL that turned out to speak OCI. */
export function ociAt(url: URL): OciDefault {
  return ociDefault(parseHost(url.host), url.pathname.replace(/^\/+|\/+$/g, ""), url.protocol === "http:");
}

function ociDefault(host: Host, path: string, plainHttp: boolean | undefined): OciDefault {
  return { kind: "oras", host, prefix: path === "" ? undefined : parseRepoPath(path), plainHttp };
}

export interface Chosen<T> {
  readonly what: T;
  /** Which was taken, and why: for -v. */
  readonly why: string;
}

/** What the user may have set, strongest first (product.md, "Names"). */
export interface Settings {
  /** --library as it was typed: for this run it is the default too. */
  readonly typedLibrary?: string | undefined;
  /** --registry, SREGISTRY_REGISTRY. */
  readonly registry?: string | undefined;
  /** SREGISTRY_LIBRARY, APPTAINER_LIBRARY, SINGULARITY_LIBRARY. */
  readonly library?: string | undefined;
  /** SREGISTRY_REGISTRY_BASE, the old client's variable. */
  readonly oldVariable?: URL | undefined;
  /** `registry` of config.yaml, which `remote use` sets. */
  readonly configured?: string | undefined;
  readonly active?: { readonly name: string; readonly chosen: boolean } | undefined;
  /** The base in ~/.sregistry. */
  readonly oldFile?: URL | undefined;
  readonly known: KnownNames;
}

/** The default registry: the first setting that there is; the embedded store when there is none. */
export function chooseDefault(settings: Settings): Chosen<WantedRegistry> {
  const { typedLibrary, registry, library, oldVariable, configured, active, oldFile, known } = settings;
  const at = (url: URL): WantedRegistry => ({ kind: "library", library: { kind: "url", url } });
  if (typedLibrary !== undefined) return chosen(at(webUrl(typedLibrary, "--library")), `${typedLibrary} (--library)`);
  if (registry !== undefined) {
    const why = `${registry} (--registry or SREGISTRY_REGISTRY)`;
    return chosen(parseRegistryName(registry, "--registry", known), why);
  }
  if (library !== undefined) return chosen(at(webUrl(library, LIBRARY_VARIABLES)), `${library} (${LIBRARY_VARIABLES})`);
  if (oldVariable !== undefined) return chosen(at(oldVariable), `${oldVariable.href} (SREGISTRY_REGISTRY_BASE)`);
  if (configured !== undefined) {
    return chosen(parseRegistryName(configured, "registry in config.yaml", known), `${configured} (config.yaml)`);
  }
  if (active?.chosen === true) {
    const library = { kind: "remote", name: active.name } as const;
    return chosen({ kind: "library", library }, `${active.name} (the active remote of remote.yaml)`);
  }
  if (oldFile !== undefined) return chosen(at(oldFile), `${oldFile.href} (~/.sregistry)`);
  return chosen({ kind: "local" }, "the embedded store (nothing else is set)");
}

/** What library:// without a host means when the default registry is no library. */
export function chooseLibrary({ library, active }: Settings): Chosen<LibraryName> {
  if (library !== undefined) {
    return chosen({ kind: "url", url: webUrl(library, LIBRARY_VARIABLES) }, `${library} (${LIBRARY_VARIABLES})`);
  }
  if (active !== undefined)
    return chosen({ kind: "remote", name: active.name }, `${active.name} (the active remote of remote.yaml)`);
  return chosen({ kind: "url", url: SYLABS_CLOUD }, `${SYLABS_CLOUD.host} (Singularity's own default)`);
}

const LIBRARY_VARIABLES = "SREGISTRY_LIBRARY, APPTAINER_LIBRARY or SINGULARITY_LIBRARY";

/** Compiled into SingularityCE 4.5 as the default remote. */
const SYLABS_CLOUD = new URL("https://cloud.sylabs.io");

function chosen<T>(what: T, why: string): Chosen<T> {
  return { what, why };
}
