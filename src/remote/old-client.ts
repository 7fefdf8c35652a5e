/** What the Python client knew: `~/.sregistry` and its variables (sregistry-cli 0.2.39). Read, never written. */
import { join } from "node:path";
import { type JsonObject, object } from "../decode.ts";
import { isCode, SregistryError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import type { Environment } from "./files.ts";
import { hasControl } from "./schema.ts";

export interface OldClient {
  /** Root of the server, without the `/api` that the old client put behind it. */
  readonly base: URL;
  readonly username: string | undefined;
  readonly token: Secret | undefined;
  /** For -v. */
  readonly from: string;
}

export interface OldClientSettings {
  /** SREGISTRY_REGISTRY_BASE and its companions. */
  readonly environment: OldClient | undefined;
  /** Of `~/.sregistry`, where the environment names no other server. */
  readonly file: OldClient | undefined;
  /** SREGISTRY_CLIENT, of the environment or else of `~/.sregistry`, where `backend activate` put it. */
  readonly backend: string | undefined;
}

/** @throws SregistryError CONFIG_INVALID naming what is broken: a login that cannot be read is not "no login". */
export async function loadOldClient(env: Environment, home: string): Promise<OldClientSettings> {
  const path = env["SREGISTRY_CLIENT_SECRETS"] || join(home, ".sregistry");
  const secrets = await readSecrets(path);
  const section = sectionOf(secrets, path);
  const stored = (modern: string, legacy: string): string | undefined =>
    text(section, modern, path) ?? text(section, legacy, path);
  const backend = text(env, "SREGISTRY_CLIENT", "the environment") ?? text(secrets, "SREGISTRY_CLIENT", path);
  const variable = (name: string): string | undefined => text(env, name, "the environment");
  const base = variable("SREGISTRY_REGISTRY_BASE");
  const fileBase = stored("SREGISTRY_REGISTRY_BASE", "base");
  const noHttps = (env["SREGISTRY_REGISTRY_NOHTTPS"] ?? "") !== "";
  const named = base === undefined ? undefined : serverRoot(base, "SREGISTRY_REGISTRY_BASE", noHttps);
  const kept = fileBase === undefined ? undefined : serverRoot(fileBase, path, noHttps);
  const variables: Login = {
    username: variable("SREGISTRY_REGISTRY_USERNAME"),
    token: variable("SREGISTRY_REGISTRY_TOKEN"),
    from: "SREGISTRY_REGISTRY_TOKEN",
  };
  const written: Login = {
    username: stored("SREGISTRY_REGISTRY_USERNAME", "username"),
    token: stored("SREGISTRY_REGISTRY_TOKEN", "token"),
    from: path,
  };
  // A login is for the server that is named beside it: where the two places name different ones, each keeps its own.
  const same = named === undefined || named.href === kept?.href;
  return {
    environment: named === undefined ? undefined : client(named, same ? [variables, written] : [variables]),
    file: kept === undefined ? undefined : client(kept, same ? [variables, written] : [written]),
    backend,
  };
}

interface Login {
  readonly username: string | undefined;
  readonly token: string | undefined;
  readonly from: string;
}

/** The first that there is of each. */
function client(base: URL, logins: readonly Login[]): OldClient {
  const holder = logins.find(({ token }) => token !== undefined);
  return {
    base,
    username: logins.find(({ username }) => username !== undefined)?.username,
    token: holder?.token === undefined ? undefined : new Secret(holder.token),
    from: (holder ?? logins[0])?.from ?? "",
  };
}

async function readSecrets(path: string): Promise<JsonObject> {
  const file = await readSmallFile(path);
  if (file === undefined) return {};
  try {
    return object(JSON.parse(file.text), path);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !isCode(error, "REPLY_INVALID")) throw error;
    // The engine's words quote the text, which holds a token.
    throw new SregistryError("CONFIG_INVALID", `${path}, the old client's file, is no JSON object`, {
      hint: `mend or remove ${path}; sregistry only reads it`,
    });
  }
}

function sectionOf(secrets: JsonObject, path: string): JsonObject {
  const section = secrets["registry"];
  if (section === undefined || section === null) return {};
  try {
    return object(section, "registry");
  } catch (cause) {
    throw new SregistryError("CONFIG_INVALID", `${path}: "registry" is no object`, { cause });
  }
}

function text(from: JsonObject, name: string, path: string): string | undefined {
  const value = from[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string" && !hasControl(value)) return value;
  throw new SregistryError("CONFIG_INVALID", `${path}: ${name} is no line of text`);
}

/** The old client put `/api` behind every base that did not end so, and https:// before one without a scheme. */
function serverRoot(text: string, from: string, noHttps: boolean): URL {
  const written = text.includes("://") ? text : `${noHttps ? "http" : "https"}://${text}`;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username + url.password + url.search + url.hash !== ""
  ) {
    throw new SregistryError("CONFIG_INVALID", `${from}: ${JSON.stringify(text)} is no address of a registry`, {
      hint: "expected http(s)://HOST[:PORT]",
    });
  }
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/api$/, "");
  return url;
}
