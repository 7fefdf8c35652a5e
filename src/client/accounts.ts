/** Tokens of remotes: proven, kept, forgotten, and what their servers say of whose they are. */
import type { Call } from "../call.ts";
import { configEdits } from "../config/edit.ts";
import { SregistryError } from "../errors.ts";
import type { Transport } from "../http/transport.ts";
import { parseHost } from "../reference/host.ts";
import { type Account, type ServiceStatus, serviceStatus, verifyToken, whoAmI } from "../remote/account.ts";
import { type Services as RemoteServices, tokenMayGo } from "../remote/discovery.ts";
import { remoteEdits, requireRemote } from "../remote/edit.ts";
import { Secret } from "../secret.ts";
import { bearer } from "./bearer.ts";
import { noLibrary } from "./libraries.ts";
import { findLogin, keyringAccount } from "./logins.ts";
import type { Services } from "./services.ts";

/** Carries a remote's token to one of its services. @throws SregistryError REFUSED where that is another owner's server. */
function tokenTransport(
  services: Services,
  front: URL,
  service: URL,
  { token, from }: { readonly token: Secret; readonly from: string },
): Transport {
  if (!tokenMayGo(front, service, services.trustedRealms(parseHost(front.host)))) {
    throw new SregistryError(
      "REFUSED",
      `${front.host} wants its token sent to ${service.host}, another owner's domain`,
      {
        hint: `if you trust it: --trust-realm ${service.host}`,
      },
    );
  }
  const host = parseHost(service.host);
  return services.transportWith(host, bearer(host, token, from));
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

/**
 * `where`: what the text is from. One trailing newline is how a token comes out of a pipe; any other control character is
 * no part of one. @throws SregistryError USAGE.
 */
export function tokenOf(text: string, where: string): Secret {
  const token = text.replace(/\r?\n$/, "").trim();
  if (token === "") throw new SregistryError("USAGE", `${where} holds no token`);
  if (/[\u0000-\u0020\u007f]/.test(token)) {
    throw new SregistryError("USAGE", `${where} holds a token with blanks or control characters in it`);
  }
  return new Secret(token);
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
  const { services: offered, library } = await libraries.speaks(front, { fresh: true });
  const service = offered.token ?? library;
  const transport =
    service === undefined
      ? services.anonymousTransport(parseHost(front.host))
      : tokenTransport(services, front, service, { token, from: "this command" });
  await verifyToken(transport, service === undefined ? {} : { token: service }, call.signal);
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
  { signal }: Call,
): Promise<{ readonly remote: string; readonly path: string }> {
  const { libraries, config } = services;
  const remote = name ?? (await activeRemote(libraries));
  const front = await libraries.frontOf(remote);
  if (config.keyring === true) {
    const answer = await libraries.logins.keyring.delete(keyringAccount(front));
    if (!answer.available) {
      throw new SregistryError("UNSUPPORTED", `the keyring cannot be asked to forget the token: ${answer.reason}`, {
        hint: "unlock the keyring and log out again; until then the token may still be there",
      });
    }
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
  const spoken = await libraries.speaks(front, { fresh: true });
  const { services: offered, library } = spoken;
  const all = library === undefined ? offered : { ...offered, library };
  if (Object.keys(all).length === 0) throw noLibrary(front, spoken);
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
  try {
    await verifyToken(tokenTransport(services, front, service, login), offered, signal);
  } catch (error) {
    if (error instanceof SregistryError && error.code === "UNAUTHORIZED") return { login: "invalid" };
    throw error;
  }
  const { library } = offered;
  if (library === undefined) return { login: "valid" };
  const account = await whoAmI(tokenTransport(services, front, library, login), offered, signal);
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
  const spoken = await libraries.speaks(front);
  const { library, services: offered } = spoken;
  if (library === undefined) throw noLibrary(front, spoken);
  const transport = tokenTransport(services, front, library, login);
  const { secret } = await whoAmI(transport, { ...offered, library }, signal);
  if (secret !== undefined) return secret;
  throw new SregistryError("UNSUPPORTED", `${remote} gives out no password for an OCI registry`);
}
