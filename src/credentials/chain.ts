/**
 * Where a login comes from, first hit: what was given, the environment, --authfile, Singularity's file, Apptainer's,
 * docker's, podman's, ~/.netrc. A source that is broken ends the search: it is never "no login, go on elsewhere".
 */
import { join } from "node:path";
import type { Log } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import type { Credential, CredentialQuery, CredentialSource } from "../http/credential.ts";
import { type Environment, environmentCredential } from "./environment.ts";
import { Helpers } from "./helper.ts";
import { type LoginFile, type LoginFiles, loginFiles, loginTarget } from "./login-files.ts";
import { findIn, mentions } from "./lookup.ts";
import { netrcCredential } from "./netrc.ts";
import { checkLogin, forgetLogin, type Login, type StoreOptions, storeLogin } from "./store.ts";

export interface CredentialOptions {
  readonly env: Environment;
  /** The user's home directory. */
  readonly home: string;
  /** --authfile; the variables that mean the same are looked up in `env`. */
  readonly authfile?: string | undefined;
  /** A login given for this run; like one in the environment it holds for every host the user names. */
  readonly explicit?: Login | undefined;
  readonly log: Log;
  /** Milliseconds a credential helper may take; default 10 s. */
  readonly helperTimeout?: number | undefined;
}

export interface Credentials extends CredentialSource {
  /** Keeps a login for `host` and says in which file. @throws SregistryError USAGE, CONFIG_INVALID, DISK, LOCKED. */
  saveLogin(host: string, login: Login, signal: AbortSignal): Promise<{ readonly path: string }>;
  /**
   * Forgets the login for `host` wherever `saveLogin` may have put it, and says in which file it was.
   * @throws SregistryError NOT_FOUND when there is none, naming another program's file that has one.
   */
  removeLogin(host: string, signal: AbortSignal): Promise<{ readonly path: string }>;
}

export function createCredentials(options: CredentialOptions): Credentials {
  const { env, home, log } = options;
  const helpers = new Helpers({ env, log, timeoutMs: options.helperTimeout });
  let files = loginFiles({ env, home, authfile: options.authfile, log });
  const storeOptions = (signal: AbortSignal): StoreOptions => ({
    helpers,
    signal,
    ownDirectory: files.authfile === undefined,
  });
  /** What was read before a change is no longer so. */
  const changed = (): void => {
    files = loginFiles({ env, home, authfile: options.authfile, log });
  };
  return {
    async find(query) {
      return (
        explicitCredential(options.explicit) ??
        environmentCredential(env, log) ??
        (await findInFiles(files, query, helpers)) ??
        (await netrcCredential(env["NETRC"] || join(home, ".netrc"), query, log))
      );
    },
    async saveLogin(host, login, signal) {
      checkLogin(login);
      const path = await loginTarget(files, env);
      await storeLogin(path, host, login, storeOptions(signal));
      changed();
      return { path };
    },
    async removeLogin(host, signal) {
      const ours = files.authfile === undefined ? [files.singularity, files.apptainer] : [files.authfile];
      const removed: string[] = [];
      for (const path of new Set(ours)) {
        if (await forgetLogin(path, host, storeOptions(signal))) removed.push(path);
      }
      changed();
      const left = await stillThere(files, host, log);
      if (removed.length === 0) throw notLoggedIn(host, ours, left);
      if (left !== undefined) log.warn(`${left.name} still has a login for ${host}${wayToForget(left, host)}`);
      return { path: removed.join(" and ") };
    },
  };
}

function explicitCredential(login: Login | undefined): Credential | undefined {
  return login && { kind: "basic", username: login.username, password: login.password, from: "the command line" };
}

async function findInFiles(
  files: LoginFiles,
  query: CredentialQuery,
  helpers: Helpers,
): Promise<Credential | undefined> {
  for (const file of files.all) {
    const config = await file.read();
    const found = config && (await findIn(config, query, helpers, query.signal));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Only to say so: another program's broken file does not undo what was done to ours. */
async function stillThere(files: LoginFiles, host: string, log: Log): Promise<LoginFile | undefined> {
  for (const file of files.all) {
    try {
      const config = await file.read();
      if (config !== undefined && mentions(config, host)) return file;
    } catch (error) {
      if (!isCode(error, "CONFIG_INVALID")) throw error;
      log.warn(error.message);
    }
  }
  return undefined;
}

function notLoggedIn(host: string, ours: readonly string[], left: LoginFile | undefined): SregistryError {
  const missing = `there is no login for ${host} in ${ours.join(" or ")}`;
  if (left === undefined) return new SregistryError("NOT_FOUND", missing, { hint: `sregistry login ${host}` });
  const hint = left.logout === undefined ? `take it out of ${left.name}` : `${left.logout} ${host}`;
  return new SregistryError("NOT_FOUND", `${missing}; ${left.name} has one, which is left alone`, { hint });
}

function wayToForget({ logout }: LoginFile, host: string): string {
  return logout === undefined ? "" : `: ${logout} ${host}`;
}
