/**
 * `npm run bench`: side by side with peers on this machine, interleaved, medians and ratios. Nothing is asserted.
 *
 *   npm run bench -- [--size MiB] [--runs N] [--only push,pull,slow,again,memory,bytes,list,start] [--dir DIRECTORY]
 *
 * Needs `registry` (distribution v3); crane, regctl, oras-peer (test/interop), curl and strace are compared when they are
 * there (SREGISTRY_PEERS or PATH). `--dir`: where images and the registry are kept; default: memory (/dev/shm), so that the
 * programs are measured and not the disk.
 */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../scripts/bundle.js";
import { bench, find } from "./support/measure.js";
import { startManyTags, startRegistry, startThrottle } from "./support/servers.js";

const ROOT = join(import.meta.dirname, "..");
const PROGRAM = join(ROOT, "bin", "sregistry.js");
const TINY = join(ROOT, "test", "fixtures", "tiny.sif");
const MIB = 1024 * 1024;
/** Bytes a second that the slow server gives each connection. */
const SLOW = 40_000_000;

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "1024" },
    runs: { type: "string", default: "5" },
    only: { type: "string", default: "push,pull,slow,again,memory,bytes,list,start" },
    dir: { type: "string", default: existsSync("/dev/shm") ? "/dev/shm" : tmpdir() },
  },
});
const runs = Number(values.runs);
const parts = values.only.split(",");
const directory = mkdtempSync(join(values.dir, "sregistry-bench-"));
const out = join(directory, "out");
const { measure, compare, fileBytes, openedFiles } = bench(directory);

/** @typedef {import("./support/measure.js").Contestant} Contestant */

/** @param {readonly string[]} words */
function ours(...words) {
  return [process.execPath, PROGRAM, "-q", ...words];
}

/** @param {string} name @param {number} mebibytes a SIF with a tail of random bytes */
function makeImage(name, mebibytes) {
  const path = join(directory, name);
  const file = openSync(path, "w");
  writeSync(file, readFileSync(TINY));
  const block = randomBytes(MIB);
  for (let i = 0; i < mebibytes; i += 1) {
    block.writeUInt32LE(i);
    writeSync(file, block);
  }
  closeSync(file);
  return path;
}

