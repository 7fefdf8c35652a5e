/** Finds a host's login in one configuration: its helper before its own entries. */
import type { Credential } from "../http/credential.ts";
import { credentialOf } from "./auth-entry.ts";
import type { DockerConfig } from "./docker-config.ts";
import { type HelperKey, type Helpers, programOf } from "./helper.ts";
import { type KeyQuery, keysOfHost, matchingKeys, storedKey } from "./host-keys.ts";

/**
 * credHelpers before credsStore before auths. What a helper does not know may still be in the file, written by a program
 * that knows no helpers; a helper that fails is the end.
 */
export async function findIn(
  config: DockerConfig,
  query: KeyQuery,
  helpers: Helpers,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  const key = helperKey(config, query);
  const login = key === undefined ? undefined : await helpers.get(key, signal);
  if (key !== undefined && login !== undefined) {
    const from = `${programOf(key)} ${JSON.stringify(key.server)} (named by ${config.name})`;
    return login.username === "<token>"
      ? { kind: "identity", token: login.secret, from }
      : { kind: "basic", username: login.username, password: login.secret, from };
  }
  for (const name of matchingKeys(config.auths.keys(), query)) {
    const found = credentialOf(config.auths.get(name) ?? {}, config.name, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The helper for a host, and the name the host has there: as `auths` spells it, else as docker would. */
export function helperKey(config: DockerConfig, query: KeyQuery): HelperKey | undefined {
  const { host, secure } = query;
  const own = matchingKeys(config.credHelpers.keys(), { host, secure })[0];
  const helper = own === undefined ? config.credsStore : config.credHelpers.get(own);
  if (helper === undefined || helper === "") return undefined;
  const server = matchingKeys(config.auths.keys(), { host, secure })[0] ?? storedKey(host);
  return { helper, server, file: config.name };
}

/** Without asking a helper: whether there is an entry for this very host. */
export function mentions(config: DockerConfig, host: string): boolean {
  return keysOfHost(config.auths.keys(), host).length > 0;
}
