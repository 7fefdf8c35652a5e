/** A home directory for tests of logins: files by name, and a credential helper that is a real program. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Credentials, createCredentials } from "../../src/credentials/chain.ts";
import { SregistryError } from "../../src/errors.ts";
import type { Credential, CredentialQuery } from "../../src/http/credential.ts";

/** Keeps logins in $FAKE_STORE, and each call as a line of $FAKE_STORE.calls. Some servers make it misbehave. */
const HELPER = `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync, writeFileSync } = require("node:fs");
const file = process.env.FAKE_STORE;
const action = process.argv[2];
const input = readFileSync(0, "utf8");
appendFileSync(file + ".calls", action + " " + JSON.stringify(input) + "\\n");
const logins = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
const say = (text, status) => { process.stdout.write(text); process.exitCode = status; };
const server = action === "store" ? JSON.parse(input).ServerURL : input.trim();
if (server === "hang.example.org") setInterval(() => {}, 1000);
else if (server === "fail.example.org") say("The name org.freedesktop.secrets was not provided\\n", 1);
else if (server === "junk.example.org") say("Secret: hunter2-in-the-clear", 0);
else if (server === "lines.example.org") say(JSON.stringify({ Username: "me", Secret: "one\\r\\ntwo" }), 0);
else if (server === "long.example.org") say("x".repeat(2 * 1024 * 1024), 0);
else if (action === "store") {
  logins[server] = JSON.parse(input);
  writeFileSync(file, JSON.stringify(logins));
} else if (!(server in logins)) say("credentials not found in native keychain\\n", 1);
else if (action === "get") say(JSON.stringify(logins[server]), 0);
else {
  delete logins[server];
  writeFileSync(file, JSON.stringify(logins));
}
`;

export class LoginHome {
  readonly path: string;
  readonly env: Record<string, string> = {};
  readonly warnings: string[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<LoginHome> {
    return new LoginHome(await mkdtemp(join(tmpdir(), "sregistry-logins-")));
  }

  at(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Text, or a value as JSON. The mode is that of a secret. */
  async write(name: string, content: unknown): Promise<string> {
    const path = this.at(name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
    return path;
  }

  read(name: string): Promise<string> {
    return readFile(this.at(name), "utf8");
  }

  /** Puts `docker-credential-fake` in PATH. */
  async installHelper(name = "fake"): Promise<void> {
    const path = await this.write(`bin/docker-credential-${name}`, HELPER);
    await chmod(path, 0o755);
    this.env["PATH"] = this.at("bin");
    this.env["FAKE_STORE"] = this.at("store.json");
  }

  /** What the helper was asked, one call a line. */
  async helperCalls(): Promise<readonly string[]> {
    return (await this.read("store.json.calls")).trimEnd().split("\n");
  }

  credentials(options: Partial<Parameters<typeof createCredentials>[0]> = {}): Credentials {
    const warn = (message: string): void => {
      this.warnings.push(message);
    };
    const log = { info() {}, verbose() {}, debug() {}, warn };
    return createCredentials({ env: this.env, home: this.path, log, ...options });
  }

  /** The credential for a host with its secret in the clear: `KIND user:secret <from>`, the home written as `~`. */
  async find(host: string, query: Partial<CredentialQuery> = {}, credentials = this.credentials()): Promise<string> {
    const found = await credentials.find({ host, secure: true, signal: new AbortController().signal, ...query });
    return found === undefined ? "anonymous" : shown(found).replaceAll(this.path, "~");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

function shown(credential: Credential): string {
  switch (credential.kind) {
    case "basic":
      return `basic ${credential.username}:${credential.password.reveal()} <${credential.from}>`;
    case "identity":
      return `identity ${credential.username ?? ""}:${credential.token.reveal()} <${credential.from}>`;
    case "bearer":
      return `bearer ${credential.token.reveal()} <${credential.from}>`;
  }
}

export function basic(username: string, password: string): { readonly auth: string } {
  return { auth: Buffer.from(`${username}:${password}`).toString("base64") };
}

/** The error of ours that `work` fails with. */
export async function failure(work: Promise<unknown>): Promise<SregistryError> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SregistryError)) throw error;
  return error;
}
