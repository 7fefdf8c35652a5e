/** Several processes that pull to one name, and processes that are killed: real ones, on a real registry. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readJournal } from "../../src/transfer/journal.ts";
import type { Parallel } from "../../src/transfer/lanes.ts";
import { newOwner } from "../../src/transfer/owner.ts";
import { partialPath } from "../../src/transfer/partial.ts";
import { BLOB, type DownloadSite, downloadSite, madeImage } from "../support/download.ts";
import { cutResponse, slow, stall, wrongByte } from "../support/faults.ts";
import { until } from "../support/registry-server.ts";

/** `program URL IMAGE TARGET PARALLEL`: pulls the image that is described in JSON, tells its progress and at last the result, a line of JSON each. */
const PROGRAM = `
import { existsSync, readFileSync } from "node:fs";
import { silentLog } from "./src/call.ts";
import { createTransport } from "./src/http/index.ts";
import { createOciRegistry } from "./src/registry/oci/index.ts";
import { downloadToFile } from "./src/transfer/download.ts";
const [url, image, target, parallel] = process.argv.slice(2);
const baseUrl = new URL(url);
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\\n");
const progress = { start: () => ({ at: (at) => tell({ at }), state: (state) => tell({ state }), done() {}, fail() {} }) };
const call = { signal: new AbortController().signal, progress, log: silentLog };
const transport = createTransport({ userAgent: "sregistry-test" });
const registry = createOciRegistry({ host: baseUrl.host, baseUrl, transport });
const result = await downloadToFile({ registry, image: JSON.parse(image), target, force: false, call, parallel: JSON.parse(parallel) });
const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "VmHWM: 0 kB";
tell({ memory: status.match(/VmHWM:\\s+(\\d+) kB/)?.[1] });
tell(result);
await transport.close();
`;

/** A bundled CommonJS package (undici) calls require for Node's own modules. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

const MIB = 1024 * 1024;
/** Bytes of one connection that a kill may cost: the journal's step, and two buffers that were on their way. */
const UNSAVED = 2 * MIB + 2 * MIB;

let folder: string;
let program: string;
let site: DownloadSite;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-pulls-"));
  program = join(folder, "program.mjs");
  await build({
    stdin: { contents: PROGRAM, loader: "ts", resolveDir: resolve(import.meta.dirname, "../..") },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.18",
    banner: { js: REQUIRE },
    outfile: program,
    logLevel: "error",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  site = await downloadSite(madeImage(8 * MIB));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await site[Symbol.asyncDispose]();
});

interface Pull {
  readonly child: ChildProcess;
  /** What it told so far. */
  readonly lines: unknown[];
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<unknown>;
}

