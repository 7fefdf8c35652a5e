/** What the Python client left behind: `~/.sregistry` in both of its styles, and its variables. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOldClient, type OldClient } from "../../src/remote/old-client.ts";
import { failureOf } from "../support/http.ts";

let home: string;
let path: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-old-"));
  path = join(home, ".sregistry");
});
afterEach(() => rm(home, { recursive: true, force: true }));

const write = (content: unknown): Promise<void> =>
  writeFile(path, typeof content === "string" ? content : JSON.stringify(content, null, 4));

/** `BASE USER:TOKEN <from>`, the base alone without a login, the home written as `~`. */
function shown(old: OldClient | undefined): string | undefined {
  if (old === undefined) return undefined;
  const { base, username = "", token, from } = old;
  if (username + (token?.reveal() ?? "") === "") return base.href;
  return `${base.href} ${username}:${token?.reveal() ?? ""} <${from.replaceAll(home, "~")}>`;
}

async function load(env: Readonly<Record<string, string>> = {}) {
  const { environment, file } = await loadOldClient(env, home);
  return { environment: shown(environment), file: shown(file) };
}

const MODERN = {
  hub: { base: "https://singularity-hub.org/api" },
  registry: {
    SREGISTRY_REGISTRY_BASE: "https://registry.example.org/api",
    SREGISTRY_REGISTRY_USERNAME: "vanessa",
    SREGISTRY_REGISTRY_TOKEN: "0123456789",
  },
};
const LEGACY = { registry: { token: "legacy-token", username: "bob", base: "http://127.0.0.1:8088" } };

describe("~/.sregistry", () => {
  it("is nothing when it is not there, when it is about other backends, or when it has no base", async () => {
    const nothing = { environment: undefined, file: undefined };
    expect(await load()).toEqual(nothing);
    for (const content of [{}, { hub: { base: "x" }, SREGISTRY_CLIENT: "hub" }, { registry: null }]) {
      await write(content);
      expect(await load()).toEqual(nothing);
    }
    await write({ registry: { token: "t", username: "u" } });
    expect(await load()).toEqual(nothing);
  });

  it("says which backend is active (`backend activate`), after the variable of the same name", async () => {
    const backend = async (env = {}) => (await loadOldClient(env, home)).backend;
    expect(await backend()).toBeUndefined();
    await write({ ...MODERN, SREGISTRY_CLIENT: "registry" });
    expect(await backend()).toBe("registry");
    expect(await backend({ SREGISTRY_CLIENT: "hub" })).toBe("hub");
    expect(await backend({ SREGISTRY_CLIENT: "" })).toBe("registry");
  });

  it("is read in the style of the last version", async () => {
    await write(MODERN);
    expect(await load()).toEqual({
      environment: undefined,
      file: "https://registry.example.org/ vanessa:0123456789 <~/.sregistry>",
    });
  });

  it("is read in the style that the server's token page hands out", async () => {
    await write(LEGACY);
    expect(await load()).toEqual({
      environment: undefined,
      file: "http://127.0.0.1:8088/ bob:legacy-token <~/.sregistry>",
    });
  });

  it("with both styles beside each other counts as the last version wrote it", async () => {
    await write({ registry: { ...LEGACY.registry, ...MODERN.registry } });
    expect((await load()).file).toBe("https://registry.example.org/ vanessa:0123456789 <~/.sregistry>");
    await write({ registry: { ...LEGACY.registry, SREGISTRY_REGISTRY_TOKEN: "" } });
    expect((await load()).file).toBe("http://127.0.0.1:8088/ bob:legacy-token <~/.sregistry>");
  });

  it("is where SREGISTRY_CLIENT_SECRETS says", async () => {
    const elsewhere = join(home, "elsewhere.json");
    await writeFile(elsewhere, JSON.stringify(LEGACY));
    await write(MODERN);
    expect((await load({ SREGISTRY_CLIENT_SECRETS: elsewhere })).file).toBe(
      "http://127.0.0.1:8088/ bob:legacy-token <~/elsewhere.json>",
    );
  });

  it("is never written, not even its mode: the old client copied every variable into it", async () => {
    await write(LEGACY);
    const before = await stat(path);
    await load({ SREGISTRY_REGISTRY_TOKEN: "one-off", SREGISTRY_REGISTRY_BASE: "https://other.example.org" });
    const { mode, mtimeMs } = await stat(path);
    expect({ mode, mtimeMs }).toEqual({ mode: before.mode, mtimeMs: before.mtimeMs });
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(LEGACY);
  });

  it.each([
    ["a list", "[1]", "the old client's file, is no JSON object"],
    [
      "half a file, as parallel jobs of the old client left it",
      '{"registry": {"token": "hunter2-hunter2"',
      "is no JSON object",
    ],
    ["text", "token hunter2-hunter2", "is no JSON object"],
    ["nothing", "", "is no JSON object"],
    ["a registry that is no object", '{"registry": "hunter2-hunter2"}', ': "registry" is no object'],
    ["a token that is no text", '{"registry": {"token": 12345678, "base": "http://x"}}', ": token is no line of text"],
    [
      "a token of two lines",
      '{"registry": {"token": "hunter2-hunter2\\nX: y", "base": "http://x"}}',
      ": token is no line",
    ],
    ["a base that is no address", '{"registry": {"base": "http://"}}', '"http://" is no address of a registry'],
  ])("fails naming the file, and quoting no token: %s", async (_what, content, words) => {
    await write(content);
    const { code, message, hint } = await failureOf(loadOldClient({}, home));
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain(path);
    expect(message).toContain(words);
    expect(`${message} ${hint}`).not.toMatch(/hunter2|12345678/);
    const error: unknown = await loadOldClient({}, home).catch((reason: unknown) => reason);
    expect(inspect(error, { depth: 5 })).not.toMatch(/hunter2|12345678/);
  });

  it("shows no token, however its login is printed", async () => {
    await write(MODERN);
    const found = await loadOldClient({}, home);
    expect(inspect(found, { depth: 5 }) + JSON.stringify(found)).not.toContain("0123456789");
  });
});

