/** The settings that config.yaml may have. */
import { SregistryError } from "../errors.ts";
import type { Host } from "../reference/reference.ts";
import { parseYaml, type YamlNode } from "../yaml/document.ts";
import {
  choice,
  duration,
  fields,
  flag,
  host,
  hostPattern,
  list,
  map,
  type Place,
  path,
  realm,
  remoteName,
  size,
  text,
  type ValueReader,
} from "./values.ts";

/** How to upload to a host; the form in which the OCI room takes its rules. */
export interface HostSettings {
  /** A host, or with a leading `*.` all below a domain. */
  readonly host: string;
  readonly mode: "chunked" | "monolithic";
  /** Bytes of one upload chunk. */
  readonly chunkSize: number;
}

/** The image cache. */
export interface CacheSettings {
  readonly directory?: string;
  /** For a group: what one user fetches, the others may read and replace. */
  readonly shared?: boolean;
  /** Directories of images that are read besides, never written. */
  readonly lookaside?: readonly string[];
}

export interface Settings {
  /** Default registry, as --registry takes it. */
  readonly registry?: string;
  /** OCI registries by names of the user's: what --registry would take. */
  readonly remotes?: ReadonlyMap<string, string>;
  /** Tokens of remotes are kept in the system's keyring. */
  readonly keyring?: boolean;
  /** Directory of the embedded registry; absolute, as every path here. */
  readonly store?: string;
  readonly cache?: CacheSettings;
  readonly authfile?: string;
  readonly caFile?: string;
  /** Hosts that are spoken to over http. */
  readonly plainHttp?: readonly Host[];
  /** host -> token servers that may have its login. */
  readonly trustedRealms?: ReadonlyMap<string, readonly string[]>;
  /** By `host`. */
  readonly hosts?: ReadonlyMap<string, HostSettings>;
  readonly progress?: "auto" | "bar" | "plain" | "json" | "none";
  /** Milliseconds of a Retry-After that are waited for. */
  readonly retryAfterLimit?: number;
}

const cacheSettings: ValueReader<CacheSettings> = (node, place) => {
  const given = fields(node, place, ["directory", "shared", "lookaside"]);
  const read = <T>(name: string, reader: ValueReader<T>): T | undefined => {
    const item = given.get(name);
    return item && reader(item, { ...place, key: `${place.key}.${name}` });
  };
  return present<CacheSettings>({
    directory: read("directory", path),
    shared: read("shared", flag),
    lookaside: read("lookaside", list(path)),
  });
};

/** What the OCI room does with a host it knows nothing of. */
const USUAL = { mode: "chunked", chunkSize: 64 * 2 ** 20 } as const;

const hostRule: ValueReader<Omit<HostSettings, "host">> = (node, place) => {
  const given = fields(node, place, ["chunk-size", "mode"]);
  const read = <T>(name: string, reader: ValueReader<T>): T | undefined => {
    const item = given.get(name);
    return item && reader(item, { ...place, key: `${place.key}.${name}` });
  };
  return {
    mode: read("mode", choice("chunked", "monolithic")) ?? USUAL.mode,
    chunkSize: read("chunk-size", size) ?? USUAL.chunkSize,
  };
};

const hostSettings: ValueReader<ReadonlyMap<string, HostSettings>> = (node, place) => {
  const rules = map(hostPattern, hostRule)(node, place);
  return new Map([...rules].map(([pattern, rule]) => [pattern, { host: pattern, ...rule }]));
};

const NAMES: Readonly<Record<keyof Settings, string>> = {
  registry: "registry",
  remotes: "remotes",
  keyring: "keyring",
  store: "store",
  cache: "cache",
  authfile: "authfile",
  caFile: "ca-file",
  plainHttp: "plain-http",
  trustedRealms: "trust-realm",
  hosts: "hosts",
  progress: "progress",
  retryAfterLimit: "retry-after-limit",
};

export interface ParsedSettings {
  readonly settings: Settings;
  readonly sources: ReadonlyMap<keyof Settings, string>;
}

/** @throws SregistryError CONFIG_INVALID naming file, line and setting. */
export function parseSettings(source: string, file: string, home: string): ParsedSettings {
  const root = parseYaml(source, file);
  refuseUnstorable(root, file);
  const given = fields(root, { file, home, key: "" }, Object.values(NAMES));
  const sources = new Map<keyof Settings, string>();
  const read = <T>(property: keyof Settings, reader: ValueReader<T>): T | undefined => {
    const key = NAMES[property];
    const node = given.get(key);
    if (node === undefined) return undefined;
    sources.set(property, `${file}, line ${node.line}`);
    const place: Place = { file, home, key };
    return reader(node, place);
  };
  const settings = present<Settings>({
    registry: read("registry", text),
    remotes: read("remotes", map(remoteName, text)),
    keyring: read("keyring", flag),
    store: read("store", path),
    cache: read("cache", cacheSettings),
    authfile: read("authfile", path),
    caFile: read("caFile", path),
    plainHttp: read("plainHttp", list(host)),
    trustedRealms: read("trustedRealms", map(host, list(realm))),
    hosts: read("hosts", hostSettings),
    progress: read("progress", choice("auto", "bar", "plain", "json", "none")),
    retryAfterLimit: read("retryAfterLimit", duration),
  });
  return { settings, sources };
}

/** Unverified TLS is for one run and one host, and said aloud each time: it cannot be made a habit. */
function refuseUnstorable({ value }: YamlNode, file: string): void {
  const node = value instanceof Map ? value.get("insecure-tls") : undefined;
  if (node === undefined) return;
  throw new SregistryError("CONFIG_INVALID", `${file}, line ${node.line}: insecure-tls cannot be stored`, {
    hint: "give --insecure-tls on the command line, or better the registry's authority with ca-file",
  });
}

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Without the settings that are not given. */
function present<T extends object>(values: Loose<T>): T;
function present(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
