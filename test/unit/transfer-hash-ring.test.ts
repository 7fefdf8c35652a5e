/** The digest of what is sent, where there may be no more threads: whoever sends hashes. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { HashRing } from "../../src/transfer/hash-ring.ts";
import { bundleScript } from "../support/bundle.ts";

const MIB = 1024 * 1024;

/** No whole number of blocks, and more than the ring holds twice. */
const BYTES = randomBytes(18 * MIB + 12_345);
const DIGEST = digestOf(BYTES);

async function fill(ring: HashRing, end: number): Promise<void> {
  while (ring.at < end) {
    const room = await ring.room(Math.min(700_001, end - ring.at));
    BYTES.copy(room, 0, ring.at, ring.at + room.length);
    ring.add(room.length);
  }
}

const { signal } = new AbortController();

/** Too little memory to start with: Node says ERR_WORKER_OUT_OF_MEMORY in an event. */
const starved = (code: string, workerData: unknown): Worker =>
  new Worker(`const kept = []; for (;;) kept.push(new Array(1000).fill(kept.length)); ${code}`, {
    eval: true,
    workerData,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 4, maxYoungGenerationSizeMb: 1 },
  });

it.each([
  ["no thread can be started", () => undefined],
  ["a thread ends before it begins", starved],
])("is right where %s", async (_title, start) => {
  await using ring = new HashRing(BYTES.length, signal, start);
  await fill(ring, BYTES.length);
  expect(await ring.digest()).toBe(DIGEST);
});

it.each([0, 5 * MIB, 8 * MIB])("is right where the thread ends when %d bytes were handed over", async (size) => {
  let thread: Worker | undefined;
  await using ring = new HashRing(BYTES.length, signal, (code, data) => {
    thread = starved(code, data);
    return thread;
  });
  await fill(ring, size);
  await new Promise((resolve) => thread?.once("exit", resolve));
  await fill(ring, BYTES.length);
  expect(await ring.digest()).toBe(DIGEST);
});

it("ends with the signal's reason without a thread too", async () => {
  const stop = new AbortController();
  await using ring = new HashRing(BYTES.length, stop.signal, () => undefined);
  await fill(ring, MIB);
  stop.abort(new Error("enough"));
  await expect(ring.digest()).rejects.toThrow("enough");
  await expect(ring.room(MIB)).rejects.toThrow("enough");
});

it("ends with what went wrong in the thread, and waits for nothing", async () => {
  await using ring = new HashRing(BYTES.length, signal, () => new Worker("throw new Error('broken')", { eval: true }));
  await sleep(1);
  await expect(ring.digest()).rejects.toThrow("broken");
});

/** There is no room for a thread's stack, which is what a limit on threads looks like to Node. */
it.runIf(process.platform === "linux")("is right where the system refuses a thread", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sregistry-ring-"));
  try {
    const script = join(folder, "ring.mjs");
    await bundleScript(
      `
      import { execFileSync } from "node:child_process";
      import { readFileSync } from "node:fs";
      import { HashRing } from "./src/transfer/hash-ring.ts";
      import { startThread } from "./src/transfer/thread.ts";
      const limit = (bytes) => execFileSync("prlimit", ["--pid", String(process.pid), "--as=" + bytes + ":"]);
      let started;
      const ring = new HashRing(${2 * MIB}, new AbortController().signal, (code, data) => {
        limit(Number(/VmSize:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024 + ${MIB});
        started = startThread(code, data);
        return started;
      });
      limit("unlimited");
      for (let at = 0; at < 2; at += 1) {
        (await ring.room(${MIB})).fill(at);
        ring.add(${MIB});
      }
      console.log(started === undefined, await ring.digest());
      await ring[Symbol.asyncDispose]();
      `,
      script,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [script]);
    const digest = digestOf(Buffer.concat([Buffer.alloc(MIB, 0), Buffer.alloc(MIB, 1)]));
    expect(stdout).toBe(`true ${digest}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
