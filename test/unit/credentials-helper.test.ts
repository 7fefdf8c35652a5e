import { chmod, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { basic, failure, LoginHome } from "../support/login-home.ts";

let home: LoginHome;
const signal = new AbortController().signal;
const CONFIG = ".singularity/docker-config.json";
const HUB = "https://index.docker.io/v1/";

beforeEach(async () => {
  home = await LoginHome.create();
  await home.installHelper();
});

afterEach(() => home[Symbol.asyncDispose]());

const keep = (logins: Readonly<Record<string, readonly [string, string]>>): Promise<string> =>
  home.write(
    "store.json",
    Object.fromEntries(
      Object.entries(logins).map(([ServerURL, [Username, Secret]]) => [ServerURL, { ServerURL, Username, Secret }]),
    ),
  );

describe("a credential helper", () => {
  it("is asked with the name under which the login was stored, and once in a process", async () => {
    await keep({ h: ["me", "p4ss"], "https://k/v1/": ["k", "p4ss"], [HUB]: ["hub", "p4ss"] });
    await home.write(CONFIG, { credsStore: "fake", auths: { "https://k/v1/": {} } });
    const credentials = home.credentials();
    const found: string[] = [];
    for (const host of ["h", "h", "k", "registry-1.docker.io", "docker.io", "nobody", "nobody"]) {
      found.push(await home.find(host, { repository: `r${found.length}` }, credentials));
    }
    const from = (server: string): string => `<docker-credential-fake "${server}" (named by ~/${CONFIG})>`;
    expect(found).toEqual([
      `basic me:p4ss ${from("h")}`,
      `basic me:p4ss ${from("h")}`,
      `basic k:p4ss ${from("https://k/v1/")}`,
      `basic hub:p4ss ${from(HUB)}`,
      `basic hub:p4ss ${from(HUB)}`,
      "anonymous",
      "anonymous",
    ]);
    expect(await home.helperCalls()).toEqual([
      'get "h\\n"',
      'get "https://k/v1/\\n"',
      `get "${HUB}\\n"`,
      'get "nobody\\n"',
    ]);
  });

  it("asks once for many who want it at the same time", async () => {
    await keep({ h: ["me", "p4ss"] });
    await home.write(CONFIG, { credHelpers: { h: "fake" } });
    const credentials = home.credentials();
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => home.find("h", { repository: `r${index}` }, credentials)),
    );
    expect(await home.helperCalls()).toEqual(['get "h\\n"']);
  });

  it("of a host comes before that of all, and both before the file's entries", async () => {
    await home.installHelper("other");
    await keep({ a: ["a", "helper"], b: ["b", "helper"], plain: ["plain", "helper"] });
    await home.write(CONFIG, {
      credsStore: "fake",
      credHelpers: { "https://a/v1/": "other", plain: "" },
      auths: { a: basic("a", "file"), b: basic("b", "file"), c: basic("c", "file"), plain: basic("plain", "file") },
    });
    expect(await Promise.all(["a", "b", "c", "plain"].map((host) => home.find(host)))).toEqual([
      `basic a:helper <docker-credential-other "a" (named by ~/${CONFIG})>`,
      `basic b:helper <docker-credential-fake "b" (named by ~/${CONFIG})>`,
      `basic c:file <~/${CONFIG} (auths "c")>`,
      `basic plain:file <~/${CONFIG} (auths "plain")>`,
    ]);
  });

  it("gives an identity token under the user name <token>", async () => {
    await keep({ h: ["<token>", "refresh"] });
    await home.write(CONFIG, { credsStore: "fake" });
    expect(await home.find("h")).toBe(`identity :refresh <docker-credential-fake "h" (named by ~/${CONFIG})>`);
  });
});