function pull(parallel: Parallel = {}, nodeFlags: readonly string[] = []): Pull {
  const words = [program, site.faults.url.href, JSON.stringify(site.image), site.target, JSON.stringify(parallel)];
  const child = spawn(process.execPath, [...nodeFlags, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines: unknown[] = [];
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (more: string) => {
    const parts = `${text}${more}`.split("\n");
    text = parts.pop() ?? "";
    lines.push(...parts.map((line): unknown => JSON.parse(line)));
  });
  return { child, lines, ended: once(child, "close").then(([code, signal]: unknown[]) => code ?? signal) };
}

/** Bytes that the journal tells; 0 while there is none. */
async function saved(): Promise<number> {
  return (await readJournal(partialPath(site.target, site.image.digest)))?.done.bytes ?? 0;
}

const outcomes = (pulls: readonly Pull[]) => pulls.map(({ lines }) => lines.at(-1));
const tail = (start: number) => `bytes=${start}-${site.bytes.length - 1}`;
const resultOf = (outcome: string, transferred: number) => ({
  path: site.target,
  digest: site.image.digest,
  size: site.bytes.length,
  transferred,
  outcome,
});

const byOutcome = (one: unknown, other: unknown): number => JSON.stringify(one).localeCompare(JSON.stringify(other));

async function expectImage(): Promise<void> {
  expect(await site.files()).toEqual(["image.sif"]);
  expect((await site.content()).equals(site.bytes)).toBe(true);
}

describe("a process that is killed", () => {
  it.each([5 * MIB, 7 * MIB + 4321])("costs nothing that its journal tells (after %d bytes)", async (after) => {
    site.faults.on({ ...BLOB, times: 1 }, stall({ after }));
    const first = pull();
    await until(async () => after - (await saved()) < UNSAVED);
    first.child.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    const { bytes: kept } = await site.kept();
    const second = pull();
    expect(await second.ended).toBe(0);
    expect(second.lines.at(-1)).toEqual(resultOf("resumed", site.bytes.length - kept));
    expect(site.ranges()).toEqual([undefined, tail(kept)]);
    await expectImage();
  });

  it("is succeeded by one that waited for it", async () => {
    site.faults.on({ ...BLOB, times: 1 }, stall({ after: 5 * MIB }));
    const first = pull();
    await until(async () => 5 * MIB - (await saved()) < UNSAVED);
    const others = [pull(), pull(), pull()];
    await until(async () => others.every(({ lines }) => lines.length >= 2));
    const waiting = { state: `waiting for process ${first.child.pid} on ${hostname()}` };
    for (const { lines } of others) {
      expect(lines.slice(0, 2)).toEqual([waiting, { at: expect.any(Number) }]);
      expect(lines[1]).toSatisfy(({ at }: { readonly at: number }) => at > 5 * MIB - UNSAVED && at <= 5 * MIB);
    }
    first.child.kill("SIGKILL");
    await first.ended;
    const kept = await saved();
    expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    expect(outcomes(others).sort(byOutcome)).toEqual([
      resultOf("present", 0),
      resultOf("present", 0),
      resultOf("resumed", site.bytes.length - kept),
    ]);
    expect(site.ranges()).toEqual([undefined, tail(kept)]);
    await expectImage();
  });
});

describe("several processes", () => {
  it("download one target once, and the others find it", async () => {
    site.faults.on(BLOB, slow(16 * MIB));
    const pulls = Array.from({ length: 5 }, () => pull());
    expect(await Promise.all(pulls.map(({ ended }) => ended))).toEqual([0, 0, 0, 0, 0]);
    expect(site.faults.count(BLOB)).toBe(1);
    const present = resultOf("present", 0);
    const results = [present, present, present, present, resultOf("downloaded", site.bytes.length)];
    expect(outcomes(pulls).sort(byOutcome)).toEqual(results);
    await expectImage();
  });

  it("that know nothing of each other's locks may put the image there twice", async () => {
    site.faults.on(BLOB, async (exchange) => {
      await writeFile(site.target, site.bytes);
      await exchange.forward();
    });
    expect(await site.pull()).toEqual(resultOf("present", 0));
    await expectImage();
  });

  it("leave the claims of those that live, and clear away those of the dead", async () => {
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "close");
    const owner = await newOwner();
    const claims = {
      lives: owner,
      gone: { ...owner, id: randomUUID(), pid: dead.pid },
      away: { ...owner, id: randomUUID(), host: "elsewhere" },
      old: { ...owner, id: randomUUID(), host: "elsewhere" },
    };
    const path = ({ id }: { readonly id: string }) => `${partialPath(site.target, site.image.digest)}.lock.${id}`;
    for (const claim of Object.values(claims)) await writeFile(path(claim), JSON.stringify(claim));
    const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000);
    await utimes(path(claims.old), longAgo, longAgo);
    await site.pull();
    const left = [path(claims.lives), path(claims.away)].map((claim) => basename(claim));
    expect(await site.files()).toEqual([...left, "image.sif"].sort());
  });
});

describe("a file system that gives a lock to everybody", () => {
  it("costs downloads, and never a byte: each writes to a file of its own", async () => {
    // What flock does on some Lustre and NFS mounts, done to the links and exclusive files that locks are made of here.
    const lies = join(folder, "lies.cjs");
    await writeFile(
      lies,
      `const promises = require("node:fs/promises");
const { link } = promises;
promises.link = (from, to) => (to.endsWith(".lock") ? Promise.resolve() : link(from, to));
require("node:module").syncBuiltinESMExports();
`,
    );
    // Half of them are sent a wrong byte, late, when others have put the image under its name.
    let count = 0;
    const everySecond = () => {
      count += 1;
      return count % 2 === 0;
    };
    const wrong = wrongByte(site.bytes.length - 1);
    site.faults.on({ ...BLOB, when: everySecond }, async (exchange) => {
      await sleep(300);
      await wrong(exchange);
    });
    const watcher = watchTarget();
    const pulls = Array.from({ length: 8 }, () => pull({ concurrency: 1 }, ["--require", lies]));
    const statuses = await Promise.all(pulls.map(({ ended }) => ended));
    expect(await watcher.end()).toEqual({ wrong: 0 });
    expect(site.ranges().length).toBeGreaterThan(1);
    expect(statuses).toContain(0);
    const told = outcomes(pulls).filter((line) => String(JSON.stringify(line)).includes('"outcome"'));
    expect(told.length).toBe(statuses.filter((status) => status === 0).length);
    await expectImage();
  });
});

