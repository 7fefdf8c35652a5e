/** Every flag has an environment form: a variable that is set means what the flag means where it is typed. */
import { describe, expect, it } from "vitest";
import { GLOBAL_OPTIONS, globalFlags } from "../../src/commands/globals.ts";
import { VERBS } from "../../src/commands/index.ts";
import { flagName, type OptionSpec, variablesOf } from "../../src/commands/verb.ts";
import { type Program, parseProgram } from "../../src/program.ts";

/** The least that each verb is typed with. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  pull: ["lab/tool:1"],
  push: ["x.sif", "lab/tool"],
  search: ["tool"],
  inspect: ["lab/tool:1"],
  tag: ["lab/tool:1", "2"],
  copy: ["local://lab/tool", "local://lab/other"],
  delete: ["lab/tool:1"],
  get: ["lab/tool:1"],
  bcast: ["lab/tool:1", "/tmp/x.sif"],
  cache: ["prune", "--max-size", "1G"],
  remote: ["add", "lab", "127.0.0.1"],
  collection: ["create", "drawer"],
  completion: ["words", "reference", "--", "x"],
};

/** Where a flag wants other words than its verb's. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  "push --name": ["x.sif"],
  "cache --max-size": ["prune", "--older-than", "1d"],
  "serve --dry-run": ["--check"],
};

/** What is put in the place of a placeholder. */
const VALUES: Readonly<Record<string, string>> = {
  n: "3",
  ms: "500",
  time: "90s",
  size: "2G",
  age: "30d",
  template: "{{json .}}",
  columns: "name,digest",
  names: "name,digest",
  column: "-size",
  reference: "lab/more",
};

function valueFor({ flags, choices }: OptionSpec): string | undefined {
  const placeholder = /[<[]([a-z]+)/.exec(flags)?.[1];
  if (placeholder === undefined) return undefined;
  return choices?.at(-1) ?? VALUES[placeholder] ?? "some";
}

const program = (argv: readonly string[], env: Record<string, string> = {}): Promise<Program> =>
  parseProgram({ argv, env, version: "1.2.3" });

const verbs = await Promise.all(VERBS.map(async ({ name, load }) => ({ name, verb: await load() })));
const own = verbs.flatMap(({ name, verb }) => verb.options.map((spec) => ({ name, verb, spec, flag: flagName(spec) })));

describe.each(own.filter(({ spec }) => spec.noEnv === undefined))("$name --$flag", ({ name, verb, spec, flag }) => {
  const typed = [...(OTHER_WORDS[`${name} --${flag}`] ?? WORDS[name] ?? [])];
  const value = valueFor(spec);
  const words = typed.filter((word, at) => !word.startsWith("-") && typed[at - 1] !== "--max-size");
  const meaning = async (argv: readonly string[], env: Record<string, string> = {}): Promise<unknown> =>
    verb.parse(words, (await program([name, ...argv], env)).flags);

  it.each(variablesOf(spec))("%s", async (variable) => {
    const flagged = await meaning([`--${flag}`, ...(value === undefined ? [] : [value]), ...typed]);
    expect(await meaning(typed, { [variable]: value ?? "1" })).toEqual(flagged);
    if (flag !== "name") expect(flagged).not.toEqual(await meaning(typed));
  });
});

describe.each(GLOBAL_OPTIONS.map((spec) => ({ spec, flag: flagName(spec) })))("--$flag", ({ spec, flag }) => {
  const value = valueFor(spec);
  const meaning = async (argv: readonly string[], env: Record<string, string> = {}) => {
    // Whether it was typed is another matter: a typed --library goes before --registry.
    const { libraryTyped: _, ...flags } = globalFlags((await program([...argv, "list"], env)).flags);
    return flags;
  };

  it.each(variablesOf(spec))("%s", async (variable) => {
    const flagged = await meaning([`--${flag}`, ...(value === undefined ? [] : [value])]);
    expect(await meaning([], { [variable]: value ?? "1" })).toEqual(flagged);
    expect(flagged).not.toEqual(await meaning([]));
  });
});

describe("the flags without a variable", () => {
  it("are those that one left behind would do harm with, and old spellings", () => {
    const without = own.filter(({ spec }) => variablesOf(spec).length === 0);
    const shown = without.filter(({ spec }) => spec.hidden !== true).map(({ name, flag }) => `${name} --${flag}`);
    expect(shown.sort()).toEqual([
      "cache --force",
      "delete --force",
      "login --password-stdin",
      "login --token-file",
      "login --token-stdin",
      "remote --insecure",
      "remote --token-file",
      "remote --token-stdin",
    ]);
    const hidden = without.filter(({ spec }) => spec.hidden === true);
    expect(
      hidden.filter(({ spec: { description } }) => !/^as |^the same|refused|itself|as it is/.test(description)),
    ).toEqual([]);
  });
});

it("no two flags of different names share a variable", () => {
  const flagsOf = new Map<string, Set<string>>();
  for (const spec of [...GLOBAL_OPTIONS, ...own.map(({ spec }) => spec)]) {
    for (const variable of variablesOf(spec)) {
      flagsOf.set(variable, (flagsOf.get(variable) ?? new Set()).add(flagName(spec)));
    }
  }
  expect([...flagsOf].filter(([, flags]) => flags.size > 1)).toEqual([]);
});

it("a variable of another action does not stand in an action's way", async () => {
  const env = {
    SREGISTRY_CACHE_MAX_SIZE: "1G",
    SREGISTRY_DRY_RUN: "1",
    SREGISTRY_SERVE_CHECK: "1",
    SREGISTRY_COLUMNS: "tag",
  };
  for (const argv of [
    ["list", "--labels"],

    ["cache", "list"],
    ["serve", "user", "list"],
    ["cache", "prune"],
  ]) {
    await expect(program(argv, env)).resolves.toBeDefined();
  }
  await expect(program(["cache", "list", "--max-size", "1G"])).rejects.toMatchObject({ code: "USAGE" });
  await expect(program(["serve", "--dry-run"])).rejects.toMatchObject({ code: "USAGE" });
});
