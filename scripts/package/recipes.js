/** Recipes for conda-forge, Spack and EasyBuild (packaging/recipes), with this version, its checksums and where its files are. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { neededNode, version } from "../bundle.js";

const TEMPLATES = resolve(import.meta.dirname, "../../packaging/recipes");
/** What is filled in. */
const VALUE = /@(version|node|url|sha256:[a-z0-9-]+)@/g;

/**
 * @param {string} directory of the archives
 * @param {string} url where they will be
 * @returns {Promise<readonly { path: string, text: string }[]>} those whose archives are there
 */
export async function recipes(directory, url) {
  const known = new Map([
    ["version", version],
    ["node", neededNode],
    ["url", url],
  ]);
  for (const name of await readdir(directory)) {
    const of = /^sregistry-.*-(noarch|linux-\w+)\.tar\.xz$/.exec(name)?.[1];
    if (of === undefined) continue;
    const digest = createHash("sha256").update(await readFile(join(directory, name)));
    known.set(`sha256:${of}`, digest.digest("hex"));
  }
  const templates = await readdir(TEMPLATES, { recursive: true, withFileTypes: true });
  const files = templates.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const filled = files.sort().map(async (file) => {
    const path = relative(TEMPLATES, file).replace(/\.eb$/, `-${version}.eb`);
    return { path, text: (await readFile(file, "utf8")).replace(VALUE, (all, name) => known.get(name) ?? all) };
  });
  return (await Promise.all(filled)).filter(({ text }) => text.search(VALUE) < 0);
}