describe("a large image", () => {
  beforeEach(async () => {
    await site[Symbol.asyncDispose]();
    site = await downloadSite(madeImage(140 * MIB));
  });

  it("takes less memory than it is large", async () => {
    const large = pull();
    expect(await large.ended).toBe(0);
    expect(large.lines.at(-1)).toEqual(resultOf("downloaded", site.bytes.length));
    const told = JSON.stringify(large.lines.at(-2));
    // The most there ever was of it, in KiB as proc(5) has it.
    expect(Number(/^{"memory":"(\d+)"}$/.exec(told)?.[1])).toBeLessThan(160_000);
    await expectImage();
  });

  it("is begun again while the disk still takes what was there", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 66 * MIB }));
    site.faults.on({ ...BLOB, times: 1 }, wrongByte(0));
    expect(await site.pull({ parallel: { concurrency: 1 } })).toMatchObject({ outcome: "downloaded" });
    expect(site.ranges()).toEqual([undefined, tail(66 * MIB), undefined]);
    await expectImage();
  });
});

describe("kills at random moments", () => {
  beforeEach(async () => {
    await site[Symbol.asyncDispose]();
    site = await downloadSite(madeImage(24 * MIB));
  });

  const ROUNDS = 12;

  it.each([{ concurrency: 1 }, { concurrency: 4, partSize: MIB }])(
    "never show wrong bytes under the name, and cost little (%o)",
    async (parallel) => {
      const seed = Number(process.env["TRANSFER_KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      console.info(`TRANSFER_KILL_SEED=${seed}`);
      const random = randomFrom(seed);
      site.faults.on(BLOB, slow((16 * MIB) / parallel.concurrency));
      const watcher = watchTarget();
      let lost = 0;
      let kills = 0;
      for (; kills < ROUNDS; kills += 1) {
        const before = await saved();
        const one = pull(parallel);
        await randomMoment(one, before, random);
        one.child.kill("SIGKILL");
        if ((await one.ended) === 0) break;
        const told = Math.max(before, ...one.lines.map(reached));
        lost += told - (await saved());
      }
      const kept = await saved();
      const last = pull(parallel);
      expect(await last.ended).toBe(0);
      expect(last.lines.at(-1)).toMatchObject({ digest: site.image.digest, size: site.bytes.length });
      const result: unknown = last.lines.at(-1);
      expect([
        resultOf("present", 0),
        resultOf(kept === 0 ? "downloaded" : "resumed", site.bytes.length - kept),
      ]).toContainEqual(result);
      expect(await watcher.end()).toEqual({ wrong: 0 });
      expect(lost).toBeLessThanOrEqual(kills * parallel.concurrency * UNSAVED);
      expect((await site.content()).equals(site.bytes)).toBe(true);
      // Who is killed with the file in place leaves the lock, which whoever pulls that image anew takes over.
      const lock = basename(`${partialPath(site.target, site.image.digest)}.lock`);
      const present = JSON.stringify(result) === JSON.stringify(resultOf("present", 0));
      expect([["image.sif"], ...(present ? [[lock, "image.sif"]] : [])]).toContainEqual(await site.files());
    },
    60_000,
  );
});

/** Either some time after the start, or when some bytes more are in place. */
async function randomMoment({ child, lines, ended }: Pull, before: number, random: () => number): Promise<void> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  if (random() < 0.4) return await sleep(random() * 600);
  const enough = before + random() * 3.5 * MIB;
  while (!over && child.exitCode === null && !lines.some((line) => reached(line) > enough)) await sleep(1);
}

/** Bytes in place, as a line of the program tells. */
function reached(line: unknown): number {
  return typeof line === "object" && line !== null && "at" in line ? Number(line.at) : 0;
}

/** Reads what is under the target's name again and again, as anybody might. */
function watchTarget(): { end(): Promise<{ readonly wrong: number }> } {
  let wrong = 0;
  let over = false;
  const watch = async () => {
    while (!over) {
      const content = await site.content().catch(() => undefined);
      if (content !== undefined && !content.equals(site.bytes)) wrong += 1;
      await sleep(2);
    }
  };
  const watching = watch();
  return {
    async end() {
      over = true;
      await watching;
      return { wrong };
    },
  };
}

/** 0 <= number < 1, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
