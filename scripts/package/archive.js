/** Archives that come out the same, byte for byte, from the same files: sorted, of root, with one date. */
import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";

/** @typedef {import("./tree.js").Entry} Entry */

/**
 * @typedef {object} Making
 * @property {Date} date of everything in it
 * @property {number} level of xz, 0 to 9
 */

/** @param {readonly string[]} paths every directory above them, outermost first */
function directoriesOf(paths) {
  const above = paths.flatMap((path) => {
    const names = path.split("/");
    return names.slice(1).map((_, depth) => names.slice(0, depth + 1).join("/"));
  });
  return [...new Set(above)];
}

/**
 * @param {readonly Entry[]} entries
 * @param {Making} making
 * @param {string} root what paths begin with, with a slash at its end
 */
export async function tarXz(entries, { date, level }, root) {
  const files = new Map(entries.map((entry) => [root + entry.path, entry]));
  const tar = pack();
  const packed = compress(tar, level);
  const common = { mtime: date, uid: 0, gid: 0, uname: "root", gname: "root" };
  for (const path of [...files.keys(), ...directoriesOf([...files.keys()])].sort()) {
    const file = files.get(path);
    if (file === undefined) tar.entry({ ...common, name: `${path}/`, type: "directory", mode: 0o755 });
    else if (file.link !== undefined) tar.entry({ ...common, name: path, type: "symlink", linkname: file.link });
    else tar.entry({ ...common, name: path, mode: file.mode }, file.data);
  }
  tar.finalize();
  return packed;
}

/**
 * One thread: with more of them the blocks, and so the bytes, are others.
 *
 * @param {import("tar-stream").Pack} input
 * @param {number} level
 */
async function compress(input, level) {
  const xz = spawn("xz", ["--threads=1", "--check=crc64", `-${level}`, "--stdout"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((done, failed) => {
    xz.once("error", failed);
    // Where it does not read to the end its status says why.
    for (const stream of [input, xz.stdin]) stream.on("error", () => undefined);
    xz.once("close", (status) => (status === 0 ? done(undefined) : failed(new Error(`xz ended with ${status}`))));
  });
  input.pipe(xz.stdin);
  const [packed] = await Promise.all([buffer(xz.stdout), ended]);
  return packed;
}
