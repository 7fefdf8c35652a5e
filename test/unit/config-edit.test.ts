/** What `remote add`, `use` and `remove` leave in the user's config.yaml. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig, userConfigFile } from "../../src/config/config.ts";
import { type ConfigEdits, configEdits } from "../../src/config/edit.ts";
import { failureOf } from "../support/http.ts";

const COMMENTED = `# of mine
store: ~/images   # big disk

remotes:
  # the lab's
  lab: oras://registry.lab.example.org/tools
progress: plain
`;

let home: string;
let file: string;
let edits: ConfigEdits;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-config-edit-"));
  file = userConfigFile({ env: {}, home });
  edits = configEdits({ env: {}, home }, new AbortController().signal);
});
afterEach(() => rm(home, { recursive: true, force: true }));

const text = (): Promise<string> => readFile(file, "utf8");
const load = () => loadConfig({ env: {}, home, siteFile: join(home, "none") });

async function write(content: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  await chmod(file, mode);
}

describe("config.yaml", () => {
  it("holds OCI remotes and the keyring, which remote.yaml must not", async () => {
    await write("remotes:\n  hub: https://registry.example.org\n  '007': oras://ghcr.io/bond\nkeyring: true\n");
    const { remotes, keyring, sources } = await load();
    expect(remotes).toEqual(
      new Map([
        ["hub", "https://registry.example.org"],
        ["007", "oras://ghcr.io/bond"],
      ]),
    );
    expect(keyring).toBe(true);
    expect(sources.get("keyring")).toBe(`${file}, line 4`);
  });

  it.each([
    ["remotes: oras://ghcr.io\n", /line 1: remotes: expected a map/],
    ["remotes:\n  a b: oras://ghcr.io\n", /line 2: remotes: expected a name of letters/],
    ["remotes:\n  local: oras://ghcr.io\n", /line 2: remotes: expected a name of letters/],
    ["remotes:\n  lab: [x]\n", /line 2: remotes\.lab: expected a line of text, got a list/],
    ["keyring: often\n", /line 1: keyring: expected true or false, got "often"/],
  ])("says what is wrong with %j", async (content, words) => {
    await write(content);
    expect(await failureOf(load())).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringMatching(words) });
  });
});

describe("configEdits", () => {
  it("begins a private file in a private directory", async () => {
    await edits.addRemote("lab", "oras://registry.lab.example.org/tools");
    await edits.setRegistry("lab");
    await edits.useKeyring();
    expect(await text()).toBe(
      "remotes:\n    lab: oras://registry.lab.example.org/tools\nregistry: lab\nkeyring: true\n",
    );
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(file))).toEqual(["config.yaml"]);
    expect(await load()).toMatchObject({ registry: "lab", keyring: true });
  });

  it("keeps comments, order and the mode of a file that is there", async () => {
    await write(COMMENTED, 0o640);
    await edits.addRemote("hub", "https://registry.example.org");
    await edits.setRegistry("hub");
    expect(await text()).toBe(
      COMMENTED.replace("   # big", " # big")
        .replace("/tools\n", "/tools\n  hub: https://registry.example.org\n")
        .concat("registry: hub\n"),
    );
    await edits.removeRemote("hub");
    await edits.setRegistry(undefined);
    expect(await text()).toBe(COMMENTED.replace("   # big", " # big"));
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it("touches nothing when nothing changes", async () => {
    await edits.setRegistry(undefined);
    await edits.removeRemote("lab");
    expect(await readdir(dirname(file))).toEqual([]);
    await write(COMMENTED);
    const before = await stat(file);
    await edits.removeRemote("nobody");
    await edits.addRemote("lab", "oras://registry.lab.example.org/tools");
    expect((await stat(file)).ino).toBe(before.ino);
    expect(await text()).toBe(COMMENTED);
  });

  it.each(["", "a b", "local", "-x", "a/b", "x".repeat(129)])("refuses the name %j", async (name) => {
    expect(await failureOf(edits.addRemote(name, "oras://ghcr.io"))).toMatchObject({
      code: "USAGE",
      message: `invalid name: ${JSON.stringify(name)}`,
    });
  });

  it.each([
    ["broken YAML", "store: [\n", "line 2: "],
    ["a setting that is unknown", "stroe: x\n", "line 1: "],
    ["brackets without end", "[".repeat(50_000), "line 1: more than 16 levels"],
  ])("leaves a file with %s alone, and names the line", async (_what, content, words) => {
    await write(content);
    expect(await failureOf(edits.setRegistry("local"))).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`${file}, ${words}`),
    });
    expect(await text()).toBe(content);
    expect(await readdir(dirname(file))).toEqual(["config.yaml"]);
  });

  it("writes nothing that could not be read again", async () => {
    expect(await failureOf(edits.addRemote("lab", "oras://ghcr.io\nkeyring: true"))).toMatchObject({
      code: "CONFIG_INVALID",
    });
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it("loses nothing when many processes write at once", async () => {
    const program = join(home, "program.mjs");
    const contents = `
      import { configEdits } from "./src/config/edit.ts";
      const [home, ...names] = process.argv.slice(2);
      const edits = configEdits({ env: {}, home }, new AbortController().signal);
      for (const name of names) await edits.addRemote(name, "oras://" + name + ".example.org");`;
    const stdin = { contents, resolveDir: resolve(import.meta.dirname, "../..") };
    const banner = {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    };
    await build({ stdin, bundle: true, platform: "node", format: "esm", outfile: program, banner, logLevel: "error" });
    const groups = [0, 1, 2, 3].map((process) => [0, 1, 2, 3, 4].map((turn) => `r${process}-${turn}`));
    const statuses = groups.map(async (names) => {
      const child = spawn(process.execPath, [program, home, ...names], { stdio: ["ignore", "ignore", "inherit"] });
      return (await once(child, "exit"))[0];
    });
    expect(await Promise.all(statuses)).toEqual(groups.map(() => 0));
    expect([...((await load()).remotes ?? [])].map(([name]) => name).sort()).toEqual(groups.flat());
  });
});
