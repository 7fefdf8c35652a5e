/** What npm would publish: these files and no others, small enough, and whole when it is installed without a network. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Packed, pack } from "../support/packed.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const about: { readonly version: string; readonly man: readonly string[]; readonly scripts: object } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
);
const { version, man, scripts } = about;

/** Bytes. Room for a tenth more; what needs more than that should be looked at. */
const MOST_PACKED = 760_000;
const MOST_UNPACKED = 2_850_000;

const inFolder = (name: string): readonly string[] =>
  readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));

/** What is at the top of the package, and what may be in each folder of it. */
const CONTENTS: Readonly<Record<string, "a file" | readonly string[] | RegExp>> = {
  "CHANGELOG.md": "a file",
  LICENSE: "a file",
  "README.md": "a file",
  "SECURITY.md": "a file",
  bin: ["bin/sregistry.js"],
  completions: inFolder("completions"),
  // The names of the bundle's parts have a hash in them. No maps, no sources.
  dist: /^dist\/(?:THIRD-PARTY-LICENSES|(?:index|keyring|start|chunk-[A-Z0-9]{8})\.js|types\/(?:[\w-]+\/)*[\w-]+\.d\.ts)$/,
  docs: inFolder("docs"),
  man: man.map((name) => name.replace("./", "")),
  "package.json": "a file",
  schemas: inFolder("schemas"),
};

let packed: Packed;

beforeAll(async () => {
  packed = await pack();
});

afterAll(() => packed[Symbol.asyncDispose]());

describe("the package", () => {
  it("has at its top what is meant to be there", () => {
    const top = new Set(packed.files.map((name) => name.split("/")[0]));
    expect([...top].sort()).toEqual(Object.keys(CONTENTS).sort());
  });

  it.each(Object.entries(CONTENTS))("has in %s what is meant to be there", (name, contents) => {
    const there = packed.files.filter((file) => file === name || file.startsWith(`${name}/`));
    if (contents === "a file") expect(there).toEqual([name]);
    else if (contents instanceof RegExp) expect(there.filter((file) => !contents.test(file))).toEqual([]);
    else expect([...there].sort()).toEqual([...contents].sort());
  });

  it("has every part of the bundle, each named by another", async () => {
    const dist = packed.files.filter((file) => /^dist\/[^/]+\.js$/.test(file));
    const text = (await Promise.all(dist.map((file) => readFile(join(ROOT, file), "utf8")))).join("\n");
    const named = new Set([...text.matchAll(/"\.\/(chunk-[A-Z0-9]{8}\.js)"/g)].map(([, name]) => `dist/${name}`));
    expect(dist.filter((file) => file.includes("chunk-")).sort()).toEqual([...named].sort());
    expect(dist).toEqual(expect.arrayContaining(["dist/index.js", "dist/keyring.js", "dist/start.js"]));
    expect(packed.files, "what is bundled comes with its licences").toContain("dist/THIRD-PARTY-LICENSES");
  });

  it("has no script that npm runs by itself, which .npmrc would silence here and nobody wants there", () => {
    const itsOwn = /^(?:pre|post)?(?:install|pack|prepare|publish|version)$|^prepublishOnly$/;
    expect(Object.keys(scripts).filter((name) => itsOwn.test(name))).toEqual([]);
  });

  it("is small", () => {
    expect(packed.size).toBeLessThan(MOST_PACKED);
    expect(packed.unpackedSize).toBeLessThan(MOST_UNPACKED);
  });

  it("is installed without a network, with its program and its man pages", async () => {
    const prefix = await mkdtemp(join(tmpdir(), "sregistry-prefix-"));
    const run = promisify(execFile);
    const env = { PATH: process.env["PATH"], HOME: prefix, npm_config_cache: join(prefix, "cache") };
    await run("npm", ["install", "--global", "--offline", "--prefix", prefix, packed.file], { env, cwd: prefix });
    const { stdout } = await run(join(prefix, "bin", "sregistry"), ["--version"], { env, cwd: prefix });
    expect(stdout).toBe(`${version}\n`);
    const pages = readdirSync(join(prefix, "share", "man", "man1"));
    expect(pages.sort()).toEqual(man.map((name) => name.replace("./man/", "")).sort());
    const page = await realpath(join(prefix, "share", "man", "man1", "sregistry.1"));
    expect(await readFile(page, "utf8")).toContain(`sregistry ${version}`);
    await rm(prefix, { recursive: true, force: true });
  });
});
