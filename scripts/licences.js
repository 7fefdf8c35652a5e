/** The licences of what is bundled: a bundle without them may not be handed on. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * @typedef {object} Bundled
 * @property {string} name
 * @property {string} version
 * @property {string} license SPDX expression
 * @property {string} folder as a lock file names it
 * @property {string} text
 */

const LICENCE_FILE = /^(licen[cs]e|copying)([-.].*)?$/i;

/** undici's parser is llhttp, compiled; its package does not say so. */
const LLHTTP = new URL("./package/llhttp-licence.txt", import.meta.url);

/**
 * The packages that a bundle was made of, by name.
 *
 * @param {import("esbuild").Metafile} metafile
 * @returns {Promise<readonly Bundled[]>}
 * @throws Error naming a package without a licence.
 */
export async function bundledPackages({ outputs }) {
  const used = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const folders = new Set(used.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  const packages = await Promise.all([...folders].map(packageAt));
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * @param {string} folder
 * @returns {Promise<Bundled>}
 */
async function packageAt(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((file) => LICENCE_FILE.test(file));
  if (typeof license !== "string") throw new Error(`${name}: its package.json names no licence`);
  if (file === undefined) throw new Error(`${name}: there is no text of its licence (${license}) in ${folder}`);
  const text = await readFile(join(folder, file), "utf8");
  return {
    name,
    version,
    license,
    folder,
    text: name === "undici" ? `${text}\n${await readFile(LLHTTP, "utf8")}` : text,
  };
}

/** @param {readonly Bundled[]} packages */
export function licenceTexts(packages) {
  const head =
    "sregistry is under the Apache License 2.0. Its program holds parts of these packages, each under its own licence.\n";
  const list = packages.map(({ name, version, license }) => `  ${name} ${version}: ${license}\n`).join("");
  const texts = packages.map(({ name, version, text }) => `${"-".repeat(80)}\n${name} ${version}\n\n${text.trim()}\n`);
  return [head, list, ...texts].join("\n");
}
