/**
 * docker's credential helpers: `docker-credential-NAME get|store|erase`, asked over stdin, never through a shell.
 * A helper that fails or hangs is an error and never "no login": docker CVE-2021-41092 went on elsewhere with a password.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Log } from "../call.ts";
import { field, object, optional, parseJson, string } from "../decode.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { plain } from "../http/words.ts";
import { Secret } from "../secret.ts";
import { clean, hasControl } from "./words.ts";

export interface HelperLogin {
  /** `<token>` says that the secret is an identity token. */
  readonly username: string;
  readonly secret: Secret;
}

/** One helper and the server's key in it, as it was stored. */
export interface HelperKey {
  readonly helper: string;
  readonly server: string;
  /** The file that names the helper. */
  readonly file: string;
}

export interface HelperOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Milliseconds; default 10 s. A keyring without a desktop session waits for ever. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT = 10_000;
const LONGEST_ANSWER = 1024 * 1024;
/** Also what keeps a path out of the program's name. */
const NAME = /^[A-Za-z0-9._-]+$/;
/** What docker's helper library says of an unknown server; on stdout, with a failing exit status. */
const NOT_FOUND = /^credentials not found/i;

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Helpers {
  readonly #options: HelperOptions;
  /** One question per helper and server in a process: some take a second (ECR), some ask the user. */
  readonly #asked = new Map<string, Promise<HelperLogin | undefined>>();

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  /** Undefined when the helper knows no login. @throws SregistryError UNAUTHORIZED, or CONFIG_INVALID: no such helper. */
  get(key: HelperKey, signal: AbortSignal): Promise<HelperLogin | undefined> {
    const id = idOf(key);
    const asked = this.#asked.get(id) ?? this.#get(key, signal);
    this.#asked.set(id, asked);
    return asked;
  }

  async store(key: HelperKey, login: HelperLogin, signal: AbortSignal): Promise<void> {
    this.#asked.delete(idOf(key));
    const input = JSON.stringify({
      ServerURL: key.server,
      Username: login.username,
      Secret: login.secret.reveal(),
    });
    const answer = await this.#run(key, "store", input, signal);
    if (answer.status !== 0) throw failed(key, "store", answer);
  }

  /** False when it knew no such login. */
  async erase(key: HelperKey, signal: AbortSignal): Promise<boolean> {
    this.#asked.delete(idOf(key));
    const answer = await this.#run(key, "erase", `${key.server}\n`, signal);
    if (answer.status === 0) return true;
    if (NOT_FOUND.test(answer.stdout)) return false;
    throw failed(key, "erase", answer);
  }

  async #get(key: HelperKey, signal: AbortSignal): Promise<HelperLogin | undefined> {
    const answer = await this.#run(key, "get", `${key.server}\n`, signal);
    if (answer.status === 0) return loginOf(key, answer.stdout);
    if (NOT_FOUND.test(answer.stdout)) return undefined;
    throw failed(key, "get", answer);
  }

  async #run(key: HelperKey, action: string, input: string, signal: AbortSignal): Promise<Answer> {
    if (!NAME.test(key.helper)) {
      throw new SregistryError("CONFIG_INVALID", `${key.file} names the helper ${JSON.stringify(key.helper)}`, {
        hint: "a helper's name has letters, digits, dots, dashes and underscores: pass, secretservice, ecr-login",
      });
    }
    if (hasControl(key.server)) {
      throw new SregistryError("CONFIG_INVALID", `${key.file} has a server name with a line break in it`);
    }
    signal.throwIfAborted();
    const { env, log, timeoutMs = TIMEOUT } = this.#options;
    log.debug(`${programOf(key)} ${action}: ${key.server}`);
    const answer = await run(key, action, input, { env, signal, timeoutMs });
    if (answer.stderr.trim() !== "") log.verbose(`${programOf(key)} ${action}: ${plain(answer.stderr)}`);
    return answer;
  }
}

