/**
 * CHANGELOG.md, read and moved on. As a program it prints one version's section, for the notes of a release:
 *
 *   node scripts/changelog.js VERSION
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export const CHANGELOG = join(import.meta.dirname, "..", "CHANGELOG.md");

const HEADING = /^## (.+)$/gm;
/** `Unreleased`, and before a first release `0.1.0 - unreleased`. */
const UNRELEASED = /^(?:\[?unreleased\]?|\S+ - unreleased)$/i;

/**
 * @typedef {object} Section
 * @property {string} title what stands behind the two hashes
 * @property {string} body without the heading and the empty lines around it
 * @property {number} start of the heading in the text
 * @property {number} end of the heading's line
 */

/** @param {string} text @returns {Section[]} */
function sections(text) {
  const headings = [...text.matchAll(HEADING)];
  return headings.map((heading, index) => {
    const end = heading.index + heading[0].length;
    const body = text.slice(end, headings[index + 1]?.index).trim();
    return { title: heading[1] ?? "", body, start: heading.index, end };
  });
}

/**
 * The notes of a version.
 * @param {string} text @param {string} version
 */
export function notesOf(text, version) {
  const found = sections(text).find(({ title }) => title.split(" ")[0] === version);
  if (found === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
  return found.body;
}

/**
 * The text once what is unreleased is `version` of `date`, with room for what comes next.
 * @param {string} text @param {string} version @param {string} date
 */
export function released(text, version, date) {
  const found = sections(text).find(({ title }) => UNRELEASED.test(title));
  if (found === undefined) throw new Error('CHANGELOG.md has no section "## Unreleased"');
  if (found.body === "") throw new Error("CHANGELOG.md says nothing of what is unreleased");
  return `${text.slice(0, found.start)}## Unreleased\n\n## ${version} - ${date}${text.slice(found.end)}`;
}

if (process.argv[1] === import.meta.filename) {
  const [version] = process.argv.slice(2);
  try {
    if (version === undefined) throw new Error("which version? node scripts/changelog.js VERSION");
    console.log(notesOf(await readFile(CHANGELOG, "utf8"), version));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
