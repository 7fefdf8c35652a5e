/** Whose token goes to a library: where each is looked for, and to which server it never goes. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Log } from "../../src/call.ts";
import { findLogin, keyringAccount } from "../../src/client/logins.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { Keyring, KeyringAnswer } from "../../src/credentials/keyring.ts";
import { loadOldClient } from "../../src/remote/old-client.ts";
import { loadRemotes } from "../../src/remote/remotes.ts";
import { Secret } from "../../src/secret.ts";
import { failureOf } from "../support/http.ts";

let home: string;
let lines: string[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-login-"));
  lines = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

const log: Log = { info() {}, verbose() {}, debug() {}, warn: (text) => void lines.push(text) };

async function write(name: string, content: string): Promise<void> {
  const path = join(home, name);
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  await writeFile(path, content, { mode: 0o600 });
}

interface Given {
  readonly env?: Readonly<Record<string, string>>;
  /** By account; undefined: there is no keyring. */
  readonly kept?: ReadonlyMap<string, string> | undefined;
}

/** `user:token <from>`, the home written as `~`; or "nobody". And the accounts that the keyring was asked for. */
async function login(front: string, { env = {}, kept }: Given = {}) {
  const asked: string[] = [];
  const answer = (account: string): KeyringAnswer => {
    asked.push(account);
    if (kept === undefined) return { available: false, reason: "no keyring here" };
    const secret = kept.get(account);
    return { available: true, secret: secret === undefined ? undefined : new Secret(secret) };
  };
  const keyring: Keyring = {
    get: async (account) => answer(account),
    set: async (account) => answer(account),
    delete: async (account) => answer(account),
  };
  const found = await findLogin(new URL(front), {
    config: await loadConfig({ env: {}, home, siteFile: join(home, "none") }),
    keyring,
    log,
    remotes: () => loadRemotes({ env: {}, home, system: [] }),
    oldClient: () => loadOldClient(env, home),
  });
  const who = found === undefined ? "nobody" : `${found.username ?? ""}:${found.token.reveal()} <${found.from}>`;
  return { who: who.replaceAll(home, "~"), asked };
}

const REMOTES = `Remotes:
    lab: {URI: "http://127.0.0.1:8088", Token: t-lab, Insecure: true}
    site: {URI: library.example.org, Token: t-site}
    path: {URI: shared.example.org/library, Token: t-path}
    open: {URI: open.example.org}
`;
const OLD = JSON.stringify({ registry: { base: "https://open.example.org/api", username: "bob", token: "t-old" } });

describe("the token of a library", () => {
  beforeEach(() => write(".singularity/remote.yaml", REMOTES));

  it.each([
    ["https://library.example.org/", "t-site <remote site in ~/.singularity/remote.yaml>"],
    ["https://library.example.org:443/any/path", "t-site <remote site in ~/.singularity/remote.yaml>"],
    ["http://127.0.0.1:8088", "t-lab <remote lab in ~/.singularity/remote.yaml>"],
    ["https://shared.example.org", "t-path <remote path in ~/.singularity/remote.yaml>"],
  ])("is the remote's of the same address: %s", async (front, who) => {
    expect((await login(front)).who).toBe(`:${who}`);
  });

  it.each([
    ["another scheme", "http://library.example.org/"],
    ["another port", "https://library.example.org:8443/"],
    ["a host below", "https://evil.library.example.org/"],
    ["a host above", "https://example.org/"],
    ["a host that ends so", "https://notlibrary.example.org/"],
    ["another port of the same machine", "http://127.0.0.1:8089/"],
    ["another name of the same machine", "http://localhost:8088/"],
    ["a remote without a token", "https://open.example.org/"],
  ])("does not go to %s", async (_what, front) => {
    expect((await login(front)).who).toBe("nobody");
  });

  it("is the old client's where the remotes have none, for its own server alone", async () => {
    await write(".sregistry", OLD);
    expect((await login("https://open.example.org")).who).toBe("bob:t-old <~/.sregistry>");
    expect((await login("https://other.example.org")).who).toBe("nobody");
    expect((await login("https://library.example.org")).who).toMatch(/^:t-site /);
    const env = { SREGISTRY_REGISTRY_BASE: "https://other.example.org", SREGISTRY_REGISTRY_TOKEN: "t-env" };
    expect((await login("https://other.example.org", { env })).who).toBe(":t-env <SREGISTRY_REGISTRY_TOKEN>");
    expect((await login("https://open.example.org", { env })).who).toBe("bob:t-old <~/.sregistry>");
  });

  it("is looked for in the keyring only when the user has one in use, by scheme, host and port", async () => {
    const kept = new Map([["https://open.example.org", "t-ring"]]);
    expect(await login("https://open.example.org", { kept })).toEqual({ who: "nobody", asked: [] });
    await write(".config/sregistry/config.yaml", "keyring: true\n");
    await write(".sregistry", OLD);
    expect(await login("https://open.example.org/path", { kept })).toEqual({
      who: ":t-ring <the keyring>",
      asked: ["https://open.example.org"],
    });
    expect(await login("https://library.example.org", { kept })).toMatchObject({ asked: [] });
    expect(keyringAccount(new URL("http://127.0.0.1:8088/x"))).toBe("http://127.0.0.1:8088");
  });

  it("goes without a keyring that does not answer, and says so in one line", async () => {
    await write(".config/sregistry/config.yaml", "keyring: true\n");
    await write(".sregistry", OLD);
    expect((await login("https://open.example.org")).who).toBe("bob:t-old <~/.sregistry>");
    expect(lines).toEqual(["the keyring cannot be asked for the token of open.example.org: no keyring here"]);
  });

  it("is not looked for elsewhere when a file of logins is broken", async () => {
    await write(".sregistry", "{");
    expect(await failureOf(login("https://open.example.org"))).toMatchObject({ code: "CONFIG_INVALID" });
    await write(".singularity/remote.yaml", "Remotes: [");
    expect(await failureOf(login("https://library.example.org"))).toMatchObject({ code: "CONFIG_INVALID" });
  });
});
