/**
 * Our own configuration: the user's config.yaml over the site's in /etc. What Singularity shares is not here, since its own
 * files must not hold keys it does not know.
 */
import { join } from "node:path";
import { SregistryError } from "../errors.ts";
import type { Host } from "../reference/reference.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { refuseForeign } from "../transfer/trusted-file.ts";
import type { CacheSettings, HostSettings, Settings } from "./settings.ts";

export type { CacheSettings, HostSettings, Settings } from "./settings.ts";

/** `hosts` and `trustedRealms` have the site's entries for the hosts that the user's file does not name. */
export interface Config extends Omit<Settings, "hosts"> {
  readonly plainHttp: readonly Host[];
  readonly trustedRealms: ReadonlyMap<string, readonly string[]>;
  /** Most specific first: a host, then `*.` and a long domain, then a short one. */
  readonly hosts: readonly HostSettings[];
  /** Where each setting is from: `/home/me/.config/sregistry/config.yaml, line 3`. */
  readonly sources: ReadonlyMap<keyof Settings, string>;
}

export interface ConfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home directory. */
  readonly home: string;
  /** Instead of the user's own file; has to exist. */
  readonly file?: string | undefined;
  /** The site's file; default /etc/sregistry/config.yaml. */
  readonly siteFile?: string | undefined;
}

interface Layer {
  readonly settings: Settings;
  readonly sources: ReadonlyMap<keyof Settings, string>;
}

/** @throws SregistryError CONFIG_INVALID naming file, line and setting; also for a file that others could have changed. */
export async function loadConfig(options: ConfigOptions): Promise<Config> {
  const { home, siteFile = "/etc/sregistry/config.yaml" } = options;
  const [site, user] = await Promise.all([
    loadLayer(siteFile, home),
    options.file === undefined ? loadLayer(userConfigFile(options), home) : loadNamed(options.file, home),
  ]);
  const settings = { ...site?.settings, ...user?.settings };
  const cache = mergedCache(site?.settings.cache, user?.settings.cache);
  return {
    ...settings,
    ...(cache === undefined ? {} : { cache }),
    plainHttp: settings.plainHttp ?? [],
    trustedRealms: merged(site?.settings.trustedRealms, user?.settings.trustedRealms),
    hosts: [...merged(site?.settings.hosts, user?.settings.hosts).values()].sort(bySpecificity),
    sources: merged(site?.sources, user?.sources),
  };
}

/** $XDG_CONFIG_HOME/sregistry/config.yaml; as the XDG specification wants it, a relative directory does not count. */
export function userConfigFile({ env, home }: Pick<ConfigOptions, "env" | "home">): string {
  const xdg = env["XDG_CONFIG_HOME"] ?? "";
  return join(xdg.startsWith("/") ? xdg : join(home, ".config"), "sregistry", "config.yaml");
}

async function loadNamed(file: string, home: string): Promise<Layer> {
  const layer = await loadLayer(file, home);
  if (layer !== undefined) return layer;
  throw new SregistryError("CONFIG_INVALID", `${file}, named as the configuration, does not exist`);
}

async function loadLayer(file: string, home: string): Promise<Layer | undefined> {
  const found = await readSmallFile(file);
  if (found === undefined) return undefined;
  // It says whom to trust.
  await refuseForeign(file, found, { home, others: (me) => `chown ${me} ${file}`, writable: `chmod o-w ${file}` });
  // Most users have no file of their own, so the parser is loaded for those who do.
  const { parseSettings } = await import("./settings.ts");
  return parseSettings(found.text, file, home);
}

/** A directory of the user's own is not the group's because the site's is. */
function mergedCache(site: CacheSettings | undefined, user: CacheSettings | undefined): CacheSettings | undefined {
  if (site === undefined || user === undefined) return user ?? site;
  if (user.directory === undefined) return { ...site, ...user };
  const { shared: _shared, ...rest } = site;
  return { ...rest, ...user };
}

function bySpecificity(a: HostSettings, b: HostSettings): number {
  const wild = Number(a.host.startsWith("*.")) - Number(b.host.startsWith("*."));
  return wild || b.host.length - a.host.length;
}

function merged<K, V>(site: ReadonlyMap<K, V> | undefined, user: ReadonlyMap<K, V> | undefined): ReadonlyMap<K, V> {
  return new Map([...(site ?? []), ...(user ?? [])]);
}
