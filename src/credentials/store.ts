/** Writes and forgets logins in a docker-config.json, so that Singularity and Apptainer share them. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import type { JsonObject } from "../decode.ts";
import { SregistryError, systemCode } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { diskError } from "../transfer/disk.ts";
import { withFileLock } from "../transfer/file-lock.ts";
import { entryFor } from "./auth-entry.ts";
import { type DockerConfig, parseDockerConfig, readDockerConfig } from "./docker-config.ts";
import type { HelperKey, Helpers } from "./helper.ts";
import { keysOfHost, storedKey } from "./host-keys.ts";
import { helperKey } from "./lookup.ts";
import { hasControl } from "./words.ts";

export interface Login {
  readonly username: string;
  readonly password: Secret;
}

export interface StoreOptions {
  readonly helpers: Helpers;
  readonly signal: AbortSignal;
  /** The directory belongs to a program's configuration, so it has to be the user's own. */
  readonly ownDirectory: boolean;
}

/** @throws SregistryError USAGE for a name or password that no registry could be sent. */
export function checkLogin({ username, password }: Login): void {
  const wrong = (what: string): SregistryError => new SregistryError("USAGE", what);
  if (username === "") throw wrong("the user name is empty");
  if (password.reveal() === "") throw wrong("the password is empty");
  if (hasControl(username)) throw wrong("the user name holds a line break or another control character");
  if (hasControl(password.reveal())) throw wrong("the password holds a line break or another control character");
  // RFC 7617: a server splits at the first colon.
  if (username.includes(":")) throw wrong(`user name ${JSON.stringify(username)} holds a colon`);
}

/** @throws SregistryError CONFIG_INVALID for a file or directory that others can change; nothing is written then. */
export async function storeLogin(path: string, host: string, login: Login, options: StoreOptions): Promise<void> {
  await makeDirectory(dirname(path));
  await edit(path, options, async (config) => {
    const key = storedKey(host);
    const helper = helperKey(config, { host });
    if (helper === undefined)
      return withAuths(config, [...config.auths, [key, entryFor(login.username, login.password)]]);
    const { username, password } = login;
    await options.helpers.store({ ...helper, server: key }, { username, secret: password }, options.signal);
    // docker's mark for "ask the helper".
    return withAuths(config, [...config.auths, [key, {}]]);
  });
}

/** False when there was no login for the host, in the file or with its helper; the file is left alone then. */
export async function forgetLogin(path: string, host: string, options: StoreOptions): Promise<boolean> {
  if ((await readDockerConfig(path)) === undefined) return false;
  let forgotten = false;
  await edit(path, options, async (config) => {
    const keys = keysOfHost(config.auths.keys(), host);
    const helper = helperKey(config, { host });
    const erased = helper !== undefined && (await erase(helper, keys, options));
    forgotten = erased || keys.length > 0;
    return keys.length === 0
      ? undefined
      : withAuths(
          config,
          [...config.auths].filter(([key]) => !keys.includes(key)),
        );
  });
  return forgotten;
}

/** Helpers differ in what they say when asked to erase what they do not have, so they are asked for it first. */
async function erase(helper: HelperKey, keys: readonly string[], { helpers, signal }: StoreOptions): Promise<boolean> {
  let erased = false;
  for (const server of new Set([helper.server, ...keys])) {
    const key = { ...helper, server };
    if ((await helpers.get(key, signal)) !== undefined) erased = (await helpers.erase(key, signal)) || erased;
  }
  return erased;
}

/** The document with other `auths`, which docker writes first. */
function withAuths({ document }: DockerConfig, entries: Iterable<readonly [string, JsonObject]>): JsonObject {
  const auths = Object.fromEntries(new Map(entries));
  return "auths" in document ? { ...document, auths } : { auths, ...document };
}

type Change = (config: DockerConfig) => Promise<JsonObject | undefined>;

/** One writer at a time, on the file as it is under the lock; `change` gives undefined to leave it. */
async function edit(path: string, { signal, ownDirectory }: StoreOptions, change: Change): Promise<void> {
  if (ownDirectory) await refuseForeignDirectory(dirname(path));
  await refuseOpenFile(path);
  await withFileLock(
    path,
    async () => {
      const changed = await change((await readDockerConfig(path)) ?? parseDockerConfig("", path));
      if (changed === undefined) return;
      // Tabs and no newline at the end, as docker's own library writes it for Singularity.
      await writeFileAtomic(path, JSON.stringify(changed, null, "\t"), { mode: secretMode });
    },
    { signal },
  );
}

/** A file for a group of people stays theirs; one that everybody can read was never meant to be. */
function secretMode(existing: number | undefined): number {
  return existing === undefined || (existing & 0o007) !== 0 ? 0o600 : existing;
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw diskError(path, error);
  }
}

async function refuseForeignDirectory(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  if (geteuid !== undefined && uid !== geteuid()) {
    throw new SregistryError("CONFIG_INVALID", `${path} belongs to another user (uid ${uid}): no login is kept there`, {
      hint: "set SINGULARITY_CONFIGDIR to a directory of yours, or use --authfile FILE",
    });
  }
  if ((mode & 0o022) !== 0) throw writable(path);
}

async function refuseOpenFile(path: string): Promise<void> {
  try {
    if (((await stat(path)).mode & 0o022) !== 0) throw writable(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

function writable(path: string): SregistryError {
  return new SregistryError("CONFIG_INVALID", `${path} can be changed by other users: no login is kept there`, {
    hint: `chmod go-w ${path}`,
  });
}
