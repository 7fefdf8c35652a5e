/**
 * `npm run package`: everything that a release has beside the npm package, in dist-package/.
 *
 *   npm run package -- [--arch x64,arm64] [--level N] [--out DIRECTORY] [--url URL]
 *
 * --url: where the files will be published, for the recipes; default: where they are made. --level: of xz, 0 to 9 (default 6). Nothing is downloaded but the pinned Node (scripts/package/node.json), once. The same
 * checkout gives the same bytes: the date in them is SOURCE_DATE_EPOCH, or the commit's.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { version } from "./bundle.js";
import { bundledPackages, licenceTexts } from "./licences.js";
import { tarXz } from "./package/archive.js";
import { changelogFile, copyrightFile, DEBIAN_ARCHITECTURE, debianPackage } from "./package/deb.js";
import { makeExecutable } from "./package/executable.js";
import { nodeFor } from "./package/node.js";
import { bundleProgram } from "./package/program.js";
import { recipes } from "./package/recipes.js";
import { billOfMaterials } from "./package/sbom.js";
import { singleFile } from "./package/single-file.js";
import { debianTree, executableProgram, prefixTree, singleFileProgram } from "./package/tree.js";

/** @typedef {import("./package/node.js").Architecture} Architecture */

const { values } = parseArgs({
  options: {
    arch: { type: "string", default: "x64,arm64" },
    level: { type: "string", default: "6" },
    out: { type: "string", default: "dist-package" },
    url: { type: "string" },
  },
});
const architectures = values.arch.split(",").map(architectureOf);
const own = await nodeFor(architectureOf(process.arch));

const making = { date: commitDate(), level: Number(values.level) };
const { code, metafile } = await bundleProgram("executable");
const packages = await bundledPackages(metafile);
const sbom = await billOfMaterials(packages, making.date, true);
const thirdParty = licenceTexts(packages);

await rm(values.out, { recursive: true, force: true });
await mkdir(values.out, { recursive: true });
await forAnyMachine(await singleFile());
await write(`sregistry-${version}.cdx.json`, sbom);
await Promise.all(architectures.map(packagesFor));
await write("SHA256SUMS", await checksums());
for (const { path, text } of await recipes(values.out, values.url ?? pathToFileURL(values.out).href)) {
  await mkdir(dirname(join(values.out, "recipes", path)), { recursive: true });
  await write(join("recipes", path), text);
}

/** @param {string} name @returns {Architecture} */
function architectureOf(name) {
  if (name === "x64" || name === "arm64") return name;
  throw new Error(`packages are made on and for x64 and arm64, not ${name}`);
}

/** @param {string} text */
async function forAnyMachine(text) {
  const name = `sregistry-${version}-noarch`;
  const content = {
    program: singleFileProgram(text),
    thirdParty,
    sbom: await billOfMaterials(packages, making.date, false),
  };
  await write(`sregistry-${version}.mjs`, text, 0o755);
  await write(`${name}.tar.xz`, await tarXz(await prefixTree(content), making, `${name}/`));
}

/** @param {Architecture} architecture */
async function packagesFor(architecture) {
  const node = architecture === process.arch ? own : await nodeFor(architecture);
  const content = {
    program: executableProgram(await makeExecutable(code, node.program, own.program)),
    thirdParty,
    nodeLicence: node.licence.toString("utf8"),
    sbom,
  };
  const name = `sregistry-${version}-linux-${architecture}`;
  await write(`${name}.tar.xz`, await tarXz(await prefixTree(content), making, `${name}/`));
  const debian = await debianTree(content, {
    copyright: copyrightFile(making.date),
    changelog: changelogFile(making.date),
  });
  const debName = `sregistry_${version}_${DEBIAN_ARCHITECTURE[architecture]}.deb`;
  await write(debName, await debianPackage(debian, architecture, making));
}

/** @param {string} name @param {string | Buffer} data @param {number} [mode] */
async function write(name, data, mode = 0o644) {
  await writeFile(join(values.out, name), data, { mode });
  process.stdout.write(`${join(values.out, name)}: ${(Buffer.byteLength(data) / 1024 / 1024).toFixed(1)} MiB\n`);
}

/** As sha256sum writes them and checks them (-c). */
async function checksums() {
  const names = (await readdir(values.out)).sort();
  const lines = names.map(async (name) => {
    const digest = createHash("sha256").update(await readFile(join(values.out, name)));
    return `${digest.digest("hex")}  ${name}\n`;
  });
  return (await Promise.all(lines)).join("");
}

function commitDate() {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const seconds = given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { encoding: "utf8" });
  return new Date(Number(seconds) * 1000);
}
