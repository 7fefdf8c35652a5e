/** What the operations stand on: one transport, one chooser of endpoints, one default registry; each built on first use. */
import { join, resolve as resolvePath } from "node:path";
import type { Log } from "../call.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { type Credentials, createCredentials } from "../credentials/chain.ts";
import type { CredentialSource } from "../http/credential.ts";
import type { Transport } from "../http/transport.ts";
import { parseRepoPath } from "../reference/name.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { Host, PlacedReference, Reference, RepoPath } from "../reference/reference.ts";
import { createOpener, type Opener, type Protocol } from "../registry/open.ts";
import type { Registry } from "../registry/registry.ts";
import { shellWord } from "../shell-word.ts";
import { type DigestMemo, openDigestMemo } from "../transfer/digest-memo.ts";
import { type MetadataIndex, openMetadataIndex } from "../transfer/metadata-index.ts";
import { createUploadSessions } from "../transfer/sessions.ts";
import { bearer } from "./bearer.ts";
import { type ImageCache, imageCache } from "./cache.ts";
import type { DefaultRegistry } from "./default-registry.ts";
import { createLibraries, type Libraries } from "./libraries.ts";
import { parallelSettings } from "./parallel.ts";
import { placePath, placeReference, unplace, withoutPrefix } from "./placement.ts";
import { createTransports } from "./transports.ts";

export type { Protocol } from "../registry/open.ts";
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line (or a program that uses the API) decides; the configuration fills in the rest. */
export interface ServiceFlags {
  readonly registry?: string | undefined;
  /** Address of a library, for this run. */
  readonly library?: string | undefined;
  /** `library` was typed, so that it is the default registry too. */
  readonly libraryTyped?: boolean;
  /** Another remote.yaml than the usual one. */
  readonly config?: string | undefined;
  /** How a Singularity Registry Server is spoken to. */
  readonly protocol?: Protocol | undefined;
  readonly store?: string | undefined;
  readonly authfile?: string | undefined;
  readonly caFile?: string | undefined;
  /** Token servers that may get a login although they are of another domain than the registry. */
  readonly trustRealm?: readonly string[];
  readonly plainHttp?: boolean;
  readonly insecureTls?: boolean;
  readonly offline?: boolean;
  /** Connections for one image; undefined: found out. */
  readonly parallel?: number | undefined;
}

export interface ServiceOptions {
  readonly env: Environment;
  /** The user's home directory. */
  readonly home: string;
  readonly cwd: string;
  readonly userAgent: string;
  readonly log: Log;
  readonly flags: ServiceFlags;
  /** Stops what is asked on the way to an endpoint: what a server speaks, whose a token is. */
  readonly signal: AbortSignal;
  /** Of a request; undefined: as many as are usual. */
  readonly tries?: number | undefined;
}

/** Names at one endpoint, as a pattern or a reference names it. */
export interface Placement {
  /** The repository `path` there. */
  at(path: RepoPath): PlacedReference;
  /** As the user would write it: without scheme at the default registry. */
  shown(reference: PlacedReference): Reference;
  /** `path` below the default registry's prefix; undefined when it is elsewhere. */
  below(path: RepoPath): RepoPath | undefined;
}

export interface Services extends AsyncDisposable {
  readonly cwd: string;
  readonly open: Opener;
  /** Directory of the embedded registry. */
  readonly store: string;
  /** The content-addressed image cache. */
  readonly imageCache: ImageCache;
  /** Digests of large files that were read before. */
  readonly digestMemo: DigestMemo;
  /** No connection may be opened. */
  readonly offline: boolean;
  /** The flags by which another command has the same default registry: `--registry lab`, `--library URL`, or none. */
  readonly registryFlags: readonly string[];
  readonly config: Config;
  /** What images said of themselves, by digest. */
  readonly metadataIndex: MetadataIndex;
  place(reference: Reference): Promise<PlacedReference>;
  placement(pattern: Pattern): Promise<Placement>;
  openFor(pattern: Pattern): Promise<Registry>;
  /** Without any login. */
  anonymousTransport(host: Host): Transport;
  /** With one login: to prove it, or for what only its owner is told. */
  transportWith(host: Host, credentials: CredentialSource): Transport;
  /** Where configuration files are looked for. */
  readonly places: {
    readonly env: Environment;
    readonly home: string;
    readonly file: string | undefined;
    readonly log: Log;
  };
  baseUrl(host: Host): URL;
  /** Token servers that the user vouches for, for this registry. */
  trustedRealms(host: Host): readonly string[];
  readonly credentials: Credentials;
  /** Remotes, and the libraries behind them. */
  readonly libraries: Libraries;
}

