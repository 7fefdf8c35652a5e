/** The embedded registry over HTTP, who may use it, its frozen tags, and its store checked after a crash. */
import { readFile } from "node:fs/promises";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Reference } from "../reference/reference.ts";
import { type CheckReport, checkStore } from "../registry/local/check.ts";
import { openStore } from "../registry/local/store.ts";
import { Secret } from "../secret.ts";
import { imagePath } from "../server/image-path.ts";
import { createRegistryServer } from "../server/server.ts";
import { openUsers } from "../server/users.ts";
import { shellWord } from "../shell-word.ts";
import type { Services } from "./services.ts";

export type { CheckReport } from "../registry/local/check.ts";

export interface ServeInput {
  /** `HOST:PORT`, `[::1]:PORT` or `PORT`. */
  readonly listen: string;
  readonly publicRead: boolean;
  /** Tokens that may read and write, one a line. */
  readonly tokenFile?: string | undefined;
  /** The same as values. */
  readonly tokens?: readonly Secret[];
  readonly allowedHosts: readonly string[];
}

export interface Serving {
  readonly url: string;
  /** Takes no new request, and waits some seconds for those that are running. */
  close(): Promise<void>;
}

/** @throws SregistryError USAGE for an address that is taken, and beyond loopback without token or `publicRead`. */
export async function serve(services: Services, input: ServeInput, call: Call): Promise<Serving> {
  const { listen, tokenFile, tokens = [], publicRead, allowedHosts } = input;
  const server = await createRegistryServer({
    store: openStore(services.store),
    listen: parseListen(listen),
    tokens: [...tokens, ...(tokenFile === undefined ? [] : await readTokens(tokenFile))],
    publicRead,
    allowedHosts,
    log: call.log,
  });
  return { url: server.url, close: () => server.close() };
}

/** @throws SregistryError USAGE for anything that is no address. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new SregistryError("USAGE", `--listen ${JSON.stringify(text)} is no address: expected HOST:PORT or PORT`);
  }
  return { host: match[1] ?? match[2] ?? "127.0.0.1", port };
}

async function readTokens(file: string): Promise<readonly Secret[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new SregistryError("USAGE", `--token-file ${file} cannot be read`, {
      hint: `ls -l ${shellWord(file)}`,
      cause,
    });
  }
  const tokens = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (tokens.length === 0) throw new SregistryError("USAGE", `--token-file ${file} holds no token`);
  return tokens.map((token) => new Secret(token));
}

/** Looks for what a crash or a full disk left in the store; with `repair` mends it. */
export function checkEmbedded(services: Services, repair: boolean, call: Call): Promise<CheckReport> {
  return checkStore(openStore(services.store), { repair }, call);
}

export interface NewUser {
  readonly name: string;
  readonly token: string;
}

/** A running server knows the user at once. @throws SregistryError USAGE for no name, CONFLICT for one that is taken. */
export async function addUser(services: Services, name: string): Promise<NewUser> {
  await openStore(services.store).prepare();
  const { token } = await openUsers(services.store).add(name);
  return { name, token: token.reveal() };
}

export interface UserEntry {
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
}

/** By name. Tokens are told once, when they are made. */
export async function listUsers(services: Services): Promise<readonly UserEntry[]> {
  const users = (await openUsers(services.store).list()).map(({ name, created }) => ({ name, created }));
  return users.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @returns how many users are left. @throws SregistryError NOT_FOUND. */
export async function removeUser(services: Services, name: string): Promise<number> {
  const users = openUsers(services.store);
  if (await users.remove(name)) return (await users.list()).length;
  const near = nearest(
    name,
    (await users.list()).map((user) => user.name),
  );
  throw new SregistryError("NOT_FOUND", `there is no user ${JSON.stringify(name.slice(0, 80))} in ${services.store}`, {
    hint: near === undefined ? "sregistry serve user list" : `did you mean ${near}? sregistry serve user list`,
  });
}

/**
 * A frozen tag is neither moved nor deleted by any protocol, and not on this machine either.
 * @returns the tag by the name it has in the store.
 * @throws SregistryError USAGE for what is no tag of the embedded registry, NOT_FOUND.
 */
export async function freezeTag(services: Services, reference: Reference, on: boolean): Promise<string> {
  const { scheme, selector } = reference;
  if ((scheme !== undefined && scheme !== "local") || selector.kind !== "tag") {
    throw new SregistryError("USAGE", "what is frozen is a tag of the embedded registry: expected NAME:TAG", {
      hint: "sregistry list local://",
    });
  }
  const store = openStore(services.store);
  const path = await imagePath(store, reference.path);
  await store.repository(path).freeze(selector.tag, on);
  return `${path}:${selector.tag}`;
}