describe("the base", () => {
  it.each([
    ["http://h", "http://h/"],
    ["http://h/", "http://h/"],
    ["http://h/api", "http://h/"],
    ["http://h/api/", "http://h/"],
    ["HTTPS://h.example.org//", "https://h.example.org/"],
    ["https://h/prefix/api", "https://h/prefix"],
    ["https://api.example.org/api", "https://api.example.org/"],
    ["https://myapi", "https://myapi/"],
    ["h:5000", "https://h:5000/"],
    ["h", "https://h/"],
    ["127.0.0.1/api", "https://127.0.0.1/"],
  ])("%s is %s", async (base, root) => {
    await write({ registry: { base } });
    expect((await load()).file).toBe(root);
    expect((await load({ SREGISTRY_REGISTRY_BASE: base })).environment).toBe(root);
  });

  it("without a scheme is plain http with NOHTTPS, set to anything", async () => {
    await write({ registry: { base: "h:5000" } });
    for (const value of ["1", "true", "false", "no"]) {
      const env = { SREGISTRY_REGISTRY_NOHTTPS: value, SREGISTRY_REGISTRY_BASE: "other/api" };
      expect(await load(env)).toEqual({
        environment: "http://other/",
        file: "http://h:5000/",
      });
    }
    expect((await load({ SREGISTRY_REGISTRY_NOHTTPS: "" })).file).toBe("https://h:5000/");
  });

  it("with a scheme keeps it, NOHTTPS or not", async () => {
    const env = { SREGISTRY_REGISTRY_NOHTTPS: "1", SREGISTRY_REGISTRY_BASE: "https://h" };
    expect((await load(env)).environment).toBe("https://h/");
  });

  it.each(["http://me:hunter2@h", "http://h?x=1", "http://h#x", "ftp://h/", "http://"])("is not %s", async (base) => {
    const { code, message } = await failureOf(loadOldClient({ SREGISTRY_REGISTRY_BASE: base }, home));
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain("SREGISTRY_REGISTRY_BASE");
  });
});

describe("the variables", () => {
  const LOGIN = { SREGISTRY_REGISTRY_USERNAME: "env-user", SREGISTRY_REGISTRY_TOKEN: "env-token" };

  it("are a login of their own", async () => {
    expect(await load({ SREGISTRY_REGISTRY_BASE: "http://h", ...LOGIN })).toEqual({
      environment: "http://h/ env-user:env-token <SREGISTRY_REGISTRY_TOKEN>",
      file: undefined,
    });
  });

  it("go before the file's for the file's server", async () => {
    await write(MODERN);
    expect((await load(LOGIN)).file).toBe(
      "https://registry.example.org/ env-user:env-token <SREGISTRY_REGISTRY_TOKEN>",
    );
    expect((await load({ SREGISTRY_REGISTRY_USERNAME: "env-user" })).file).toBe(
      "https://registry.example.org/ env-user:0123456789 <~/.sregistry>",
    );
  });

  it("naming the file's server have the file's login", async () => {
    await write(MODERN);
    const { environment } = await load({ SREGISTRY_REGISTRY_BASE: "https://registry.example.org/" });
    expect(environment).toBe("https://registry.example.org/ vanessa:0123456789 <~/.sregistry>");
  });

  it("naming another server: the file's login is not for that one, nor theirs for the file's", async () => {
    await write(MODERN);
    expect(await load({ SREGISTRY_REGISTRY_BASE: "https://other.example.org", ...LOGIN })).toEqual({
      environment: "https://other.example.org/ env-user:env-token <SREGISTRY_REGISTRY_TOKEN>",
      file: "https://registry.example.org/ vanessa:0123456789 <~/.sregistry>",
    });
    expect(await load({ SREGISTRY_REGISTRY_BASE: "http://registry.example.org" })).toEqual({
      environment: "http://registry.example.org/",
      file: "https://registry.example.org/ vanessa:0123456789 <~/.sregistry>",
    });
  });

  it("that are empty are not set", async () => {
    await write(MODERN);
    const env = { SREGISTRY_REGISTRY_BASE: "", SREGISTRY_REGISTRY_USERNAME: "", SREGISTRY_REGISTRY_TOKEN: "" };
    expect(await load(env)).toEqual(await load());
  });

  it("that hold more than a line are named, not quoted", async () => {
    const env = { SREGISTRY_REGISTRY_BASE: "http://h", SREGISTRY_REGISTRY_TOKEN: "hunter2\r\nX-Other: 1" };
    expect(await failureOf(loadOldClient(env, home))).toEqual({
      code: "CONFIG_INVALID",
      message: "the environment: SREGISTRY_REGISTRY_TOKEN is no line of text",
      hint: undefined,
    });
  });
});
