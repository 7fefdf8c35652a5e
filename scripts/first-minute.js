/**
 * `npm start`: the main job, on the embedded registry, with nothing else installed. Every line printed is what the
 * program really did; a step that fails ends the run with its exit status.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "..", "bin", "sregistry.js");
const IMAGE = join(import.meta.dirname, "..", "test", "fixtures", "tiny_signed.sif");

const home = mkdtempSync(join(tmpdir(), "sregistry-first-minute-"));
const env = { PATH: process.env["PATH"], HOME: home, NO_COLOR: "1", TERM: "dumb" };

/** @param {string} says @param {string[]} words */
function step(says, words) {
  console.log(`\n# ${says}\n$ sregistry ${words.join(" ").replaceAll(home, "~")}`);
  const run = spawnSync(process.execPath, [PROGRAM, ...words], { cwd: home, env, encoding: "utf8" });
  process.stdout.write(`${run.stderr}${run.stdout}`.replaceAll(home, "~"));
  if (run.status !== 0) throw new Error(`sregistry ${words[0]} ended with exit status ${run.status}`);
}

/** @param {string} file */
function sha256(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** @param {string} file */
function compare(file) {
  if (sha256(file) !== sha256(IMAGE)) throw new Error(`${file} is not the image that was pushed`);
  console.log(`# ${file.replace(home, "~")} is, byte for byte, the image that was pushed`);
}

/** @returns {Promise<{ url: string, stop: () => Promise<number | null> }>} */
async function startServer() {
  console.log("\n# The same store over HTTP, as an OCI registry\n$ sregistry serve --listen 127.0.0.1:0 &");
  const server = spawn(process.execPath, [PROGRAM, "serve", "--listen", "127.0.0.1:0"], {
    cwd: home,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => server.once("exit", (code) => resolve(code)));
  const url = await new Promise((resolve, reject) => {
    server.stdout.setEncoding("utf8").once("data", (text) => resolve(text.trim()));
    server.once("exit", (code) => reject(new Error(`sregistry serve ended with exit status ${code}`)));
  });
  console.log(url);
  const stop = () => {
    server.kill("SIGTERM");
    return ended;
  };
  return { url, stop };
}

try {
  step("Push an image into the embedded registry", ["push", IMAGE, "--name", "lab/tiny", "--tag", "1.0"]);
  step("What is there", ["list"]);
  step("What the image says of itself", ["list", "lab/tiny:1.0", "--labels", "--deffile"]);
  step("Pull it back", ["pull", "lab/tiny:1.0"]);
  compare(join(home, "lab-tiny-1.0.sif"));
  const { url, stop } = await startServer();
  try {
    const remote = `oras://${new URL(url).host}`;
    step("Push over HTTP, with two tags", ["push", IMAGE, `${remote}/lab/tiny`, "--tag", "1.1", "--tag", "latest"]);
    step("What the registry lists", ["list", remote]);
    step("Labels across its images", ["labels", remote, "--key", "maintainer"]);
    step("Inspect without a download", ["inspect", `${remote}/lab/tiny:1.1`]);
    step("Pull over HTTP", ["pull", "-o", "over-http.sif", `${remote}/lab/tiny:1.1`]);
    compare(join(home, "over-http.sif"));
  } finally {
    await stop();
  }
  step("The store is sound", ["serve", "--check"]);
  console.log("\nDone. All of it ran in a temporary home, which is removed now. Next: node bin/sregistry.js --help");
} catch (error) {
  console.error(`\nfirst minute: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}
