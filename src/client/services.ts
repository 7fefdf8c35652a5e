/** What the operations stand on: one transport, one chooser of endpoints, one default registry; each built on first use. */
import { readFile } from "node:fs/promises";
import { join, resolve as resolvePath } from "node:path";
import type { Log } from "../call.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { type Credentials, createCredentials } from "../credentials/chain.ts";
import { SregistryError } from "../errors.ts";
import { baseUrl } from "../http/address.ts";
import type { CredentialSource } from "../http/credential.ts";
import { createTransport } from "../http/index.ts";
import type { Transport } from "../http/transport.ts";
import { parseRepoPath } from "../reference/name.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { Host, PlacedReference, Reference, RepoPath } from "../reference/reference.ts";
import { createOpener, type Opener } from "../registry/open.ts";
import type { Registry } from "../registry/registry.ts";
import { createUploadSessions } from "../transfer/sessions.ts";
import { chooseDefault, placePath, placeReference, unplace, withoutPrefix } from "./default-registry.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line (or a program that uses the API) decides; the configuration fills in the rest. */
export interface ServiceFlags {
  readonly registry?: string | undefined;
  readonly store?: string | undefined;
  readonly authfile?: string | undefined;
  readonly caFile?: string | undefined;
  /** Token servers that may get a login although they are of another domain than the registry. */
  readonly trustRealm?: readonly string[];
  readonly plainHttp?: boolean;
  readonly insecureTls?: boolean;
  readonly offline?: boolean;
}

export interface ServiceOptions {
  readonly env: Environment;
  /** The user's home directory. */
  readonly home: string;
  readonly cwd: string;
  readonly userAgent: string;
  readonly log: Log;
  readonly flags: ServiceFlags;
}

export interface Services extends AsyncDisposable {
  readonly cwd: string;
  readonly open: Opener;
  /** Directory of the embedded registry. */
  readonly store: string;
  /** Directory of the content-addressed image cache. */
  readonly cacheDirectory: string;
  readonly config: Config;
  place(reference: Reference): PlacedReference;
  /** The repository `path`, as a pattern names it, at the pattern's endpoint. */
  placePath(pattern: Pattern, path: RepoPath): PlacedReference;
  /** As the user would write it: without scheme at the default registry. */
  unplace(reference: PlacedReference): Reference;
  /** A repository of the pattern's endpoint below the default registry's prefix; undefined when it is elsewhere. */
  belowPrefix(pattern: Pattern, path: RepoPath): RepoPath | undefined;
  openFor(pattern: Pattern): Promise<Registry>;
  /** For requests to `host`, with its logins; --insecure-tls applies to it alone. */
  transport(host: Host): Transport;
  /** The same without any login: to prove one. */
  anonymousTransport(host: Host): Transport;
  baseUrl(host: Host): URL;
  /** Token servers that the user vouches for, for this registry. */
  trustedRealms(host: Host): readonly string[];
  readonly credentials: Credentials;
}

export async function createServices({ env, home, cwd, userAgent, log, flags }: ServiceOptions): Promise<Services> {
  const config = await loadConfig({ env, home });
  const { registry: chosen, why } = chooseDefault(flags.registry, config.registry);
  const sayWhy = once(() => log.verbose(`default registry: ${why}`));
  const data = env["XDG_DATA_HOME"] || join(home, ".local", "share");
  const caches = env["XDG_CACHE_HOME"] || join(home, ".cache");
  const state = env["XDG_STATE_HOME"] || join(home, ".local", "state");
  const store = resolvePath(cwd, flags.store ?? config.store ?? join(data, "sregistry", "registry"));
  const credentials = createCredentials({ env, home, authfile: flags.authfile ?? config.authfile, log });
  const trustedRealms = (host: Host): readonly string[] => [
    ...(flags.trustRealm ?? []),
    ...(config.trustedRealms.get(host) ?? []),
  ];
  const made: Transport[] = [];
  const makeTransport = (host: Host, credentials?: CredentialSource): Transport => {
    refuseOffline(flags.offline === true, host);
    const transport = createTransport({
      userAgent,
      env,
      caFile: flags.caFile ?? config.caFile,
      readFile: (path) => readFile(path, "utf8"),
      insecureHosts: flags.insecureTls === true ? [host] : [],
      trustedRealms: trustedRealms(host),
      log,
      ...(config.retryAfterLimit === undefined ? {} : { retry: { longestRetryAfter: config.retryAfterLimit } }),
      ...(credentials === undefined ? {} : { credentials }),
    });
    made.push(transport);
    return transport;
  };
  const transport = remembered((host: Host) => makeTransport(host, credentials));
  /** Loopback is plain http by default only: an https URL, or a flag about certificates, asks for TLS there too. */
  const withTls = (host: Host): boolean => {
    if (flags.plainHttp === true) return false;
    const named = chosen.kind === "oras" && chosen.host === host && chosen.plainHttp === false;
    return named || flags.insecureTls === true || flags.caFile !== undefined;
  };
  const plainHttp = (host: Host): boolean =>
    flags.plainHttp === true ||
    config.plainHttp.includes(host) ||
    (chosen.kind === "oras" && chosen.host === host && chosen.plainHttp === true);
  const services: Services = {
    cwd,
    store,
    cacheDirectory: resolvePath(cwd, cacheDirectory(env, caches)),
    config,
    credentials,
    transport,
    trustedRealms,
    anonymousTransport: (host) => makeTransport(host),
    baseUrl: (host) => (withTls(host) ? new URL(`https://${host}/`) : baseUrl(host, { plainHttp: plainHttp(host) })),
    open: createOpener({
      store,
      transport,
      baseUrl: (host) => services.baseUrl(host),
      uploadSessions: createUploadSessions(join(state, "sregistry", "uploads")),
      hostRules: config.hosts,
    }),
    place(reference) {
      if (reference.scheme === undefined) sayWhy();
      return placeReference(reference, chosen);
    },
    placePath(pattern, path) {
      if (pattern.scheme === undefined) sayWhy();
      return placePath(pattern, path, chosen);
    },
    unplace: (reference) => unplace(reference, chosen),
    belowPrefix: ({ scheme }, path) => (scheme === undefined ? withoutPrefix(path, chosen) : path),
    openFor: (pattern) => services.open(placePath(pattern, pattern.path ?? ANY, chosen)),
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map((one) => one.close()));
    },
  };
  return services;
}

function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

/** Singularity's and Apptainer's cache directories are theirs; ours is a folder in them. */
function cacheDirectory(env: Environment, caches: string): string {
  const shared = env["APPTAINER_CACHEDIR"] || env["SINGULARITY_CACHEDIR"] || caches;
  return env["SREGISTRY_CACHEDIR"] || join(shared, "sregistry");
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

function refuseOffline(offline: boolean, host: Host): void {
  if (!offline) return;
  throw new SregistryError("NETWORK", `${host} cannot be asked: --offline opens no connection`, {
    hint: "run it once without --offline",
  });
}

/** Opening an endpoint asks for a path; which one does not matter. */
const ANY = parseRepoPath("any");