describe("a credential helper that fails ends the search", () => {
  beforeEach(async () => {
    await home.write(".docker/config.json", {
      auths: Object.fromEntries(
        ["fail", "junk", "lines", "long", "hang", "h"].map((name) => [`${name}.example.org`, basic("docker", "file")]),
      ),
    });
    await home.write(CONFIG, { credsStore: "fake" });
  });

  it.each([
    [
      "fail",
      "docker-credential-fake get failed for fail.example.org: The name org.freedesktop.secrets was not provided",
    ],
    ["junk", "the answer of docker-credential-fake for junk.example.org: not JSON"],
    ["long", "docker-credential-fake get answered more than 1 MiB"],
    [
      "hang",
      "docker-credential-fake get gave no answer for hang.example.org in 0.5 s (a locked keyring, or none in this session?)",
    ],
  ])("%s", async (name, message) => {
    const credentials = home.credentials({ helperTimeout: name === "hang" ? 500 : undefined });
    const error = await failure(home.find(`${name}.example.org`, {}, credentials));
    expect([error.code, error.message, error.cause]).toEqual(["UNAUTHORIZED", message, undefined]);
    expect(error.hint).toContain(`take the helper out of ${home.at(CONFIG)}`);
  });

  it("answers with line breaks", async () => {
    const error = await failure(home.find("lines.example.org"));
    expect([error.code, error.message]).toEqual([
      "CONFIG_INVALID",
      "the secret in the answer of docker-credential-fake for lines.example.org holds a line break or another control character",
    ]);
  });

  it("is not installed", async () => {
    home.env["PATH"] = home.at("empty");
    const error = await failure(home.find("h.example.org"));
    expect([error.code, error.message]).toEqual([
      "CONFIG_INVALID",
      `${home.at(CONFIG)} keeps logins with docker-credential-fake, which is not installed (not in PATH)`,
    ]);
  });

  it("may not be run", async () => {
    await chmod(home.at("bin/docker-credential-fake"), 0o644);
    const error = await failure(home.find("h.example.org"));
    expect(error.message).toBe(
      `${home.at(CONFIG)} keeps logins with docker-credential-fake, which cannot be started: EACCES`,
    );
  });

  it.each(["../evil", "a/b", "x y", "a;b", "ü"])("has the name %j", async (helper) => {
    const file = await home.write(CONFIG, { credsStore: helper });
    const error = await failure(home.find("h.example.org"));
    expect([error.code, error.message]).toEqual([
      "CONFIG_INVALID",
      `${file} names the helper ${JSON.stringify(helper)}`,
    ]);
  });

  it("would be told a server with a line break in it", async () => {
    const file = await home.write(CONFIG, { credsStore: "fake", auths: { "https://h/\nusername=x": {} } });
    const error = await failure(home.find("h"));
    expect(error.message).toBe(`${file} has a server name with a line break in it`);
  });

  it("is stopped with the program", async () => {
    const stop = new AbortController();
    const asked = home.find("hang.example.org", { signal: stop.signal });
    setTimeout(() => stop.abort(new SregistryError("INTERRUPTED", "interrupted")), 50);
    expect((await failure(asked)).code).toBe("INTERRUPTED");
  });
});

describe("login and logout with a helper", () => {
  it("stores, marks the file as docker does, and erases", async () => {
    const path = await home.write(CONFIG, { credHelpers: { h: "fake" }, auths: { other: basic("o", "p") } });
    const credentials = home.credentials();
    await credentials.saveLogin("h", { username: "me", password: new Secret("new secret") }, signal);
    expect(await home.find("h", {}, credentials)).toBe(
      `basic me:new secret <docker-credential-fake "h" (named by ~/${CONFIG})>`,
    );
    expect(await home.read(CONFIG)).toBe(
      '{\n\t"credHelpers": {\n\t\t"h": "fake"\n\t},\n\t"auths": {\n\t\t"other": {\n\t\t\t"auth": "bzpw"\n\t\t},\n\t\t"h": {}\n\t}\n}',
    );
    expect(await credentials.removeLogin("h", signal)).toEqual({ path });
    expect(await home.read(CONFIG)).toBe(
      '{\n\t"credHelpers": {\n\t\t"h": "fake"\n\t},\n\t"auths": {\n\t\t"other": {\n\t\t\t"auth": "bzpw"\n\t\t}\n\t}\n}',
    );
    expect(await home.read("store.json")).toBe("{}");
    expect((await failure(credentials.removeLogin("h", signal))).code).toBe("NOT_FOUND");
  });

  it("uses Docker Hub's old name, whatever Hub is called", async () => {
    await home.write(CONFIG, { credsStore: "fake" });
    const credentials = home.credentials();
    await credentials.saveLogin("docker.io", { username: "me", password: new Secret("a secret") }, signal);
    expect(await home.read(CONFIG)).toBe(`{\n\t"auths": {\n\t\t"${HUB}": {}\n\t},\n\t"credsStore": "fake"\n}`);
    expect(JSON.parse(await home.read("store.json"))).toEqual({
      [HUB]: { ServerURL: HUB, Username: "me", Secret: "a secret" },
    });
    await credentials.removeLogin("index.docker.io", signal);
    expect(await home.read(CONFIG)).toBe('{\n\t"auths": {},\n\t"credsStore": "fake"\n}');
  });

  it("writes nothing when the helper fails", async () => {
    const path = await home.write(CONFIG, '{"credsStore": "fake"}');
    const login = { username: "me", password: new Secret("a secret") };
    const error = await failure(home.credentials().saveLogin("fail.example.org", login, signal));
    expect(error.message).toBe(
      "docker-credential-fake store failed for fail.example.org: The name org.freedesktop.secrets was not provided",
    );
    expect(await readFile(path, "utf8")).toBe('{"credsStore": "fake"}');
  });
});
