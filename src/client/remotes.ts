/** The remotes: Singularity's in remote.yaml, OCI registries and the default in our own configuration. */
import type { Call } from "../call.ts";
import { configEdits } from "../config/edit.ts";
import { SregistryError } from "../errors.ts";
import { parseHost } from "../reference/host.ts";
import { type Account, type ServiceStatus, serviceStatus, verifyToken, whoAmI } from "../remote/account.ts";
import { type Services as RemoteServices, tokenMayGo } from "../remote/discovery.ts";
import { remoteEdits, requireRemote } from "../remote/edit.ts";
import type { Secret } from "../secret.ts";
import { bearer } from "./bearer.ts";
import { parseRegistryName } from "./default-registry.ts";
import { findLogin, keyringAccount } from "./logins.ts";
import type { Services } from "./services.ts";

export interface RemoteInput {
  readonly name: string;
  readonly uri: string;
  readonly insecure: boolean;
  readonly makeActive: boolean;
}

/** `takesToken`: it is a remote of remote.yaml. @throws SregistryError CONFLICT for a name that is taken. */
export async function addRemote(
  services: Services,
  input: RemoteInput,
  { signal }: Call,
): Promise<{ readonly takesToken: boolean }> {
  const { name, uri } = input;
  const { remotes } = await services.libraries.remotes();
  if (remotes.has(name) || services.config.remotes?.has(name) === true) {
    throw new SregistryError("CONFLICT", `${name} is already a remote`, { hint: "sregistry remote list" });
  }
  if (!/^(?:oras|docker):\/\//.test(uri)) {
    await remoteEdits(services.places, signal).add(input);
    return { takesToken: true };
  }
  // Looked at before it is kept, under the name that a mistake would be reported for later.
  parseRegistryName(uri, "URI", { remotes: new Set(), own: new Map() });
  await configEdits(services.places, signal).addRemote(name, uri);
  return { takesToken: false };
}

export interface RemoteRow {
  readonly name: string;
  readonly uri: string;
  readonly active: boolean;
  readonly global: boolean;
  readonly exclusive: boolean;
  readonly insecure: boolean;
}

export interface KeyserverRow {
  readonly uri: string;
  readonly global: boolean;
  readonly insecure: boolean;
  /** From 1. */
  readonly order: number;
  /** Offered by the active remote itself. */
  readonly active: boolean;
}

export interface RemoteList {
  readonly remotes: readonly RemoteRow[];
  readonly keyservers: readonly KeyserverRow[];
  /** OCI registries of our own configuration. */
  readonly registries: readonly { readonly name: string; readonly uri: string; readonly isDefault: boolean }[];
}

