/** Node's own executable, as npm has it: one version, pinned with its integrity in node.json. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";

/** @typedef {"x64" | "arm64"} Architecture */

/** @type {{ version: string, integrity: Record<Architecture, string> }} */
export const NODE = JSON.parse(await readFile(new URL("./node.json", import.meta.url), "utf8"));

/** Kept between builds, and checked anew by each. */
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sregistry-build");

const run = promisify(execFile);

/**
 * @param {Architecture} architecture
 * @returns {Promise<{ program: Buffer, licence: Buffer }>}
 * @throws Error when it is not what node.json says.
 */
export async function nodeFor(architecture) {
  const name = `node-linux-${architecture}`;
  const archive = join(CACHE, `${name}-${NODE.version}.tgz`);
  if (!existsSync(archive)) {
    await mkdir(CACHE, { recursive: true });
    await run("npm", ["pack", `${name}@${NODE.version}`, "--ignore-scripts", "--pack-destination", CACHE]);
  }
  const packed = await readFile(archive);
  const found = `sha512-${createHash("sha512").update(packed).digest("base64")}`;
  const pinned = NODE.integrity[architecture];
  if (found !== pinned) {
    await rm(archive);
    throw new Error(`${name} ${NODE.version} is ${found}, but scripts/package/node.json has ${pinned}`);
  }
  const files = await filesOf(gunzipSync(packed), ["package/bin/node", "package/LICENSE"]);
  const [program, licence] = files;
  if (program === undefined || licence === undefined) throw new Error(`${archive} lacks bin/node or LICENSE`);
  return { program, licence };
}

/**
 * @param {Buffer} tar
 * @param {readonly string[]} names
 */
async function filesOf(tar, names) {
  /** @type {Map<string, Buffer>} */
  const found = new Map();
  const entries = extract();
  entries.end(tar);
  for await (const entry of entries) {
    if (names.includes(entry.header.name)) found.set(entry.header.name, await buffer(entry));
    else entry.resume();
  }
  return names.map((name) => found.get(name));
}
