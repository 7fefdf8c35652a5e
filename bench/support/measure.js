/** Whole processes, timed from outside: seconds, and the largest resident size the kernel saw. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** @typedef {{ seconds: number, peakMiB: number }} Figures */
/** @typedef {{ name: string, command: (round: number) => readonly string[] }} Contestant */

/** @param {string} name of a program, in SREGISTRY_PEERS or PATH */
export function find(name) {
  return [process.env["SREGISTRY_PEERS"] ?? "", ...(process.env["PATH"] ?? "").split(delimiter)]
    .filter((place) => place !== "")
    .map((place) => join(place, name))
    .find((path) => existsSync(path));
}

/** @param {string} directory HOME and working directory of all that is measured */
export function bench(directory) {
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory, NO_COLOR: "1" };

  /**
   * @param {readonly string[]} command
   * @returns {Promise<Figures>}
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

  /**
   * In turn, after a round that warms up; the ratio is ours to its, pair by pair.
   * @param {string} title @param {readonly Contestant[]} contestants the first is ours
   * @param {{ runs: number, between?: () => void }} options
   */
  async function compare(title, contestants, { runs, between = () => {} }) {
    /** @type {Map<string, Figures[]>} */
    const results = new Map(contestants.map(({ name }) => [name, []]));
    for (let round = 0; round <= runs; round += 1) {
      for (const { name, command } of contestants) {
        between();
        const figures = await measure(command(round));
        if (round > 0) results.get(name)?.push(figures);
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

  /**
   * Bytes that a command reads from and writes to the file whose name ends like this. Undefined without strace.
   * @param {readonly string[]} command @param {string} name
   */
  function fileBytes(command, name) {
    const calls = "read,pread64,preadv,write,pwrite64,pwritev,copy_file_range,sendfile";
    const strace = find("strace");
    if (strace === undefined) return undefined;
    // A file for each thread: in one, the lines of a call that another thread interrupts are torn.
    const traces = mkdtempSync(join(directory, "trace-"));
    spawnSync(strace, ["-ff", "-y", "-qq", "-o", join(traces, "t"), "-e", `trace=${calls}`, ...command], {
      env,
      cwd: directory,
      stdio: "ignore",
    });
    let [read, written] = [0, 0];
    for (const line of readdirSync(traces).flatMap((file) => readFileSync(join(traces, file), "utf8").split("\n"))) {
      const [, call = "", path = "", bytes = "0"] = /^(\w+)\(\d+<([^>]*)>.* = (\d+)$/.exec(line) ?? [];
      if (!path.includes(name) || path.endsWith(".json")) continue;
      if (call.includes("read")) read += Number(bytes);
      else written += Number(bytes);
    }
    return { read, written };
  }

  /** @param {readonly string[]} command how many files it opens */
  function openedFiles(command) {
    const trace = spawnSync("strace", ["-f", "-qq", "-e", "trace=open,openat", ...command], { env, encoding: "utf8" });
    return trace.stderr.split("\n").filter((line) => /open(at)?\(.* = \d+/.test(line)).length;
  }

  return { measure, compare, fileBytes, openedFiles };
}

/** @param {readonly number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
