/** What is installed where: the one list that the archives and the Debian packages are made of. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { version } from "../bundle.js";

/**
 * @typedef {object} Entry
 * @property {string} path below the prefix
 * @property {Buffer} data
 * @property {0o644 | 0o755} mode
 * @property {string} [link] what a symbolic link says, in place of data
 */

/**
 * @typedef {object} Content
 * @property {readonly Entry[]} program bin/sregistry, and what it needs
 * @property {string} thirdParty texts of licences
 * @property {string} [nodeLicence] where Node is in it
 * @property {string} sbom
 */

/** @param {string} path @param {Buffer | string} data @returns {Entry} */
export function plain(path, data) {
  return { path, data: Buffer.from(data), mode: 0o644 };
}

/** The program with Node in it. @param {Buffer} executable @returns {Entry[]} */
export function executableProgram(executable) {
  return [{ path: "bin/sregistry", data: executable, mode: 0o755 }];
}

/** The program for a Node that is there: its file's name says that it is a module. @param {string} text @returns {Entry[]} */
export function singleFileProgram(text) {
  const file = "lib/sregistry/sregistry.mjs";
  return [
    { path: file, data: Buffer.from(text), mode: 0o755 },
    { path: "bin/sregistry", data: Buffer.alloc(0), mode: 0o755, link: `../${file}` },
  ];
}

/** Nobody's clock or machine is in it. @param {string} path @param {Buffer | string} data */
export function zipped(path, data) {
  return plain(`${path}.gz`, gzipSync(data, { level: 9 }));
}

/** @param {string} from directory @param {string} to @param {typeof plain} make */
async function all(from, to, make) {
  if (!existsSync(from)) return [];
  const names = (await readdir(from)).sort();
  return Promise.all(names.map(async (name) => make(`${to}/${name}`, await readFile(join(from, name)))));
}

/**
 * A prefix that works wherever it is moved to.
 *
 * @param {Content} content
 * @returns {Promise<Entry[]>}
 */
export async function prefixTree({ program, thirdParty, nodeLicence, sbom }) {
  const documents = "share/doc/sregistry";
  /** @param {string} name */
  const document = async (name) => plain(`${documents}/${name}`, await readFile(name));
  return [
    ...program,
    ...(await completions("share/zsh/site-functions")),
    ...(await all("man", "share/man/man1", plain)),
    ...(await all("schemas", "share/sregistry/schemas", plain)),
    plain(`share/modulefiles/sregistry/${version}`, await readFile("packaging/modulefiles/sregistry.tcl")),
    plain(`share/modulefiles/sregistry/${version}.lua`, await readFile("packaging/modulefiles/sregistry.lua")),
    ...(await Promise.all(["README.md", "CHANGELOG.md", "LICENSE"].map(document))),
    plain(`${documents}/THIRD-PARTY-LICENSES`, thirdParty),
    ...(nodeLicence === undefined ? [] : [plain(`${documents}/LICENSE-NODE`, nodeLicence)]),
    plain(`${documents}/sbom.cdx.json`, sbom),
  ];
}

/**
 * Where Debian wants the same things.
 *
 * @param {Content} content
 * @param {{ copyright: string, changelog: string }} texts
 * @returns {Promise<Entry[]>}
 */
export async function debianTree({ program, thirdParty, nodeLicence, sbom }, { copyright, changelog }) {
  const documents = "share/doc/sregistry";
  const files = [
    ...program,
    ...(await completions("share/zsh/vendor-completions")),
    ...(await all("man", "share/man/man1", zipped)),
    ...(await all("schemas", "share/sregistry/schemas", plain)),
    plain(`${documents}/README.md`, await readFile("README.md")),
    plain(`${documents}/copyright`, copyright),
    plain(`${documents}/sbom.cdx.json`, sbom),
    zipped(`${documents}/changelog`, changelog),
    zipped(`${documents}/CHANGELOG.md`, await readFile("CHANGELOG.md")),
    zipped(`${documents}/THIRD-PARTY-LICENSES`, thirdParty),
    ...(nodeLicence === undefined ? [] : [zipped(`${documents}/LICENSE-NODE`, nodeLicence)]),
  ];
  return files.map((file) => ({ ...file, path: `usr/${file.path}` }));
}

/** Where each shell's loader looks below a prefix. @param {string} zsh */
async function completions(zsh) {
  const places = [
    ["sregistry.bash", "share/bash-completion/completions/sregistry"],
    ["_sregistry", `${zsh}/_sregistry`],
    ["sregistry.fish", "share/fish/vendor_completions.d/sregistry.fish"],
  ];
  return Promise.all(
    places.map(async ([name = "", path = ""]) => plain(path, await readFile(join("completions", name)))),
  );
}
