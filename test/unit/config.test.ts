import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { getuid } from "node:process";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Config, loadConfig, userConfigFile } from "../../src/config/config.ts";
import { isCode, SregistryError } from "../../src/errors.ts";
import { parseYaml } from "../../src/yaml/document.ts";

let home: string;
let userFile: string;
let siteFile: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-config-"));
  userFile = userConfigFile({ env: {}, home });
  siteFile = join(home, "etc", "config.yaml");
});

afterEach(() => rm(home, { recursive: true, force: true }));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o644 });
}

const load = (): Promise<Config> => loadConfig({ env: {}, home, siteFile });

/** Message and hint of the failure. */
async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; hint: string | undefined }> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SregistryError)) throw error;
  return { code: error.code, message: error.message, hint: error.hint };
}

describe("loadConfig", () => {
  it("is empty without files", async () => {
    expect(await load()).toEqual({ plainHttp: [], trustedRealms: new Map(), hosts: [], sources: new Map() });
  });

  it("reads every setting, and says where each is from", async () => {
    await write(
      userFile,
      `# mine
registry: oras://ghcr.io/lab
store: ~/store
authfile: logins.json
ca-file: /etc/pki/lab.pem
plain-http: [Registry.Lab:5000, 10.0.0.7]
trust-realm:
  harbor.example.org: keycloak.example.net
  git.example.org: [https://Auth.example.net:8443/token, "[::1]:5001"]
hosts:
  "*.example.org":
    chunk-size: 8 MiB
  ghcr.io: { mode: monolithic, chunk-size: 1048576 }
progress: plain
retry-after-limit: 2m
`,
    );
    const line = (number: number): string => `${userFile}, line ${number}`;
    expect(await load()).toEqual({
      registry: "oras://ghcr.io/lab",
      store: join(home, "store"),
      authfile: join(dirname(userFile), "logins.json"),
      caFile: "/etc/pki/lab.pem",
      plainHttp: ["registry.lab:5000", "10.0.0.7"],
      trustedRealms: new Map([
        ["harbor.example.org", ["keycloak.example.net"]],
        ["git.example.org", ["https://auth.example.net:8443", "[::1]:5001"]],
      ]),
      hosts: [
        { host: "ghcr.io", mode: "monolithic", chunkSize: 1_048_576 },
        { host: "*.example.org", mode: "chunked", chunkSize: 8_388_608 },
      ],
      progress: "plain",
      retryAfterLimit: 120_000,
      sources: new Map([
        ["registry", line(2)],
        ["store", line(3)],
        ["authfile", line(4)],
        ["caFile", line(5)],
        ["plainHttp", line(6)],
        ["trustedRealms", line(7)],
        ["hosts", line(10)],
        ["progress", line(14)],
        ["retryAfterLimit", line(15)],
      ]),
    });
  });

  it("lays the user's file over the site's, hosts one by one", async () => {
    await write(
      siteFile,
      `registry: https://site.example.org
retry-after-limit: 1h
plain-http: mirror.site
trust-realm: { a.org: auth.site, b.org: auth.site }
hosts: { "*.org": { mode: monolithic }, "*.lab.org": { mode: monolithic }, a.org: { mode: monolithic } }
`,
    );
    await write(
      userFile,
      "registry: local\nplain-http: [mine]\ntrust-realm: { b.org: auth.mine }\nhosts: { a.org: { mode: chunked } }\n",
    );
    const usual = 64 * 2 ** 20;
    expect(await load()).toEqual({
      registry: "local",
      retryAfterLimit: 3_600_000,
      plainHttp: ["mine"],
      trustedRealms: new Map([
        ["a.org", ["auth.site"]],
        ["b.org", ["auth.mine"]],
      ]),
      hosts: [
        { host: "a.org", mode: "chunked", chunkSize: usual },
        { host: "*.lab.org", mode: "monolithic", chunkSize: usual },
        { host: "*.org", mode: "monolithic", chunkSize: usual },
      ],
      sources: new Map([
        ["registry", `${userFile}, line 1`],
        ["retryAfterLimit", `${siteFile}, line 2`],
        ["plainHttp", `${userFile}, line 2`],
        ["trustedRealms", `${userFile}, line 3`],
        ["hosts", `${userFile}, line 4`],
      ]),
    });
  });

  it.each([
    ["registy: local\n", 'line 1: unknown setting "registy"', "did you mean registry?"],
    ["\nplain_http: a\n", 'line 2: unknown setting "plain_http"', "did you mean plain-http?"],
    ["hosts:\n  ghcr.io:\n    moed: chunked\n", 'line 3: unknown setting "hosts.ghcr.io.moed"', "did you mean mode?"],
    ["hosts:\n  ghcr.io:\n    x: 1\n", 'line 3: unknown setting "hosts.ghcr.io.x"', "known are chunk-size, mode"],
    ["<<: { registry: local }\n", 'line 1: unknown setting "<<"', undefined],
    ["__proto__: { registry: local }\n", 'line 1: unknown setting "__proto__"', undefined],
    ["insecure-tls: [a.org]\n", "line 1: insecure-tls cannot be stored", undefined],
    ["registry:\n", "line 1: registry: expected a line of text, got nothing", undefined],
    ["registry: [a]\n", "line 1: registry: expected a line of text, got a list", undefined],
    ["store: 5\n", "line 1: store: expected a line of text, got 5", undefined],
    ['store: "a\\nb"\n', 'line 1: store: expected a line of text, got "a\\nb"', undefined],
    ["progress: fast\n", 'line 1: progress: expected auto, bar, plain, json, none, got "fast"', undefined],
    [
      "retry-after-limit: soon\n",
      'line 1: retry-after-limit: expected a time: 30, 30s, 5m or 2h, got "soon"',
      undefined,
    ],
    ["hosts: { a.org: { chunk-size: 0 } }\n", "chunk-size: expected a size: 8388608, 8 MiB or 1 GiB, got 0", undefined],
    ["plain-http:\n  - good\n  - bad_host\n", 'line 3: plain-http[1]: host "bad_host"', undefined],
    ["trust-realm: { a.org: ftp://b }\n", 'expected a host or an http(s) URL, got "ftp://b"', undefined],
    ["hosts: all\n", 'line 1: hosts: expected a map, got "all"', undefined],
    ["- registry\n", "line 1: the file: expected a map, got a list", undefined],
    ["registry: a\nregistry: b\n", "line 2: map keys must be unique", undefined],
    ["registry: a\n---\nregistry: b\n", "line 2: source contains multiple documents", undefined],
    ["registry: !!js/function a\n", "line 1: unresolved tag: tag:yaml.org,2002:js/function", undefined],
    ["registry: 'a\n", "line 2: missing closing 'quote", undefined],
    ["? [a]\n: b\n", "line 1: with stringKeys, all keys must be strings", undefined],
  ])("refuses %j with its place", async (text, message, hint) => {
    await write(userFile, text);
    const error = await failure(load());
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(`${userFile}, line `);
    expect(error.message).toContain(message);
    if (hint !== undefined) expect(error.hint).toBe(hint);
  });

  it("wants a file that was named to exist", async () => {
    const file = join(home, "none.yaml");
    expect(await failure(loadConfig({ env: {}, home, siteFile, file }))).toEqual({
      code: "CONFIG_INVALID",
      message: `${file}, named as the configuration, does not exist`,
      hint: undefined,
    });
  });

  it("reads at most 1 MiB", async () => {
    await write(userFile, `# ${"x".repeat(1024 * 1024)}\n`);
    expect((await failure(load())).message).toBe(`${userFile} is longer than 1 MiB, so it is no configuration of ours`);
  });

  it("does not trust a file that everybody can change", async () => {
    await write(userFile, "registry: local\n");
    await chmod(userFile, 0o666);
    expect(await failure(load())).toEqual({
      code: "CONFIG_INVALID",
      message: `${userFile} can be changed by everybody: it is not read`,
      hint: `chmod o-w ${userFile}`,
    });
  });

  it.runIf(getuid?.() === 0)("does not trust another user's file", async () => {
    await write(userFile, "registry: local\n");
    await chown(userFile, 1234, 1234);
    expect((await failure(load())).message).toBe(`${userFile} belongs to another user (uid 1234): it is not read`);
    // sudo with the HOME of the user who calls it.
    await chown(home, 1234, 1234);
    expect((await load()).registry).toBe("local");
  });

  it("takes XDG_CONFIG_HOME only when it is absolute", () => {
    expect(userConfigFile({ env: { XDG_CONFIG_HOME: "/x" }, home })).toBe("/x/sregistry/config.yaml");
    expect(userConfigFile({ env: { XDG_CONFIG_HOME: "x" }, home })).toBe(join(home, ".config/sregistry/config.yaml"));
  });
});

