/**
 * Writes completions/, man/, schemas/, the tables of README.md and docs/errors.md, and the list of pages in package.json out of the definitions. `--check` writes
 * nothing, and ends with 1 when a committed file is not what would be written.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { manPages } from "./man.js";
import { between, table } from "./markdown.js";
import { readmePage } from "./readme.js";

const ROOT = join(import.meta.dirname, "..");
const BUNDLE = join(ROOT, "node_modules", ".cache", `sregistry-docs-${process.pid}.mjs`);

/** Node 20 cannot read TypeScript. */
async function definitions() {
  await build({
    stdin: {
      contents: `
        export { GLOBAL_OPTIONS } from "./src/commands/globals.ts";
        export { variablesOf } from "./src/commands/verb.ts";
        export { VARIABLES } from "./src/commands/help/environment.ts";
        export { VERBS } from "./src/commands/index.ts";
        export { SHELLS } from "./src/commands/completion.ts";
        export { programModel } from "./src/commands/completion/model.ts";
        export { EXIT_STATUS } from "./src/errors.ts";
        export { CODE_MEANINGS, codesOf, EXIT_MEANINGS } from "./src/exit-status.ts";
        export { jsonSchema } from "./src/commands/schemas/json-schema.ts";
        export { ERROR } from "./src/commands/schemas/error.ts";
        export { PROGRESS } from "./src/commands/schemas/progress.ts";`,
      resolveDir: ROOT,
    },
    outfile: BUNDLE,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    logLevel: "error",
  });
  try {
    return await import(pathToFileURL(BUNDLE).href);
  } finally {
    await rm(BUNDLE, { force: true });
  }
}

/** Before the first release: when the program was begun. A page without a date is a warning to mandoc. */
const BEGUN = "2026-11-21";

/** The version, and the date of the newest release in the changelog: no build changes a page. */
async function release() {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const text = await readFile(join(ROOT, "CHANGELOG.md"), "utf8");
  const date = /^## \S+ - (\d{4}-\d{2}-\d{2})$/m.exec(text)?.[1];
  return { version, date: date ?? BEGUN };
}

/** @returns {Promise<Map<string, string>>} */
async function documents() {
  const { GLOBAL_OPTIONS, VERBS, SHELLS, programModel, variablesOf, ...more } = await definitions();
  /** @type {import("./man.js").Verb[]} */
  const verbs = [];
  for (const { name, summary, group, load } of VERBS) verbs.push({ name, summary, group, verb: await load() });
  const program = programModel(verbs);
  const files = new Map();
  // The names under which the shells' own loaders look.
  const names = { bash: "sregistry.bash", zsh: "_sregistry", fish: "sregistry.fish" };
  for (const [shell, name] of Object.entries(names)) files.set(`completions/${name}`, SHELLS[shell](program));
  const pages = manPages({
    ...(await release()),
    verbs,
    globals: GLOBAL_OPTIONS,
    exits: exitStatuses(more),
    variablesOf,
    variables: more.VARIABLES,
  });
  for (const [name, text] of pages) files.set(`man/${name}`, text);
  for (const [name, schema] of schemaFiles(verbs, more)) {
    files.set(`schemas/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
  }
  files.set("docs/errors.md", errorsPage(await readFile(join(ROOT, "docs/errors.md"), "utf8"), more));
  const readme = { verbs, globals: GLOBAL_OPTIONS, exits: exitStatuses(more) };
  files.set("README.md", readmePage(await readFile(join(ROOT, "README.md"), "utf8"), readme));
  const json = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  // npm links the pages that are listed; of `directories.man` it takes no notice when it installs.
  const man = [...pages.keys()].sort().map((name) => `./man/${name}`);
  files.set("package.json", `${JSON.stringify({ ...json, man }, null, 2)}\n`);
  return files;
}

/**
 * @param {readonly import("./man.js").Verb[]} verbs
 * @param {any} definitions
 * @returns {readonly (readonly [string, object])[]}
 */
function schemaFiles(verbs, { jsonSchema, ERROR, PROGRESS }) {
  const answers = verbs.flatMap(({ verb }) => verb.answers);
  return [
    ...answers.map(({ name, command, document }) => [name, `sregistry ${command} --json`, document]),
    ["error", "a failure, on stderr with --json", ERROR],
    ["progress", "a line on stderr with --progress json", PROGRESS],
  ].map(([name, title, schema]) => [name, jsonSchema(name, title, schema)]);
}

/**
 * @param {{ EXIT_MEANINGS: readonly (readonly [number, string])[], codesOf: (status: number) => readonly string[] }} definitions
 * @returns {import("./man.js").Status[]}
 */
function exitStatuses({ EXIT_MEANINGS, codesOf }) {
  return EXIT_MEANINGS.map(([status, meaning]) => ({ status, meaning, codes: codesOf(status) }));
}

/**
 * The page with its tables anew.
 * @param {string} page
 * @param {any} definitions
 */
function errorsPage(page, definitions) {
  const { CODE_MEANINGS, EXIT_STATUS } = definitions;
  const statuses = exitStatuses(definitions).map(({ status, meaning, codes }) => [status, meaning, codes.join(", ")]);
  const codes = Object.entries(CODE_MEANINGS).map(([code, { meaning, remedy }]) => [
    code,
    EXIT_STATUS[code],
    meaning,
    remedy,
  ]);
  const withStatuses = between(page, "statuses", table([["exit", "meaning", "codes"], ...statuses]));
  return between(withStatuses, "codes", table([["code", "exit", "meaning", "what to do"], ...codes]));
}

const files = await documents();
const known = ["package.json", "README.md", "docs/errors.md"].concat(
  ...(await Promise.all(
    ["completions", "man", "schemas"].map(async (folder) => {
      await mkdir(join(ROOT, folder), { recursive: true });
      return (await readdir(join(ROOT, folder))).map((name) => `${folder}/${name}`);
    }),
  )),
);
/** @type {string[]} */
const changed = known.filter((name) => !files.has(name));
for (const [name, text] of files) {
  const before = known.includes(name) ? await readFile(join(ROOT, name), "utf8") : undefined;
  if (before !== text) changed.push(name);
}
if (process.argv.includes("--check")) {
  for (const name of changed) console.error(`${name} is not what the definitions say: npm run docs`);
  process.exitCode = changed.length === 0 ? 0 : 1;
} else {
  for (const name of changed) {
    const text = files.get(name);
    if (text === undefined) await rm(join(ROOT, name));
    else {
      await mkdir(dirname(join(ROOT, name)), { recursive: true });
      await writeFile(join(ROOT, name), text);
    }
    console.log(name);
  }
}