function idOf({ helper, server }: HelperKey): string {
  return `${helper} ${server}`;
}

export function programOf({ helper }: Pick<HelperKey, "helper">): string {
  return `docker-credential-${helper}`;
}

function loginOf(key: HelperKey, stdout: string): HelperLogin | undefined {
  const where = `the answer of ${programOf(key)} for ${key.server}`;
  try {
    const json = object(parseJson(stdout, where), where);
    const username = field(json, "Username", optional(string), where) ?? "";
    const secret = field(json, "Secret", optional(string), where) ?? "";
    if (username === "" && secret === "") return undefined;
    return {
      username: clean(username, `the user name in ${where}`),
      secret: new Secret(clean(secret, `the secret in ${where}`)),
    };
  } catch (error) {
    // Without the cause: a JSON error quotes the text, which is a secret.
    if (isCode(error, "REPLY_INVALID")) throw new SregistryError("UNAUTHORIZED", error.message, wayOut(key));
    throw error;
  }
}

function failed(key: HelperKey, action: string, { status, stdout, stderr }: Answer): SregistryError {
  const said = plain(stdout) || plain(stderr) || `exit status ${status ?? "unknown"}`;
  const message = `${programOf(key)} ${action} failed for ${key.server}: ${said}`;
  return new SregistryError("UNAUTHORIZED", message, wayOut(key));
}

function wayOut(key: HelperKey): { readonly hint: string } {
  return {
    hint: `echo ${key.server} | ${programOf(key)} get shows it; without: SREGISTRY_USERNAME and SREGISTRY_PASSWORD, or take the helper out of ${key.file}`,
  };
}

interface RunOptions {
  readonly env: HelperOptions["env"];
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

function run(key: HelperKey, action: string, input: string, options: RunOptions): Promise<Answer> {
  return new Promise((done, fail) => {
    const child = spawn(programOf(key), [action], { env: { ...options.env }, stdio: "pipe", windowsHide: true });
    const answer = collect(child, () => stop(tooLong(key, action)));
    const timer = setTimeout(() => stop(hung(key, action, options.timeoutMs)), options.timeoutMs);
    const onAbort = (): void => stop(options.signal.reason);
    options.signal.addEventListener("abort", onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", onAbort);
    };
    // A child of the helper may hold the pipes open, so nothing waits for them to close.
    const stop = (reason: unknown): void => {
      settle();
      child.kill("SIGKILL");
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      child.unref();
      fail(reason);
    };
    child.once("error", (error) => stop(notStarted(key, error)));
    child.once("close", (status) => {
      settle();
      done({ status, ...answer() });
    });
    // A helper that ends without reading its input says why by its status.
    child.stdin.on("error", () => undefined).end(input);
  });
}

function collect(child: ChildProcessWithoutNullStreams, overflow: () => void): () => Omit<Answer, "status"> {
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      if (text[name].length > LONGEST_ANSWER) overflow();
    });
  }
  return () => text;
}

function notStarted(key: HelperKey, error: unknown): SregistryError {
  const missing = systemCode(error) === "ENOENT";
  const why = missing ? "which is not installed (not in PATH)" : `which cannot be started: ${systemCode(error) ?? "?"}`;
  return new SregistryError("CONFIG_INVALID", `${key.file} keeps logins with ${programOf(key)}, ${why}`, {
    hint: `install it, take it out of ${key.file}, or set SREGISTRY_USERNAME and SREGISTRY_PASSWORD`,
    cause: error,
  });
}

function hung(key: HelperKey, action: string, timeoutMs: number): SregistryError {
  const message = `${programOf(key)} ${action} gave no answer for ${key.server} in ${timeoutMs / 1000} s (a locked keyring, or none in this session?)`;
  return new SregistryError("UNAUTHORIZED", message, wayOut(key));
}

function tooLong(key: HelperKey, action: string): SregistryError {
  return new SregistryError("UNAUTHORIZED", `${programOf(key)} ${action} answered more than 1 MiB`, wayOut(key));
}