describe("parseYaml", () => {
  const problem = (text: string): string => {
    try {
      parseYaml(text, "f");
    } catch (error) {
      if (isCode(error, "CONFIG_INVALID")) return error.message;
      throw error;
    }
    return "none";
  };

  it("knows yes, no and 0777 as the core schema does", () => {
    const { value } = parseYaml("[yes, no, true, ~, 0o17, 017, 1.5]", "f");
    expect(Array.isArray(value) ? value.map((node) => node.value) : value).toEqual([
      "yes",
      "no",
      true,
      null,
      15,
      17,
      1.5,
    ]);
  });

  it("keeps to the core schema whatever the document asks for", () => {
    const { value } = parseYaml("%YAML 1.1\n---\na: &m { b: yes }\nc: { <<: *m }\n", "f");
    if (!(value instanceof Map)) throw new Error("no map");
    expect([...value.get("c").value.keys()]).toEqual(["<<"]);
    expect(value.get("a").value.get("b").value).toBe("yes");
  });

  it("bounds what aliases can multiply", () => {
    expect(problem(`a: &a x\nb: [${"*a, ".repeat(10)}]`)).toBe("none");
    expect(problem(`a: &a x\nb: [${"*a, ".repeat(11)}]`)).toBe("f, line 2: more than 10 uses of aliases");
    expect(problem("a: &a [*a]")).toMatch(/^f, line 1: /);
  });

  it("survives deep nesting (yaml CVE-2026-33532)", () => {
    expect(problem("[".repeat(20) + "]".repeat(20))).toBe("f, line 1: more than 16 levels");
    for (const deep of ["[".repeat(10_000), "{a: ".repeat(5_000), `${"- ".repeat(10_000)}x`]) {
      expect(problem(deep)).toMatch(/^f(?:, line \d+:| cannot be read as YAML)/);
    }
  });

  it("throws nothing but errors of ours", () => {
    const pieces = fc.constantFrom(
      "a",
      ":",
      " ",
      "\n",
      "- ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      '"',
      "'",
      "!!x ",
      "|",
      "%",
      "---",
      "<<",
      "#",
      "? ",
      "\t",
      "\u0000",
      "é",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((parts) => parts.join("")),
        ),
        (text) => {
          problem(text);
        },
      ),
    );
  });
});
