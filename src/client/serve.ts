/** The embedded registry over HTTP, and its store checked after a crash. */
import { readFile } from "node:fs/promises";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { type CheckReport, checkStore } from "../registry/local/check.ts";
import { openStore } from "../registry/local/store.ts";
import { Secret } from "../secret.ts";
import { createRegistryServer } from "../server/server.ts";
import type { Services } from "./services.ts";

export interface ServeInput {
  /** `HOST:PORT`, `[::1]:PORT` or `PORT`. */
  readonly listen: string;
  readonly publicRead: boolean;
  /** Tokens that may read and write, one a line. */
  readonly tokenFile: string | undefined;
  readonly allowedHosts: readonly string[];
}

/** Serves until the call's signal; `started` is told the URL. Running requests are finished first. */
export async function serve(
  services: Services,
  input: ServeInput,
  call: Call,
  started: (url: string) => Promise<void>,
): Promise<void> {
  const server = await createRegistryServer({
    store: openStore(services.store),
    listen: parseListen(input.listen),
    tokens: input.tokenFile === undefined ? [] : await readTokens(input.tokenFile),
    publicRead: input.publicRead,
    allowedHosts: input.allowedHosts,
    log: call.log,
  });
  await started(server.url);
  await new Promise<void>((resolve) => {
    if (call.signal.aborted) resolve();
    call.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.close();
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
    throw new SregistryError("USAGE", `--token-file ${file} cannot be read`, { cause });
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
