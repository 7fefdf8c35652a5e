/** Whose token goes to a library: the remote's of the same address, the keyring's, the old client's. */
import type { Log } from "../call.ts";
import type { Config } from "../config/config.ts";
import type { Keyring } from "../credentials/keyring.ts";
import { isCode } from "../errors.ts";
import { sameOrigin } from "../http/address.ts";
import type { OldClient, OldClientSettings } from "../remote/old-client.ts";
import type { Remotes } from "../remote/remotes.ts";
import { type RemoteEntry, remoteBase } from "../remote/schema.ts";
import type { Secret } from "../secret.ts";

export interface LibraryLogin {
  readonly token: Secret;
  /** Undefined: the server is asked whose token it is. */
  readonly username: string | undefined;
  /** For -v. */
  readonly from: string;
}

export interface LoginOptions {
  readonly config: Config;
  readonly keyring: Keyring;
  readonly log: Log;
  remotes(): Promise<Remotes>;
  oldClient(): Promise<OldClientSettings>;
}

/** The first hit. `front`: what the user named; another scheme, host or port is another server. */
export async function findLogin(front: URL, options: LoginOptions): Promise<LibraryLogin | undefined> {
  const remotes = await options.remotes();
  const own = remoteAt(remotes, front, options.log);
  if (own?.entry.token !== undefined) {
    return { token: own.entry.token, username: undefined, from: `remote ${own.name} in ${remotes.path}` };
  }
  const kept = await fromKeyring(front, options);
  if (kept !== undefined) return kept;
  const { environment, file } = await options.oldClient();
  for (const old of [environment, file]) {
    const login = old === undefined ? undefined : oldLogin(old, front);
    if (login !== undefined) return login;
  }
  return undefined;
}

/** The remote of this server. */
export function remoteAt(remotes: Remotes, front: URL, log: Log): RemoteAddress | undefined {
  const there = remoteAddresses(remotes, log).filter(({ base }) => sameOrigin(base, front));
  // Two remotes of one server differ by their paths alone, or by which is in use.
  const rank = ({ name, base }: RemoteAddress): number =>
    Number(base.href === front.href) * 2 + Number(name === remotes.active);
  return there.sort((a, b) => rank(b) - rank(a))[0];
}

export interface RemoteAddress {
  readonly name: string;
  readonly entry: RemoteEntry;
  readonly base: URL;
}

/** Of every remote that has one: an address that is none is the business of whoever names that remote. */
export function remoteAddresses({ remotes, path }: Remotes, log: Log): RemoteAddress[] {
  const found: RemoteAddress[] = [];
  for (const [name, entry] of remotes) {
    try {
      if (entry.uri !== "") found.push({ name, entry, base: remoteBase(name, entry, path) });
    } catch (error) {
      if (!isCode(error, "CONFIG_INVALID")) throw error;
      log.verbose(error.message);
    }
  }
  return found;
}

/** Under which a remote's token is filed. */
export function keyringAccount(front: URL): string {
  return front.origin;
}

/** A keyring that cannot be asked is said in one line, and is no reason to fail: the image may be public. */
async function fromKeyring(front: URL, { config, keyring, log }: LoginOptions): Promise<LibraryLogin | undefined> {
  if (config.keyring !== true) return undefined;
  const answer = await keyring.get(keyringAccount(front));
  if (!answer.available) log.warn(`the keyring cannot be asked for the token of ${front.host}: ${answer.reason}`);
  else if (answer.secret !== undefined) {
    return { token: answer.secret, username: undefined, from: "the keyring" };
  }
  return undefined;
}

function oldLogin({ base, token, username, from }: OldClient, front: URL): LibraryLogin | undefined {
  return token !== undefined && sameOrigin(base, front) ? { token, username, from } : undefined;
}
