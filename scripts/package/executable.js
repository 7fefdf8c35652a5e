/**
 * The program and Node in one executable (Node's "single executable application"). Nothing is compiled but by V8: the pinned
 * Node writes the blob, and postject puts it into a copy of that Node.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { version } from "../bundle.js";
import { needs, withoutSymbols } from "./elf.js";
import { beyondLimits } from "./limits.js";
import { NODE } from "./node.js";

const MAIN = resolve(import.meta.dirname, "run/executable.cjs");
const CODE = resolve(import.meta.dirname, "run/compile.cjs");
const IMAGE = resolve("test/fixtures/tiny.sif");
/** A process of its own, because it warns of things that do not matter here. */
const POSTJECT = createRequire(import.meta.url).resolve("postject/dist/cli.js");
/** By it Node knows whether there is a blob in it. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const run = promisify(execFile);

/**
 * @param {string} program the bundle
 * @param {Buffer} node of the architecture that the executable is for
 * @param {Buffer} ownNode of this machine's architecture
 * @returns {Promise<Buffer>}
 * @throws Error when it would not start on the systems of limits.js.
 */
export async function makeExecutable(program, node, ownNode) {
  const beyond = beyondLimits(needs(node));
  if (beyond.length > 0)
    throw new Error(`Node ${NODE.version} needs ${beyond.join(", ")}: it would not start everywhere`);
  const work = await mkdtemp(join(tmpdir(), "sregistry-executable-"));
  try {
    const paths = { program: join(work, "program"), node: join(work, "node"), code: join(work, "code") };
    await writeFile(paths.program, `(function (exports, require, module) {${program}\n})`);
    await writeFile(paths.node, ownNode, { mode: 0o755 });
    const { program: source, code } = paths;
    const sameMachine = node === ownNode;
    if (sameMachine) await writeFile(code, await compiled(paths, work));
    const blob = await writeBlob(paths.node, sameMachine ? { program: source, code } : { program: source }, work);
    const out = join(work, "sregistry");
    await writeFile(out, withoutSymbols(node));
    await run(process.execPath, [POSTJECT, "sregistry", "NODE_SEA_BLOB", blob, "--sentinel-fuse", FUSE], { cwd: work });
    return await readFile(out);
  } finally {
    await rm(work, { recursive: true });
  }
}

/**
 * What V8 compiles of the program when it is started, for V8 to load instead of doing it again.
 *
 * @param {{ node: string, program: string, code: string }} paths
 * @param {string} work
 */
async function compiled({ node, program, code }, work) {
  /** @param {readonly string[]} flags */
  const codeWith = async (...flags) => {
    const home = await mkdtemp(join(work, "home-"));
    const env = { HOME: home, PATH: "/usr/bin:/bin", NO_COLOR: "1" };
    await run(node, [...flags, CODE, program, IMAGE, code], { cwd: home, env });
    return readFile(code);
  };
  // Twice the same code only with one seed for the hashes of its strings, which V8 computes anew when it loads them. But it
  // loads nothing that was made with other flags than its own: so the bytes that say which (after magic number, version and
  // source) come from code that was made without.
  const [plain, same] = [await codeWith(), await codeWith("--hash-seed=1")];
  plain.copy(same, 12, 12, 16);
  return same;
}

/**
 * Paths are relative: Node writes that of `main` into the blob.
 *
 * @param {string} node
 * @param {Record<string, string>} assets
 * @param {string} work
 */
async function writeBlob(node, assets, work) {
  const main = (await readFile(MAIN, "utf8")).replaceAll("@version@", version);
  const config = { main: "main.cjs", output: "blob", assets, disableExperimentalSEAWarning: true };
  await writeFile(join(work, config.main), main);
  await writeFile(join(work, "config.json"), JSON.stringify(config));
  await run(node, ["--experimental-sea-config", "config.json"], { cwd: work });
  return config.output;
}
