/**
 * Makes a release's commit and tag, and says what to push. Nothing leaves this machine.
 *
 *   npm run release -- VERSION [--dry-run]
 */
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHANGELOG, notesOf, released } from "./changelog.js";

const ROOT = join(import.meta.dirname, "..");
const PACKAGE = join(ROOT, "package.json");
const LOCK = join(ROOT, "package-lock.json");

/** What is wrong with the request or the checkout: one line, no stack. */
class Refusal extends Error {}

/** @param {string[]} words */
const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).trim();
/** @param {string} script */
const npmRun = (script) => execFileSync("npm", ["run", "--silent", script], { cwd: ROOT, stdio: "inherit" });
/** @param {string} file */
const json = async (file) => JSON.parse(await readFile(file, "utf8"));

/**
 * Numbers of a version that has no pre-release part left to compare.
 * @param {string} version
 */
function numbers(version) {
  return version.split("-", 1)[0]?.split(".").map(Number) ?? [];
}

/** @param {string} version @param {string} than */
function isLower(version, than) {
  const [a, b] = [numbers(version), numbers(than)];
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && Number(a[at]) < Number(b[at]);
}

/** @param {string} version @param {string} tag */
async function requireReady(version, tag) {
  if (!/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version)) {
    throw new Refusal(`${JSON.stringify(version)} is no version: npm run release -- 0.2.0`);
  }
  const { version: now } = await json(PACKAGE);
  if (isLower(version, now)) throw new Refusal(`${version} is lower than ${now}, the version in package.json`);
  const branch = git("rev-parse", "--abbrev-ref", "HEAD");
  if (branch !== "main") throw new Refusal(`this is branch ${branch}: releases are made on main`);
  const changed = git("status", "--porcelain");
  if (changed !== "") throw new Refusal(`commit or put away first:\n${changed}`);
  if (git("tag", "--list", tag) !== "") throw new Refusal(`the tag ${tag} is there already`);
}

/** @param {string} version */
async function setVersion(version) {
  const [about, lock] = [await json(PACKAGE), await json(LOCK)];
  lock.packages[""].version = version;
  await writeFile(PACKAGE, `${JSON.stringify({ ...about, version }, null, 2)}\n`);
  await writeFile(LOCK, `${JSON.stringify({ ...lock, version }, null, 2)}\n`);
}

/** All that there is: the checkout was clean before. @param {string} words */
function commit(words) {
  git("add", "--all");
  git("commit", "--quiet", "-m", words);
}

/** @param {string | undefined} version @param {boolean} dryRun */
async function release(version, dryRun) {
  if (version === undefined) throw new Refusal("which version? npm run release -- 0.2.0");
  const tag = `v${version}`;
  await requireReady(version, tag);
  const changelog = released(await readFile(CHANGELOG, "utf8"), version, new Date().toISOString().slice(0, 10));
  /** @type {[string, () => unknown][]} */
  const steps = [
    ["CHANGELOG.md: what is unreleased becomes this version of today", () => writeFile(CHANGELOG, changelog)],
    ["package.json, package-lock.json: the version", () => setVersion(version)],
    ["npm run docs: man pages carry version and date", () => npmRun("docs")],
    ["npm run check", () => npmRun("check")],
    [`git commit "sregistry ${version}"`, () => commit(`sregistry ${version}`)],
    [
      `git tag ${tag}, annotated with the changelog's section`,
      // As they are: lines of the notes that begin with a hash are headings, not comments.
      () =>
        git(
          "tag",
          "--annotate",
          tag,
          "--cleanup=verbatim",
          "-m",
          `sregistry ${version}\n\n${notesOf(changelog, version)}\n`,
        ),
    ],
  ];
  for (const [words, run] of steps) {
    console.log(`${dryRun ? "would do" : "*"} ${words}`);
    if (!dryRun) await run();
  }
  console.log(`${dryRun ? "then" : "now"}: git push --atomic origin main ${tag}`);
}

try {
  const options = /** @type {const} */ ({ "dry-run": { type: "boolean", default: false } });
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  await release(positionals[0], values["dry-run"]);
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  const undo = error instanceof Refusal ? "" : "\nto take back what was changed: git restore .";
  console.error(`no release: ${words}${undo}`);
  process.exitCode = 1;
}
