/** Recipes for conda-forge, Spack and EasyBuild (packaging/recipes), with this version, its checksums and where its files are. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { neededNode, version } from "../bundle.js";

const TEMPLATES = new URL("../../packaging/recipes/", import.meta.url).pathname;

/**
 * @param {string} directory of the archives
 * @param {string} url where they will be
 * @returns {Promise<readonly { path: string, text: string }[]>}
 * @throws Error naming what a template wants and there is not.
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
  return Promise.all(files.sort().map(async (file) => filled(file, await readFile(file, "utf8"), known)));
}

/** @param {string} file @param {string} template @param {ReadonlyMap<string, string>} known */
function filled(file, template, known) {
  const path = file.slice(TEMPLATES.length).replace(/\.eb$/, `-${version}.eb`);
  const text = template.replace(/@([a-z0-9:-]+)@/g, (_, name) => {
    const value = known.get(name);
    if (value === undefined) throw new Error(`${path} wants ${name}, which was not made`);
    return value;
  });
  return { path, text };
}
