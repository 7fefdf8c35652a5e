/** The program in one file that any Node from 20.18.1 on runs. */
import { readFile } from "node:fs/promises";
import { neededNode, version } from "../bundle.js";
import { bundledPackages, licenceTexts } from "../licences.js";
import { bundleProgram } from "./program.js";

const HEAD = new URL("./run/single-file.mjs", import.meta.url);

/** Its text. The program is a string in it: an old Node would fail on its syntax, and a newer one keeps it compiled. */
export async function singleFile() {
  const { code, metafile } = await bundleProgram("file");
  const head = (await readFile(HEAD, "utf8"))
    .replace(/^\/\/ @ts-nocheck.*\n/m, "")
    .replaceAll("@version@", version)
    .replace("@needed@", neededNode)
    .replace("PROGRAM", () => JSON.stringify(code));
  const licences = licenceTexts(await bundledPackages(metafile));
  return `${head}\n${licences.replace(/^/gm, "// ").replace(/ +$/gm, "")}`;
}
