/**
 * `npm run bench`: side by side with peers on this machine, interleaved, medians and ratios. Nothing is asserted.
 *
 *   npm run bench -- [--size MiB] [--runs N] [--only transfer,memory,start]
 *
 * Needs `registry` (distribution v3); crane, regctl, curl and strace are compared when they are there (SREGISTRY_PEERS
 * or PATH).
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const PROGRAM = join(ROOT, "bin", "sregistry.js");
const TINY = join(ROOT, "test", "fixtures", "tiny.sif");
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "1024" },
    runs: { type: "string", default: "5" },
    only: { type: "string", default: "transfer,memory,start" },
  },
});
const runs = Number(values.runs);
const parts = values.only.split(",");

// A registry on tmpfs measures the clients, not the disk.
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const directory = mkdtempSync(join(base, "sregistry-bench-"));
const env = { PATH: process.env["PATH"] ?? "", HOME: directory, NO_COLOR: "1" };

/** @param {string} name */
function find(name) {
  return [process.env["SREGISTRY_PEERS"] ?? "", ...(process.env["PATH"] ?? "").split(delimiter)]
    .filter((place) => place !== "")
    .map((place) => join(place, name))
    .find((path) => existsSync(path));
}

/** @param {string} path @param {number} mebibytes a SIF with a tail of random bytes */
function makeImage(path, mebibytes) {
  const file = openSync(path, "w");
  writeSync(file, readFileSync(TINY));
  const block = randomBytes(MIB);
  for (let i = 0; i < mebibytes; i += 1) {
    block.writeUInt32LE(i);
    writeSync(file, block);
  }
  closeSync(file);
}

/**
 * @typedef {{ seconds: number, peakMiB: number }} Figures
 * @param {readonly string[]} command
 * @returns {Promise<Figures>} wall time, and the largest resident size the kernel saw (VmHWM)
 */
function measure(command) {
  const [program = "", ...words] = command;
  const began = performance.now();
  const child = spawn(program, words, { env, cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  let peak = 0;
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      clearInterval(watch); // the process has ended
    }
  }, 10);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(watch);
      if (code !== 0) reject(new Error(`${command.join(" ")} ended with ${code}\n${errors}`));
      else resolve({ seconds: (performance.now() - began) / 1000, peakMiB: peak / 1024 });
    });
  });
}

/** @param {readonly number[]} numbers */
function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/**
 * @typedef {{ name: string, command: (round: number) => readonly string[] }} Contestant
 * @param {string} title @param {readonly Contestant[]} contestants the first is ours
 * @param {() => void} [between]
 */
async function compare(title, contestants, between = () => {}) {
  /** @type {Map<string, Figures[]>} */
  const results = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= runs; round += 1) {
    for (const { name, command } of contestants) {
      between();
      const figures = await measure(command(round));
      if (round > 0) results.get(name)?.push(figures); // round 0 warms up
    }
  }
  const ours = results.get(contestants[0]?.name ?? "") ?? [];
  console.log(`\n${title}`);
  for (const [name, figures] of results) {
    const ratios = figures.map(({ seconds }, round) => (ours[round]?.seconds ?? 0) / seconds);
    const peak = Math.max(...figures.map(({ peakMiB }) => peakMiB));
    console.log(
      `  ${name.padEnd(26)} ${median(figures.map(({ seconds }) => seconds)).toFixed(3)} s   ours/its ${median(ratios).toFixed(2)}   peak ${peak.toFixed(0)} MiB`,
    );
  }
}

