/**
 * The system's keyring, by way of the optional @napi-rs/keyring. Its calls block until a keyring daemon answers, which on a
 * machine without a desktop may be never: so they are made in a process of their own, which is ended after three seconds.
 */
import { spawn } from "node:child_process";
import { field, object, optional, parseJson, string } from "../decode.ts";
import { isCode } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { Environment } from "./environment.ts";

export type KeyringAnswer =
  | { readonly available: true; readonly secret: Secret | undefined }
  /** `reason`: for one line on why the keyring was not used. */
  | { readonly available: false; readonly reason: string };

export interface Keyring {
  /** `secret` is undefined where the keyring has none for the account. */
  get(account: string): Promise<KeyringAnswer>;
  set(account: string, secret: Secret): Promise<KeyringAnswer>;
  delete(account: string): Promise<KeyringAnswer>;
}

export interface KeyringOptions {
  readonly env: Environment;
  /** What runs the keyring's process: Node and the script. None: this program comes without. */
  readonly command: readonly string[];
  /** Milliseconds; default 3 s. */
  readonly patience?: number;
}

const PATIENCE = 3_000;
/** Under which secrets are filed. */
const SERVICE = "sregistry";

export function openKeyring(options: KeyringOptions): Keyring {
  const ask = (action: "get" | "set" | "delete", account: string, secret?: Secret): Promise<KeyringAnswer> =>
    askProcess(options, { action, service: SERVICE, account, secret: secret?.reveal() });
  return {
    get: (account) => ask("get", account),
    set: (account, secret) => ask("set", account, secret),
    delete: (account) => ask("delete", account),
  };
}

async function askProcess(options: KeyringOptions, question: object): Promise<KeyringAnswer> {
  const { command, env, patience = PATIENCE } = options;
  const [program, ...words] = command;
  if (program === undefined) return { available: false, reason: "this form of the program comes without it" };
  const child = spawn(program, words, { env: present(env), stdio: ["pipe", "pipe", "ignore"] });
  return new Promise((resolve) => {
    const unavailable = (reason: string): void => resolve({ available: false, reason });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // A program that it started may hold the pipe open, which would keep this process from ending.
      child.stdout.destroy();
      unavailable(`it did not answer within ${patience / 1000} s`);
    }, patience);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      unavailable(error.message);
    });
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      resolve(status === 0 ? decode(text) : { available: false, reason: `its process ended with ${status ?? signal}` });
    });
    // A process that ends before it has read the question says why by its status.
    child.stdin.on("error", () => undefined).end(JSON.stringify(question));
  });
}

function decode(text: string): KeyringAnswer {
  try {
    const json = object(parseJson(text, "keyring"), "keyring");
    const error = field(json, "error", optional(string), "keyring");
    if (error !== undefined) return { available: false, reason: error };
    const secret = field(json, "secret", optional(string), "keyring");
    return { available: true, secret: secret === undefined ? undefined : new Secret(secret) };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return { available: false, reason: "its answer makes no sense" };
    throw error;
  }
}

function present(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
