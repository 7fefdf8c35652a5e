/** What the documents say against what the program is. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { GLOBAL_OPTIONS } from "../src/commands/globals.ts";
import { VERBS } from "../src/commands/index.ts";
import { EXIT_STATUS } from "../src/errors.ts";
import { CODE_MEANINGS, codesOf, EXIT_MEANINGS } from "../src/exit-status.ts";

const ROOT = resolve(import.meta.dirname, "..");
/** Comments speak of other programs too. */
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");

describe("docs/errors.md", () => {
  it("has every code with its exit status, and no other", () => {
    const rows = [...read("docs/errors.md").matchAll(/^\| ([A-Z_]+) \| (\d+) \| (.*?) \|/gm)];
    expect(Object.fromEntries(rows.map(([, code, exit]) => [code, Number(exit)]))).toEqual(EXIT_STATUS);
    expect(rows.map(([, , , meaning]) => meaning)).toEqual(Object.values(CODE_MEANINGS).map(({ meaning }) => meaning));
  });

  it("has the words and codes of every status, and the man page the same", () => {
    const man = read("man/sregistry.1").replaceAll("\\-", "-").toLowerCase();
    const rows = EXIT_MEANINGS.map(([status, says]) => [status, says, codesOf(status)] as const);
    expect(rows.map(([status]) => status)).toEqual([0, ...new Set(Object.values(EXIT_STATUS))]);
    for (const [status, says, codes] of rows) {
      expect(read("docs/errors.md")).toContain(`| ${status} | ${says} | ${codes.join(", ")} |\n`);
      expect(man).toContain(`\\fb${status}\\fr\n${says.toLowerCase()}`);
    }
  });
});

describe("README.md", () => {
  it("shows every verb by example", () => {
    const missing = VERBS.filter(
      ({ name }) =>
        !new RegExp(`^(?:.*[|(] ?)?sregistry ${name}\\b|\\$\\(sregistry ${name}\\b`, "m").test(read("README.md")),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe("docs/recipes/README.md", () => {
  it("names every recipe, and no other", () => {
    const pages = readdirSync(join(ROOT, "docs/recipes")).filter((name) => name !== "README.md");
    const named = [...read("docs/recipes/README.md").matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(pages.sort());
  });
});

describe("every verb", () => {
  it.each(VERBS.map(({ name, load }) => ({ name, load })))(
    "$name has examples that begin with the program and parse",
    async ({ name, load }) => {
      const verb = await load();
      expect(verb.examples.length).toBeGreaterThan(0);
      expect(verb.examples.filter(({ command }) => !command.includes(`sregistry ${name}`))).toEqual([]);
    },
  );
});

describe("a flag that a message names", () => {
  it("is one that exists", async () => {
    const verbs = await Promise.all(VERBS.map(({ load }) => load()));
    const specs = [...GLOBAL_OPTIONS, ...verbs.flatMap(({ options }) => options)];
    // The last are V8's and srun's.
    const known = new Set([
      "--help",
      "--version",
      "--liftoff-only",
      ...["--overlap", "--ntasks-per-node", "--mpi"],
      ...specs.flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? []),
    ]);
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter(
      (name) =>
        // A style sheet's own properties look alike.
        name.endsWith(".ts") && name !== "client/usage-page-style.ts",
    );
    const named = sources.flatMap((name) =>
      [...withoutComments(read(join("src", name))).matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag),
    );
    expect([...new Set(named)].filter((flag) => !known.has(flag))).toEqual([]);
  });
});
