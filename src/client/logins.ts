/** Whose token goes to a library: the remote's of the same address, the keyring's, the old client's. */
import type { Log } from "../call.ts";
import type { Config } from "../config/config.ts";
import type { Keyring } from "../credentials/keyring.ts";
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
  const { path, remotes } = await options.remotes();
  const own = [...remotes].find(([name, entry]) => entry.token !== undefined && isAt(name, entry, front, path));
  if (own?.[1].token !== undefined) {
    return { token: own[1].token, username: undefined, from: `remote ${own[0]} in ${path}` };
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

function isAt(name: string, entry: RemoteEntry, front: URL, path: string): boolean {
  return entry.uri !== "" && sameOrigin(remoteBase(name, entry, path), front);
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
