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
  parseProgram({ argv, env, version: "1.2.3" });

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
    expect(hostOf(`${word.replace(/\/$/, "")}/org`)).toBe("ghcr.io");
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
    // Verbs.
    ["pul", 'there is no verb "pul"', "did you mean pull?"],
    ["ls", 'there is no verb "ls"', "did you mean list?"],
    ["frobnicate", 'there is no verb "frobnicate"', "sregistry help"],
    // Flags and their values.
    ["pull --forse lab/tool", "sregistry pull has no flag --forse", "did you mean --force?"],
    ["pull --forse=yes lab/tool", "sregistry pull has no flag --forse", "did you mean --force?"],
    ["list --qiuet", "sregistry list has no flag --qiuet", "did you mean --quiet?"],
    ["pull --nonsense lab/tool:1", "sregistry pull has no flag --nonsense", "sregistry help pull"],
    // The words behind the verb may be verbs too, and so may a flag's value.
    ["pull list --nonsense", "sregistry pull has no flag --nonsense", "sregistry help pull"],
    ["--registry list pull --forse x", "sregistry pull has no flag --forse", "did you mean --force?"],
    ["--nonsense", "there is no flag --nonsense", "sregistry help"],
    ["pull lab/tool --output", "--output needs a value: -o, --output <file>", "sregistry help pull"],
    [
      "pull --progress bra lab/tool",
      '--progress is "bra": expected auto, bar, plain, json or none',
      "did you mean bar?",
    ],
    ["list --protocol ftp", '--protocol is "ftp": expected auto, library or hmac', "--protocol auto"],
    // Too few words.
    ["pull", "the reference is missing", "for example sregistry pull lab/tool:1.0"],
    [
      "push",
      "sregistry push <file> [reference]: <file> is missing",
      "for example sregistry push -U tool.sif --name lab/tool --tag 1.0",
    ],
    ["push tool.sif", "where to push tool.sif is missing", "sregistry push tool.sif NAME:TAG"],
    ["search", "sregistry search <query> [where]: <query> is missing", "for example sregistry search lolcow"],
    [
      "tag lab/tool:1.0.3",
      "sregistry tag <reference> <new...>: <new> is missing",
      "for example sregistry tag lab/tool:1.0.3 1.0 latest",
    ],
    [
      "copy lab/tool",
      "sregistry copy <source> <destination>: <destination> is missing",
      "for example sregistry copy library://lab/tools/blast:1.0 oras://ghcr.io/lab/blast",
    ],
    [
      "bcast lab/tool",
      "the destination, a path on the nodes, is missing",
      "for example sregistry bcast lab/tool:1.0 /tmp/tool.sif",
    ],
    [
      "remote",
      "sregistry remote <action> [words...]: <action> is missing",
      "sregistry remote add|list|use|remove|login|logout|status|get-login-password",
    ],
    ["cache", "sregistry cache <action>: <action> is missing", "sregistry cache path|list|verify|prune|clean"],
    ["remote add lab", "sregistry remote add NAME URI takes 2 words, and 1 is given", "sregistry help remote add"],
    ["remote use", "sregistry remote use NAME takes 1 word, and none are given", "sregistry help remote use"],
    // Words in another order, or of another verb.
    [
      "push lab/tool:1.0 ../tool.sif",
      "the file comes first, and then where to push it: ../tool.sif is a file's name",
      "sregistry push ../tool.sif lab/tool:1.0",
    ],
    [
      "copy ../tool.sif lab/tool:1.0",
      "../tool.sif is a file's name, and copy goes from registry to registry",
      "sregistry push ../tool.sif lab/tool:1.0",
    ],
    [
      "copy lab/tool:1.0 tool.sif",
      "tool.sif is a file's name, and copy goes from registry to registry",
      "sregistry pull -o tool.sif lab/tool:1.0",
    ],
    [
      "tag lab/tool:1.0 lab/tool:2.0",
      '"lab/tool:2.0" is a whole name, and a tag is wanted for lab/tool:1.0',
      "sregistry copy lab/tool:1.0 lab/tool:2.0",
    ],
    // Too many.
    ["inspect a b", "sregistry inspect <image> takes 1 word, and 2 are given", "sregistry help inspect"],
    ["version now", "sregistry version takes no word, and 1 is given", "sregistry help version"],
    [
      "remote status a b",
      "sregistry remote status [NAME] takes at most 1 word, and 2 are given",
      "sregistry help remote status",
    ],
    // Actions.
    ["serve user", 'sregistry serve has no action "user"', "sregistry serve user add|user list|user remove"],
    ["serve user add", "the user's name is missing", "sregistry serve user add NAME"],
    [
      "collection create",
      "sregistry collection <action> <name> [where]: <name> is missing",
      "sregistry collection create NAME [WHERE]",
    ],
    ["-x", "there is no flag -x", "sregistry help"],
    [
      "pull --cache-only --no-cache lab/tool",
      "--cache-only and --no-cache contradict each other",
      "sregistry help pull",
    ],
    ["remote lst", 'sregistry remote has no action "lst"', "did you mean sregistry remote list?"],
    ["cache prine", 'sregistry cache has no action "prine"', "did you mean sregistry cache prune?"],
    [
      "serve user ad alice",
      'sregistry serve has no action "user ad alice"',
      "sregistry serve user add|user list|user remove|freeze|unfreeze",
    ],
    [
      "collection craete lab",
      'sregistry collection has no action "craete"',
      "did you mean sregistry collection create?",
    ],
    [
      "cache list --dry-run",
      "sregistry cache list takes no --dry-run: it goes with sregistry cache prune",
      "sregistry help cache list",
    ],
    [
      "remote use lab --token-stdin",
      "sregistry remote use takes no --token-stdin: it goes with sregistry remote add and sregistry remote login",
      "sregistry help remote use",
    ],
    [
      "serve user list --listen 5000",
      "sregistry serve user list takes no --listen: it goes with sregistry serve alone",
      "sregistry help serve user list",
    ],
  ])("%s", async (line, message, hint) => {
    await expect(program(line.split(" "))).rejects.toMatchObject({ code: "USAGE", message, hint });
  });

  it.each([
    [
      "list",
      "SREGISTRY_LIMIT",
      "x",
      'SREGISTRY_LIMIT "x" is no number of images: expected 1 or more',
      "SREGISTRY_LIMIT=10",
    ],
    [
      "list",
      "SREGISTRY_PROTOCOL",
      "ftp",
      'SREGISTRY_PROTOCOL is "ftp": expected auto, library or hmac',
      "SREGISTRY_PROTOCOL=auto",
    ],
  ])("%s is told that %s is %s, and how to set it", async (verb, variable, value, message, hint) => {
    await expect(program([verb], { [variable]: value })).rejects.toMatchObject({ code: "USAGE", message, hint });
  });

  it("is told by its variable where it came from one", async () => {
    await expect(program(["list"], { SREGISTRY_PROGRESS: "plian" })).rejects.toMatchObject({
      message: 'SREGISTRY_PROGRESS is "plian": expected auto, bar, plain, json or none',
      hint: "did you mean plain?",
    });
  });
});
