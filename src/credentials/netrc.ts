/** ~/.netrc, which curl, git and wget read too: the last place looked at, and only for https. */
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { Credential, CredentialQuery } from "../http/credential.ts";
import { Secret } from "../secret.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { clean } from "./words.ts";

export interface NetrcEntry {
  /** Undefined: `default`. */
  readonly machine: string | undefined;
  readonly login: string | undefined;
  readonly password: string | undefined;
}

/**
 * The machine is compared with the host without its port. `default` is no login of ours: it names no host, and a secret
 * belongs to one. A file that others can read is not used, which is said when it has a login for the host.
 */
export async function netrcCredential(
  path: string,
  { host, secure }: Pick<CredentialQuery, "host" | "secure">,
  log: Log,
): Promise<Credential | undefined> {
  if (!secure) return undefined;
  const file = await readSmallFile(path);
  if (file === undefined) return undefined;
  const machine = host.toLowerCase().replace(/:\d+$/, "");
  const found = parseNetrc(file.text, path).find((entry) => entry.machine?.toLowerCase() === machine);
  if (found?.login === undefined || found.password === undefined) return undefined;
  if ((file.stat.mode & 0o077) !== 0) {
    log.warn(
      `${path} has a login for ${machine}, which is not used because others can read the file: chmod 600 ${path}`,
    );
    return undefined;
  }
  return {
    kind: "basic",
    username: clean(found.login, `the login for ${machine} in ${path}`),
    password: new Secret(clean(found.password, `the password for ${machine} in ${path}`)),
    from: `${path} (machine ${machine})`,
  };
}

/**
 * Entries in the order of the file; the first for a machine counts. Unknown words are passed over, as curl does.
 * @throws SregistryError CONFIG_INVALID naming file and line for a quote that is not closed or a word without its value.
 */
export function parseNetrc(text: string, path: string): readonly NetrcEntry[] {
  const words = new Words(text, path);
  const entries: { machine: string | undefined; login?: string; password?: string }[] = [];
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const entry = entries.at(-1);
    if (word.startsWith("#")) words.skipLine();
    else if (word === "machine") entries.push({ machine: words.value(word) });
    else if (word === "default") entries.push({ machine: undefined });
    else if (word === "macdef") words.skipMacro();
    else if (word === "account") words.value(word);
    else if (word === "login" || word === "password") {
      const value = words.value(word);
      if (entry !== undefined) entry[word] = value;
    }
  }
  return entries.map(({ machine, login, password }) => ({ machine, login, password }));
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Words between blanks; `"..."` with backslash escapes is one word (curl 7.84). */
class Words {
  readonly #text: string;
  readonly #path: string;
  #at = 0;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  next(): string | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    if (this.#at >= this.#text.length) return undefined;
    if (this.#text[this.#at] === '"') return this.#quoted();
    const start = this.#at;
    while (this.#at < this.#text.length && !/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  value(of: string): string {
    const start = this.#at;
    const word = this.next();
    if (word === undefined) throw this.#wrong(start, `${of} without its value`);
    return word;
  }

  skipLine(): void {
    // The comment's first word may have been the last of its line.
    if (this.#text[this.#at] === "\n") return;
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  /** A macro ends with an empty line. */
  skipMacro(): void {
    const end = /\n[ \t\r]*\n/g;
    end.lastIndex = this.#at;
    const match = end.exec(this.#text);
    this.#at = match === null ? this.#text.length : match.index + match[0].length;
  }

  #quoted(): string {
    const start = this.#at;
    let word = "";
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] ?? "";
      if (character === '"') {
        this.#at += 1;
        return word;
      }
      if (character === "\\") {
        this.#at += 1;
        const escaped = this.#text[this.#at] ?? "";
        word += ESCAPES[escaped] ?? escaped;
      } else {
        word += character;
      }
    }
    throw this.#wrong(start, "a quote that is not closed");
  }

  #wrong(at: number, what: string): SregistryError {
    const line = this.#text.slice(0, at).split("\n").length;
    return new SregistryError("CONFIG_INVALID", `${this.#path}, line ${line}: ${what}`);
  }
}