export async function createServices(options: ServiceOptions): Promise<Services> {
  const { env, home, cwd, userAgent, log, flags } = options;
  const config = await loadConfig({ env, home });
  const data = env["XDG_DATA_HOME"] || join(home, ".local", "share");
  const caches = env["XDG_CACHE_HOME"] || join(home, ".cache");
  const state = env["XDG_STATE_HOME"] || join(home, ".local", "state");
  const store = resolvePath(cwd, flags.store ?? config.store ?? join(data, "sregistry", "registry"));
  const credentials = createCredentials({ env, home, authfile: flags.authfile ?? config.authfile, log });
  const transports = createTransports({ env, userAgent, log, flags, config, tries: options.tries });
  const libraries = createLibraries({ ...options, config, transports, cache: join(caches, "sregistry") });
  const uploadSessions = createUploadSessions(join(state, "sregistry", "uploads"));
  const transport = remembered((host: Host) => transports.make(host, { credentials }));
  const open = createOpener({
    store,
    transport,
    anonymousTransport: (host) => transports.make(host),
    bearerTransport: (host, token) => transports.make(host, { credentials: bearer(host, token) }),
    baseUrl: transports.baseUrl,
    library: libraries.open,
    shub: libraries.shub,
    // The old client chose what it spoke by its backend.
    protocol: async () =>
      flags.protocol ?? ((await libraries.logins.oldClient()).backend === "registry" ? "hmac" : "auto"),
    protocolAsked: flags.protocol,
    parallel: parallelSettings(env, log, flags.parallel),
    uploadSessions,
    hostRules: config.hosts,
  });
  const memo = openDigestMemo(join(state, "sregistry", "digests"), log);
  /** What nobody waits for before the end. */
  const later: Promise<void>[] = [];
  const services: Services = {
    cwd,
    store,
    imageCache: imageCache({ env, cwd, caches, settings: config.cache ?? {} }),
    digestMemo: {
      ...memo,
      rememberFile: async (path, digest) => void later.push(memo.rememberFile(path, digest)),
    },
    offline: flags.offline === true,
    registryFlags: registryFlags(flags),
    config,
    metadataIndex: openMetadataIndex(join(caches, "sregistry", "metadata"), log),
    credentials,
    libraries,
    trustedRealms: transports.trustedRealms,
    anonymousTransport: (host) => transports.make(host),
    transportWith: (host, one) => transports.make(host, { credentials: one }),
    places: { env, home, file: flags.config, log },
    baseUrl: transports.baseUrl,
    open,
    async place(reference) {
      return reference.scheme === undefined ? placeReference(reference, await libraries.default()) : reference;
    },
    async placement(pattern) {
      return pattern.scheme === undefined ? atDefault(await libraries.default()) : elsewhere(pattern);
    },
    async openFor(pattern) {
      return open((await services.placement(pattern)).at(pattern.path ?? ANY));
    },
    async [Symbol.asyncDispose]() {
      await transports[Symbol.asyncDispose]();
      await Promise.all(later);
    },
  };
  return services;
}

function registryFlags({ registry, library, libraryTyped }: ServiceFlags): readonly string[] {
  if (registry !== undefined) return ["--registry", shellWord(registry)];
  return library !== undefined && libraryTyped ? ["--library", shellWord(library)] : [];
}

function atDefault(registry: DefaultRegistry): Placement {
  return {
    at: (path) => placePath({}, path, registry),
    shown: (reference) => unplace(reference, registry),
    below: (path) => withoutPrefix(path, registry),
  };
}

function elsewhere(pattern: Pattern): Placement {
  return { at: (path) => placePath(pattern, path, { kind: "local" }), shown: (one) => one, below: (path) => path };
}

function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

/** Opening an endpoint asks for a path; which one does not matter. */
const ANY = parseRepoPath("any");