async function startRegistry() {
  const program = find("registry");
  if (program === undefined) throw new Error("registry (distribution v3) is missing");
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : 0));
    });
  });
  const config = join(directory, "registry.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${directory}/registry}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}", secret: bench}\n`,
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore", env: { OTEL_TRACES_EXPORTER: "none" } });
  for (let tries = 0; tries < 100; tries += 1) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      () => true,
      () => false,
    );
    if (up) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { host: `127.0.0.1:${port}`, stop: () => child.kill() };
}

/** @param {string} host @param {string} image */
async function transfers(host, image) {
  const digest = `sha256:${createHash("sha256").update(readFileSync(image)).digest("hex")}`;
  const [crane, regctl, curl] = [find("crane"), find("regctl"), find("curl")];
  const wipe = () => {
    rmSync(join(directory, "registry"), { recursive: true, force: true });
    rmSync(join(directory, ".local"), { recursive: true, force: true });
  };
  /** @type {Contestant[]} */
  const pushes = [
    {
      name: "sregistry push",
      command: (n) => [process.execPath, PROGRAM, "-q", "push", image, `oras://${host}/bench/push:${n}`],
    },
  ];
  const put = `loc=$(curl -sfi -X POST http://${host}/v2/bench/curl/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //ip'); curl -sf -X PUT -H 'Content-Type: application/octet-stream' -T ${image} "$loc&digest=${digest}"`;
  if (regctl)
    pushes.push({
      name: "regctl artifact put",
      command: (n) => [
        regctl,
        "artifact",
        "put",
        "--host",
        `reg=${host},tls=disabled`,
        "--file",
        image,
        "--artifact-type",
        "application/x-sif",
        `${host}/bench/regctl:${n}`,
      ],
    });
  if (crane)
    pushes.push({
      name: "crane append",
      command: (n) => [
        crane,
        "append",
        "--insecure",
        "--oci-empty-base",
        "-f",
        image,
        "-t",
        `${host}/bench/crane:${n}`,
      ],
    });
  if (curl) pushes.push({ name: "curl, digest known", command: () => ["sh", "-c", put] });
  await compare(`push ${values.size} MiB to distribution v3 (tmpfs)`, pushes, wipe);

  wipe();
  const reference = `${host}/bench/pull:1`;
  await measure([process.execPath, PROGRAM, "-q", "push", image, `oras://${reference}`]);
  const out = join(directory, "out");
  const fresh = () => {
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out);
  };
  /** @type {Contestant[]} */
  const pulls = [
    {
      name: "sregistry pull",
      command: () => [process.execPath, PROGRAM, "-q", "pull", "-o", join(out, "x.sif"), `oras://${reference}`],
    },
  ];
  if (regctl)
    pulls.push({
      name: "regctl artifact get",
      command: () => [regctl, "artifact", "get", "--host", `reg=${host},tls=disabled`, "--output", out, reference],
    });
  if (crane)
    pulls.push({
      name: "crane pull (layout)",
      command: () => [crane, "pull", "--insecure", "--format", "oci", reference, out],
    });
  if (curl)
    pulls.push({
      name: "curl, no check",
      command: () => [curl, "-sfo", join(out, "x.sif"), `http://${host}/v2/bench/pull/blobs/${digest}`],
    });
  await compare(`pull ${values.size} MiB from distribution v3 (tmpfs)`, pulls, fresh);
}

/** @param {string} host */
async function memory(host) {
  console.log("\npeak resident memory");
  for (const mebibytes of [256, 4096]) {
    const image = join(directory, "memory.sif");
    makeImage(image, mebibytes);
    const reference = `oras://${host}/bench/memory:${mebibytes}`;
    const push = await measure([process.execPath, PROGRAM, "-q", "push", image, reference]);
    rmSync(image);
    const pull = await measure([process.execPath, PROGRAM, "-q", "pull", "-o", image, reference]);
    rmSync(image);
    rmSync(join(directory, "registry"), { recursive: true, force: true });
    console.log(
      `  ${String(mebibytes).padStart(5)} MiB   push ${push.peakMiB.toFixed(0)} MiB   pull ${pull.peakMiB.toFixed(0)} MiB`,
    );
  }
}

/** @param {readonly string[]} command */
function openedFiles(command) {
  const trace = spawnSync("strace", ["-f", "-qq", "-e", "trace=open,openat", ...command], { env, encoding: "utf8" });
  return trace.stderr.split("\n").filter((line) => /open(at)?\(.* = \d+/.test(line)).length;
}

async function start() {
  const version = [process.execPath, PROGRAM, "--version"];
  const empty = [process.execPath, "-e", "0"];
  await compare("sregistry --version", [
    { name: "sregistry --version", command: () => version },
    { name: "node -e 0", command: () => empty },
  ]);
  if (find("strace")) console.log(`  opened files: ${openedFiles(version)}, of which Node alone ${openedFiles(empty)}`);
}

try {
  if (parts.includes("start")) await start();
  if (parts.includes("transfer") || parts.includes("memory")) {
    const { host, stop } = await startRegistry();
    try {
      if (parts.includes("memory")) await memory(host);
      if (parts.includes("transfer")) {
        const image = join(directory, "image.sif");
        makeImage(image, Number(values.size));
        await transfers(host, image);
      }
    } finally {
      stop();
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
