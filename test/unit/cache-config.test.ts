/** Which image cache a run has, and what the command line says about it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageCache } from "../../src/client/cache.ts";
import { cache } from "../../src/commands/cache.ts";
import { pull } from "../../src/commands/pull.ts";
import { Flags } from "../../src/commands/verb.ts";
import { type CacheSettings, loadConfig, userConfigFile } from "../../src/config/config.ts";
import { failureOf } from "../support/http.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-cache-config-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function settings(user: string, site = ""): Promise<CacheSettings | undefined> {
  const siteFile = join(home, "etc", "config.yaml");
  for (const [file, text] of [[userConfigFile({ env: {}, home }), user] as const, [siteFile, site] as const]) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode: 0o644 });
  }
  return (await loadConfig({ env: {}, home, siteFile })).cache;
}

describe("cache in config.yaml", () => {
  it("says where, for whom, and what is read besides", async () => {
    expect(
      await settings("cache:\n  directory: ~/images\n  shared: true\n  lookaside: [/cvmfs/images, ~/mine]\n"),
    ).toEqual({ directory: join(home, "images"), shared: true, lookaside: ["/cvmfs/images", join(home, "mine")] });
    expect(await settings("")).toBeUndefined();
  });

  it("adds to the site's; a directory of the user's own is not the group's", async () => {
    const site = "cache: { directory: /site/images, shared: true, lookaside: /cvmfs/images }\n";
    const [directory, lookaside] = ["/site/images", ["/cvmfs/images"]];
    expect(await settings("", site)).toEqual({ directory, shared: true, lookaside });
    expect(await settings("cache: { lookaside: [] }\n", site)).toEqual({ directory, shared: true, lookaside: [] });
    expect(await settings("cache: { directory: ~/mine }\n", site)).toEqual({
      directory: join(home, "mine"),
      lookaside,
    });
  });

  it("refuses what it does not know", async () => {
    expect(await failureOf(settings("cache: { size: 10 }\n"))).toEqual({
      code: "CONFIG_INVALID",
      message: `${userConfigFile({ env: {}, home })}, line 1: unknown setting "cache.size"`,
      hint: "known are directory, shared, lookaside",
    });
  });
});

describe("the cache's directory", () => {
  const chosen = async (env: Record<string, string>, given: CacheSettings = {}) => {
    const found = imageCache({ env, cwd: home, caches: join(home, "xdg"), settings: given });
    return [found.configured, (await found.open()).directory];
  };
  it.each([
    [{}, {}, false, "xdg/sregistry"],
    [{}, { directory: "/site" }, true, "/site"],
    [{ SINGULARITY_CACHEDIR: "/s" }, { directory: "/site" }, true, "/s/sregistry"],
    [{ SINGULARITY_CACHEDIR: "/s", APPTAINER_CACHEDIR: "/a" }, {}, true, "/a/sregistry"],
    [{ SREGISTRY_CACHEDIR: "mine", APPTAINER_CACHEDIR: "/a" }, {}, true, "mine"],
    [{ SREGISTRY_CACHEDIR: "", APPTAINER_CACHEDIR: "" }, {}, false, "xdg/sregistry"],
  ])("for %o and %o", async (env, given, configured, directory) => {
    const path = directory.startsWith("/") ? directory : join(home, directory);
    expect(await chosen(env, given)).toEqual([configured, path]);
  });
});

describe("what is typed", () => {
  const flags = (values: Record<string, unknown>, ...typed: readonly string[]) =>
    new Flags(new Map(Object.entries(values)), new Set(typed));
  it.each([
    [{}, [], undefined],
    [{ cache: true }, ["cache"], "always"],
    [{ "no-cache": true, cache: false }, ["no-cache", "cache"], "never"],
    [{ "no-cache": true }, [], "never"],
    [{ "no-cache": true, cache: true }, ["cache"], "always"],
    [{ "cache-only": true }, ["cache-only"], "only"],
  ] as const)("pull with %o, typed %o: %s", (values, typed, use) => {
    expect(pull.parse(["a/b:1"], flags(values, ...typed))).toMatchObject({
      pulls: [use === undefined ? {} : { cache: use }],
    });
  });

  it.each([
    ["50GiB", 50 * 2 ** 30],
    ["500M", 500 * 2 ** 20],
    ["500 MB", 500_000_000],
    ["1.5t", 1.5 * 2 ** 40],
    ["0", 0],
  ])("--max-size %s is %i bytes", (text, maxSize) => {
    expect(cache.parse(["prune"], flags({ "max-size": text }))).toMatchObject({ limits: { maxSize } });
  });

  it.each([
    ["90m", 5_400_000],
    ["30d", 2_592_000_000],
    ["8w", 4_838_400_000],
  ])("--older-than %s is %i milliseconds", (text, olderThan) => {
    expect(cache.parse(["prune"], flags({ "older-than": text }))).toMatchObject({ limits: { olderThan } });
  });

  it.each([
    [["prune"], { "max-size": "much" }, '--max-size "much" is no size: expected 500M, 50GiB or 1T'],
    [["prune"], { "older-than": "30" }, '--older-than "30" is no age: expected 12h, 30d or 8w'],
    [["prune"], {}, "nothing says what may stay in the cache"],
    [["empty"], {}, 'sregistry cache has no action "empty"'],
    [[], {}, "what to do with the cache is missing"],
  ])("refuses %o with %o", (words, values, message) => {
    expect(() => cache.parse(words, flags(values, ...Object.keys(values)))).toThrow(message);
  });
});