export async function listRemotes(services: Services, call: Call): Promise<RemoteList> {
  const { active, remotes } = await services.libraries.remotes();
  const rows = [...remotes].map(([name, { uri, system, exclusive, insecure }]) => ({
    name,
    uri: uri.replace(/^https?:\/\//, ""),
    active: name === active,
    global: system,
    exclusive,
    insecure,
  }));
  const { config } = services;
  const registries = [...(config.remotes ?? [])].map(([name, uri]) => ({
    name,
    uri,
    isDefault: config.registry === name,
  }));
  return { remotes: rows, keyservers: await keyservers(services, active, call), registries };
}

/** Of the active remote: those that the administrator set, else the one that the remote itself offers. */
async function keyservers(
  services: Services,
  active: string | undefined,
  call: Call,
): Promise<readonly KeyserverRow[]> {
  const known = await services.libraries.remotes();
  const remote = active === undefined ? undefined : known.remotes.get(active);
  if (active === undefined || remote === undefined) return [];
  const { keyservers: set, system } = remote;
  if (set !== undefined) {
    return set
      .filter(({ skip }) => !skip)
      .map(({ uri, insecure, external }, index) => ({
        uri,
        global: system,
        insecure,
        order: index + 1,
        active: !external,
      }));
  }
  try {
    const { services: offered } = await services.libraries.speaks(await services.libraries.frontOf(active));
    const uri = offered.keyserver?.href.replace(/\/$/, "");
    return uri === undefined ? [] : [{ uri, global: system, insecure: false, order: 1, active: true }];
  } catch (error) {
    if (!(error instanceof SregistryError) || call.signal.aborted) throw error;
    call.log.verbose(`the keyserver of ${active} is not known: ${error.message}`);
    return [];
  }
}

/** The default registry of this program, and for a remote of remote.yaml Singularity's active one as well. */
export async function useRemote(services: Services, name: string, { signal }: Call): Promise<void> {
  const config = configEdits(services.places, signal);
  const { remotes } = await services.libraries.remotes();
  if (remotes.has(name)) {
    await remoteEdits(services.places, signal).use(name);
    // A default of the administrator's is nobody's choice until it is written down as one.
    return config.setRegistry(remotes.get(name)?.system === true ? name : undefined);
  }
  if (name !== "local" && services.config.remotes?.has(name) !== true) {
    const known = ["local", ...remotes.keys(), ...(services.config.remotes?.keys() ?? [])];
    throw new SregistryError("NOT_FOUND", `${name} is not a remote`, { hint: `known are: ${known.join(", ")}` });
  }
  return config.setRegistry(name);
}

export async function removeRemote(services: Services, name: string, { signal }: Call): Promise<void> {
  const config = configEdits(services.places, signal);
  if (services.config.remotes?.has(name) === true) await config.removeRemote(name);
  else await remoteEdits(services.places, signal).remove(name);
  if (services.config.registry === name) await config.setRegistry(undefined);
}

export async function isRemote({ libraries }: Services, name: string): Promise<boolean> {
  return (await libraries.remotes()).remotes.has(name);
}

/** The remote that is meant, and the page where its tokens are made. */
export async function tokenPage(
  { libraries }: Services,
  name: string | undefined,
): Promise<{ readonly remote: string; readonly page: string }> {
  const remote = name ?? (await activeRemote(libraries));
  const front = await libraries.frontOf(remote);
  return { remote, page: `${front.href.replace(/\/$/, "")}/auth/tokens` };
}

async function activeRemote(libraries: Services["libraries"]): Promise<string> {
  const { active, remotes } = await libraries.remotes();
  if (active !== undefined) return active;
  throw new SregistryError("USAGE", "no default endpoint set", {
    hint: `sregistry remote use NAME; there are: ${[...remotes.keys()].join(", ") || "none, see sregistry remote add"}`,
  });
}

export interface TokenLogin {
  readonly remote: string;
  readonly token: Secret;
  /** Undefined: as the configuration says. */
  readonly keyring: boolean | undefined;
}

/** Verified first: a wrong token is not stored. @throws SregistryError UNAUTHORIZED. */
export async function loginRemote(
  services: Services,
  { remote, token, keyring }: TokenLogin,
  call: Call,
): Promise<{ readonly path: string }> {
  const { libraries, config } = services;
  const front = await libraries.frontOf(remote);
  const { services: offered, library } = await libraries.speaks(front);
  const service = offered.token ?? library;
  if (service !== undefined && !tokenMayGo(front, service, services.trustedRealms(parseHost(front.host)))) {
    throw new SregistryError(
      "REFUSED",
      `${front.host} has its tokens verified at ${service.host}, another owner's domain`,
      {
        hint: `if you trust it: --trust-realm ${service.host}`,
      },
    );
  }
  if (service !== undefined) {
    const host = parseHost(service.host);
    await verifyToken(services.transportWith(host, bearer(host, token)), { token: service }, call.signal);
  } else await verifyToken(services.anonymousTransport(parseHost(front.host)), {}, call.signal);
  call.log.info("Access Token Verified!");
  if (keyring ?? config.keyring === true) {
    const answer = await libraries.logins.keyring.set(keyringAccount(front), token);
    if (answer.available) {
      if (config.keyring !== true) await configEdits(services.places, call.signal).useKeyring();
      await remoteEdits(services.places, call.signal).removeToken(remote);
      return { path: "the keyring" };
    }
    call.log.warn(`there is no keyring here (${answer.reason}): the token goes to remote.yaml`);
  }
  await remoteEdits(services.places, call.signal).setToken(remote, token);
  return { path: (await libraries.remotes()).path };
}

/** Succeeds also where there was no token, as Singularity's does. */
export async function logoutRemote(
  services: Services,
  name: string | undefined,
  { signal, log }: Call,
): Promise<{ readonly remote: string; readonly path: string }> {
  const { libraries, config } = services;
  const remote = name ?? (await activeRemote(libraries));
  const front = await libraries.frontOf(remote);
  if (config.keyring === true) {
    const answer = await libraries.logins.keyring.delete(keyringAccount(front));
    if (!answer.available) log.warn(`the keyring cannot be asked to forget the token: ${answer.reason}`);
  }
  await remoteEdits(services.places, signal).removeToken(remote);
  return { remote, path: (await libraries.remotes()).path };
}

export interface RemoteStatus {
  readonly remote: string;
  readonly services: readonly ServiceStatus[];
  /** `name <email>`, as far as the server says. */
  readonly user: string | undefined;
  readonly login: "valid" | "none" | "invalid";
}

export async function remoteStatus(services: Services, name: string | undefined, call: Call): Promise<RemoteStatus> {
  const { libraries } = services;
  const remote = name ?? (await activeRemote(libraries));
  requireRemote(await libraries.remotes(), remote);
  call.log.info(name === undefined ? "Checking status of default remote." : `Checking status of remote: ${remote}`);
  const front = await libraries.frontOf(remote);
  const { services: offered, library } = await libraries.speaks(front);
  const all = library === undefined ? offered : { ...offered, library };
  const asked = await serviceStatus((url) => services.anonymousTransport(parseHost(url.host)), all, call.signal);
  const account = await accountAt(services, front, all, call);
  const user = account.account === undefined ? undefined : userWords(account.account);
  return { remote, services: asked, user, login: account.login };
}

async function accountAt(
  services: Services,
  front: URL,
  offered: RemoteServices,
  { signal }: Call,
): Promise<{ readonly login: RemoteStatus["login"]; readonly account?: Account }> {
  const login = await findLogin(front, services.libraries.logins);
  const service = offered.token ?? offered.library;
  if (login === undefined || service === undefined) return { login: "none" };
  const host = parseHost(service.host);
  const transport = services.transportWith(host, bearer(host, login.token, login.from));
  try {
    await verifyToken(transport, offered, signal);
  } catch (error) {
    if (error instanceof SregistryError && error.code === "UNAUTHORIZED") return { login: "invalid" };
    throw error;
  }
  const { library } = offered;
  if (library === undefined) return { login: "valid" };
  const there = parseHost(library.host);
  const account = await whoAmI(services.transportWith(there, bearer(there, login.token, login.from)), offered, signal);
  return { login: "valid", account };
}

function userWords({ username, email }: Account): string | undefined {
  if (username === undefined) return undefined;
  return email === undefined ? username : `${username} <${email}>`;
}

/** Password at the OCI registry of the active remote's library. */
export async function loginPassword(services: Services, { signal }: Call): Promise<Secret> {
  const { libraries } = services;
  const remote = await activeRemote(libraries);
  const front = await libraries.frontOf(remote);
  const login = await findLogin(front, libraries.logins);
  if (login === undefined) {
    throw new SregistryError("UNAUTHORIZED", `nobody is logged in to ${remote}`, {
      hint: `sregistry remote login ${remote}`,
    });
  }
  const { library, services: offered } = await libraries.speaks(front);
  if (library === undefined) throw new SregistryError("UNSUPPORTED", `${remote} is no library`);
  const host = parseHost(library.host);
  const transport = services.transportWith(host, bearer(host, login.token, login.from));
  const { secret } = await whoAmI(transport, { ...offered, library }, signal);
  if (secret !== undefined) return secret;
  throw new SregistryError("UNSUPPORTED", `${remote} gives out no password for an OCI registry`);
}