/** @param {string} path */
async function digestOf(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** Nothing of ours or of the registry's is left: each push sends all, each pull fetches all. */
function forget() {
  for (const name of ["registry/docker", ".local", ".cache"])
    rmSync(join(directory, name), { recursive: true, force: true });
}

function emptyOut() {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
}

/** @param {string} host @param {string} image @param {string} digest */
async function pushes(host, image, digest) {
  const put = `loc=$(curl -sfi -X POST http://${host}/v2/bench/curl/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //ip'); curl -sf -X PUT -H 'Content-Type: application/octet-stream' -T ${image} "$loc&digest=${digest}"`;
  const type = ["--artifact-type", "application/x-sif"];
  /** @type {Record<string, (program: string) => Contestant>} */
  const peers = {
    regctl: (program) => ({
      name: "regctl artifact put",
      command: (n) => [
        ...[program, "artifact", "put", "--host", `reg=${host},tls=disabled`, "--file", image],
        ...[...type, `${host}/bench/regctl:${n}`],
      ],
    }),
    crane: (program) => ({
      name: "crane append",
      command: (n) => [
        program,
        "append",
        "--insecure",
        "--oci-empty-base",
        "-f",
        image,
        "-t",
        `${host}/bench/crane:${n}`,
      ],
    }),
    "oras-peer": (program) => ({
      name: "oras-go",
      command: (n) => [program, "push", image, `${host}/bench/oras:${n}`],
    }),
    curl: () => ({ name: "curl, digest known", command: () => ["sh", "-c", put] }),
  };
  const push = {
    name: "sregistry push",
    command: (/** @type {number} */ n) => ours("push", image, `oras://${host}/bench/push:${n}`),
  };
  await compare(`push ${values.size} MiB to distribution v3`, [push, ...present(peers)], { runs, between: forget });
}

/** @param {string} title @param {string} host @param {string} digest @param {readonly string[]} names */
async function pulls(title, host, digest, names) {
  const reference = `${host}/bench/pull:1`;
  /** @type {Record<string, (program: string) => Contestant>} */
  const peers = {
    regctl: (program) => ({
      name: "regctl artifact get",
      command: () => [program, "artifact", "get", "--host", `reg=${host},tls=disabled`, "--output", out, reference],
    }),
    crane: (program) => ({
      name: "crane pull (layout)",
      command: () => [program, "pull", "--insecure", "--format", "oci", reference, out],
    }),
    "oras-peer": (program) => ({ name: "oras-go", command: () => [program, "pull", reference, out] }),
    curl: (program) => ({
      name: "curl, no check",
      command: () => [program, "-sfo", join(out, "x.sif"), `http://${host}/v2/bench/pull/blobs/${digest}`],
    }),
  };
  const chosen = Object.fromEntries(Object.entries(peers).filter(([name]) => names.includes(name)));
  const pull = { name: "sregistry pull", command: () => ours("pull", "-o", join(out, "x.sif"), `oras://${reference}`) };
  await compare(title, [pull, ...present(chosen)], { runs, between: emptyOut });
}

/** @param {Record<string, (program: string) => Contestant>} peers those that are here */
function present(peers) {
  return Object.entries(peers).flatMap(([name, make]) => {
    const program = find(name);
    return program === undefined ? [] : [make(program)];
  });
}

/** @param {string} host */
async function again(host) {
  const image = makeImage("again.sif", 4096);
  const reference = `oras://${host}/bench/again`;
  emptyOut();
  const target = join(out, "x.sif");
  await measure(ours("push", image, `${reference}:0`));
  await measure(ours("pull", "-o", target, `${reference}:0`));
  await compare(
    "again, 4096 MiB that have not changed",
    [
      { name: "sregistry push, new tag", command: (n) => ours("push", image, `${reference}:${n}`) },
      { name: "sregistry push, same tag", command: () => ours("push", image, `${reference}:0`) },
      { name: "sregistry pull", command: () => ours("pull", "-o", target, `${reference}:0`) },
    ],
    { runs },
  );
  rmSync(image);
  emptyOut();
  forget();
}

/** @param {string} host */
async function memory(host) {
  console.log("\npeak resident memory");
  for (const mebibytes of [64, 512, 4096]) {
    const image = makeImage("memory.sif", mebibytes);
    const reference = `oras://${host}/bench/memory:${mebibytes}`;
    const push = await measure(ours("push", image, reference));
    rmSync(image);
    const pull = await measure(ours("pull", "-o", image, reference));
    rmSync(image);
    const four = await measure(ours("pull", "--parallel", "4", "-o", image, reference));
    rmSync(image);
    forget();
    const [a, b, c] = [push, pull, four].map(({ peakMiB }) => peakMiB.toFixed(0));
    console.log(`  ${String(mebibytes).padStart(5)} MiB   push ${a} MiB   pull ${b} MiB   with 4 connections ${c} MiB`);
  }
}

/** @param {string} host */
async function bytes(host) {
  const image = makeImage("bytes.sif", 256);
  const reference = `oras://${host}/bench/bytes:1`;
  const push = fileBytes(ours("push", image, reference), "bytes.sif");
  emptyOut();
  const pull = fileBytes(ours("pull", "-o", join(out, "x.sif"), reference), "x.sif");
  if (push === undefined || pull === undefined) return;
  const size = 256 * MIB;
  console.log("\nbytes of the file, as a multiple of the image");
  console.log(`  push reads ${(push.read / size).toFixed(2)}`);
  console.log(
    `  pull writes ${(pull.written / size).toFixed(2)}, and hashes ${(pull.read / size).toFixed(2)} out of the page cache`,
  );
  rmSync(image);
  forget();
}

async function list() {
  console.log("\nlist of many tags");
  for (const count of [100, 10_000]) {
    const { host, stop } = await startManyTags(count);
    const { seconds, peakMiB } = await measure(ours("list", `oras://${host}/bench/many`));
    console.log(`  ${String(count).padStart(6)} tags   ${seconds.toFixed(3)} s   peak ${peakMiB.toFixed(0)} MiB`);
    stop();
  }
}

/** The other forms of the program, as far as `npm run package` has made them. @returns {readonly [name: string, ...command: string[]][]} */
function otherForms() {
  const name = `sregistry-${version}`;
  const made = join(ROOT, "dist-package", `${name}.mjs`);
  if (!existsSync(made)) return [];
  const archive = `${name}-linux-${process.arch}`;
  execFileSync("tar", ["-xJf", join(ROOT, "dist-package", `${archive}.tar.xz`), "-C", directory]);
  return [
    ["single file", process.execPath, made],
    ["executable", join(directory, archive, "bin", "sregistry")],
  ];
}

async function start() {
  const telling = [process.execPath, PROGRAM, "--version"];
  const empty = [process.execPath, "-e", "0"];
  const others = otherForms();
  for (const verb of ["--version", "list"]) {
    const forms = others.map(([name, ...command]) => ({ name: `${name} ${verb}`, command: () => [...command, verb] }));
    await compare(
      `sregistry ${verb}`,
      [
        { name: `sregistry ${verb}`, command: () => [process.execPath, PROGRAM, verb] },
        { name: "node -e 0", command: () => empty },
        ...forms,
      ],
      { runs },
    );
  }
  if (find("strace")) console.log(`  opened files: ${openedFiles(telling)}, of which Node alone ${openedFiles(empty)}`);
}

/** @param {string} host */
async function transfers(host) {
  const image = makeImage("image.sif", Number(values.size));
  const digest = await digestOf(image);
  if (parts.includes("push")) await pushes(host, image, digest);
  forget();
  await measure(ours("push", image, `oras://${host}/bench/pull:1`));
  const peers = ["regctl", "crane", "oras-peer", "curl"];
  if (parts.includes("pull")) await pulls(`pull ${values.size} MiB from distribution v3`, host, digest, peers);
  if (parts.includes("slow")) {
    const throttle = await startThrottle(host, SLOW);
    const title = `pull ${values.size} MiB, each connection ${SLOW / 1e6} MB/s`;
    await pulls(title, throttle.host, digest, ["regctl", "oras-peer"]);
    throttle.stop();
  }
  rmSync(image);
  emptyOut();
  forget();
}

try {
  if (parts.includes("start")) await start();
  if (parts.includes("list")) await list();
  if (["push", "pull", "slow", "again", "memory", "bytes"].some((part) => parts.includes(part))) {
    const { host, stop } = await startRegistry(directory);
    try {
      if (parts.includes("bytes")) await bytes(host);
      if (parts.includes("memory")) await memory(host);
      if (parts.includes("again")) await again(host);
      if (["push", "pull", "slow"].some((part) => parts.includes(part))) await transfers(host);
    } finally {
      stop();
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
