/** What a command line means, before anything is done: words and flags in, a plan out. */
import { describe, expect, it } from "vitest";
import { hostOf } from "../../src/client/login.ts";
import { parseListen } from "../../src/client/serve.ts";
import { globalFlags } from "../../src/commands/globals.ts";
import { VERBS } from "../../src/commands/index.ts";
import { Flags } from "../../src/commands/verb.ts";
import { parseProgram } from "../../src/program.ts";
import { parseReference } from "../../src/reference/parse.ts";

async function meaning(verb: string, words: readonly string[], flags: Record<string, unknown> = {}): Promise<unknown> {
  const entry = VERBS.find(({ name }) => name === verb);
  return (await entry?.load())?.parse(words, new Flags(new Map(Object.entries(flags))));
}

const program = (argv: readonly string[], env: Record<string, string> = {}) =>
  parseProgram({ argv, env, version: "1.2.3", columns: 80 });

describe("pull", () => {
  const reference = parseReference("lab/tool:1");
  it("takes a reference", async () => {
    expect(await meaning("pull", ["lab/tool:1"])).toMatchObject({ pulls: [{ reference, force: false }] });
  });
  it("takes Singularity's order: file, then URI", async () => {
    expect(await meaning("pull", ["x.sif", "oras://h.example/a/b:1"])).toMatchObject({
      pulls: [{ reference: parseReference("oras://h.example/a/b:1"), output: "x.sif" }],
    });
  });
  it("takes several references", async () => {
    expect(await meaning("pull", ["lab/tool:1", "lab/other:2"])).toMatchObject({
      pulls: [{ reference }, { reference: parseReference("lab/other:2") }],
    });
  });
  it.each([
    { title: "no reference", words: [], flags: {}, message: "the reference is missing" },
    {
      title: "one name for two",
      words: ["a/b:1", "a/c:1"],
      flags: { output: "x.sif" },
      message: "--output names one file, but several references are given",
    },
  ])("refuses $title", async ({ words, flags, message }) => {
    await expect(meaning("pull", words, flags)).rejects.toMatchObject({ code: "USAGE", message });
  });
});

describe("push", () => {
  it("takes the old client's spelling", async () => {
    expect(await meaning("push", ["x.sif"], { name: "dinosaur/avocado", tag: ["delicious"] })).toMatchObject({
      file: "x.sif",
      reference: parseReference("dinosaur/avocado"),
      tags: ["delicious"],
    });
  });
  it("sets the reference's own tag and every further one", async () => {
    expect(await meaning("push", ["x.sif", "lab/tool:1.0"], { tag: ["latest"] })).toMatchObject({
      tags: ["1.0", "latest"],
    });
    expect(await meaning("push", ["x.sif", "lab/tool"], { tag: ["latest"] })).toMatchObject({ tags: ["latest"] });
  });
  it.each([
    { title: "no place", words: ["x.sif"], flags: {}, message: "where to push x.sif is missing" },
    {
      title: "two places",
      words: ["x.sif", "a/b"],
      flags: { name: "c/d" },
      message: "both a/b and --name c/d say where to push",
    },
  ])("refuses $title", async ({ words, flags, message }) => {
    await expect(meaning("push", words, flags)).rejects.toMatchObject({ code: "USAGE", message });
  });
});

describe("metadata flags", () => {
  it.each([
    [{ env: true, runscript: true }, ["environment", "runscript"]],
    [{ e: true, r: true, d: true, t: true }, ["environment", "runscript", "test", "deffile"]],
    [{ labels: true }, ["labels"]],
    [{}, []],
  ])("%o ask for %o", async (flags, parts) => {
    expect(await meaning("list", ["dinosaur/tacos:delicious"], flags)).toMatchObject({ parts });
  });
});

describe("login", () => {
  it.each(["ghcr.io", "oras://ghcr.io", "docker://ghcr.io", "https://ghcr.io/"])("%s is a host", (word) => {
    expect(hostOf(word)).toBe("ghcr.io");
  });

  it("means the active remote without a word", async () => {
    expect(await meaning("login", [])).toMatchObject({ where: undefined });
  });

  it("does not read two secrets from one standard input", async () => {
    await expect(meaning("login", ["lab"], { "token-stdin": true, "password-stdin": true })).rejects.toMatchObject({
      code: "USAGE",
    });
  });
});

describe("serve", () => {
  it.each([
    ["5000", { host: "127.0.0.1", port: 5000 }],
    ["0.0.0.0:80", { host: "0.0.0.0", port: 80 }],
    ["[::1]:5000", { host: "::1", port: 5000 }],
  ])("listens at %s", (text, address) => expect(parseListen(text)).toEqual(address));
  it.each(["", "host", "127.0.0.1:99999", "a:b:1"])("refuses %j", (text) => {
    expect(() => parseListen(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("flags", () => {
  it("may stand before or after the verb", async () => {
    expect(globalFlags((await program(["-q", "list"])).flags)).toEqual(
      globalFlags((await program(["list", "-q"])).flags),
    );
  });
  it("come from the environment where the command line is silent", async () => {
    const env = {
      SREGISTRY_REGISTRY: "oras://a.example",
      SREGISTRY_QUIET: "1",
      SREGISTRY_TIMEOUT: "2m",
      REGISTRY_AUTH_FILE: "/x",
    };
    expect(globalFlags((await program(["list"], env)).flags)).toMatchObject({
      registry: "oras://a.example",
      quiet: true,
      timeout: 120_000,
      authfile: "/x",
    });
    expect(globalFlags((await program(["list", "--registry", "local"], env)).flags).registry).toBe("local");
  });
  it.each([
    { argv: ["pul"], hint: "did you mean pull?" },
    { argv: ["pull", "--forse"], hint: "did you mean --force?" },
    { argv: ["list", "--quite"], hint: "did you mean --quiet?" },
  ])("$argv: $hint", async ({ argv, hint }) => {
    await expect(program(argv)).rejects.toMatchObject({ code: "USAGE", hint });
  });
  it.each([{ SREGISTRY_JSON: "perhaps" }, { SREGISTRY_PROGRESS: "fancy" }])(
    "a wrong variable is named: %o",
    async (env) => {
      await expect(program(["list"], env)).rejects.toMatchObject({
        code: "USAGE",
        message: expect.stringContaining(Object.keys(env)[0] ?? ""),
      });
    },
  );
});

describe("a command line that is wrong", () => {
  it.each([
    [["pull", "--nonsense", "lab/tool:1"], "sregistry help pull"],
    [["search"], "sregistry help search"],
    [["--nonsense"], "sregistry --help"],
  ])("points to the help of its verb: %j", async (argv, hint) => {
    await expect(program(argv)).rejects.toMatchObject({ code: "USAGE", hint });
  });
});
