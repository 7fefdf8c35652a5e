/** The built program, stopped while it pushes by signals that it hears and by one that nobody does; what the next one sends. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { type Faults, slow, stall, startFaults } from "../support/faults.ts";
import { FIXTURES, finished, User } from "../support/program.ts";
import { DISTRIBUTION_3, type Quirks, type QuirkyRegistry, REGISTRY_2, startQuirks } from "../support/quirks.ts";

const MIB = 1024 * 1024;
const CHUNK = 2 * MIB;
const SIZE = 17 * MIB + 4_321;

let user: User;
let registry: QuirkyRegistry;
let faults: Faults;
let bytes: Buffer;

beforeEach(async () => {
  user = await User.create();
  const sif = await readFile(`${FIXTURES}/tiny.sif`);
  bytes = Buffer.concat([sif, randomBytes(SIZE - sif.length)]);
  await writeFile(user.path("tool.sif"), bytes);
});
afterEach(async () => {
  await faults.close();
  await registry.close();
  await user[Symbol.asyncDispose]();
});

/** A registry that takes 8 MiB a second. */
async function slowRegistry(quirks: Quirks): Promise<void> {
  registry = await startQuirks(quirks);
  faults = await startFaults({ upstream: registry.url });
  faults.on({ method: "PATCH" }, slowly);
  await mkdir(user.path(".config", "sregistry"), { recursive: true });
  const settings = `hosts: { "127.0.0.1": { mode: chunked, chunk-size: ${CHUNK} } }\n`;
  await writeFile(user.path(".config", "sregistry", "config.yaml"), settings, { mode: 0o600 });
}

const slowly = slow(8 * MIB);
const words = (tag = "1") => ["push", "tool.sif", `oras://${faults.host}/lab/tool:${tag}`];
const sent = (): number => registry.requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
const held = (): boolean => registry.content.blobs.get(`lab/tool@${digestOf(bytes)}`)?.equals(bytes) === true;

/** In the middle of the third chunk. */
async function midway(): Promise<void> {
  const third = () => registry.requests.filter(({ method }) => method === "PATCH")[2];
  while ((third()?.bodyBytes ?? 0) < CHUNK / 4) await sleep(5);
}

it("SIGTERM lets the chunk end that registry:2 would lose everything with", async () => {
  await slowRegistry(REGISTRY_2);
  const child = user.start(words());
  const ended = finished(child);
  await midway();
  child.kill("SIGTERM");
  const { status, stderr } = await ended;
  expect(status).toBe(143);
  expect(stderr).toContain(`holds ${3 * CHUNK} bytes; the same command goes on from there\n`);
  faults.clear();
  const again = await user.run(["--json", ...words()]);
  expect(JSON.parse(again.stdout)).toMatchObject({ transfer: "resumed" });
  expect(held()).toBe(true);
  expect(sent()).toBeLessThan(SIZE + MIB);
});

it.each([
  ["SIGINT waits for nobody", ["SIGINT"], 130],
  ["SIGTERM waits for a few seconds only", ["SIGTERM"], 143],
  ["a second signal waits for nobody", ["SIGTERM", "SIGTERM"], "SIGTERM"],
] as const)(
  "%s where a registry takes no more",
  async (_title, signals, status) => {
    await slowRegistry(DISTRIBUTION_3);
    const pause = stall();
    let stalled = false;
    faults.clear();
    faults.on({ method: "PATCH", skip: 1 }, (exchange) => {
      stalled = true;
      return pause(exchange);
    });
    const child = user.start(words());
    const ended = finished(child);
    while (!stalled) await sleep(5);
    for (const signal of signals) {
      child.kill(signal);
      await sleep(50);
    }
    expect((await ended).status).toBe(status);
  },
  20_000,
);

it("after kill -9 at any moment, one chunk at most is sent again", async () => {
  await slowRegistry(DISTRIBUTION_3);
  for (let kills = 0; kills < 3; kills += 1) {
    const before = sent();
    const child = user.start(words());
    const ended = finished(child);
    while (sent() < before + CHUNK * 1.3) await sleep(5);
    child.kill("SIGKILL");
    expect((await ended).status).toBe("SIGKILL");
  }
  faults.clear();
  const again = await user.run(["--json", ...words()]);
  expect(JSON.parse(again.stdout)).toMatchObject({ transfer: "resumed" });
  expect(held()).toBe(true);
  expect(sent()).toBeLessThan(SIZE + 3 * CHUNK);
});

it("two processes that push one file at once do not get into each other's upload", async () => {
  await slowRegistry(REGISTRY_2);
  const first = finished(user.start(words("1")));
  await midway();
  const second = finished(user.start(["--json", ...words("2")]));
  const [one, two] = await Promise.all([first, second]);
  expect([one.status, two.status]).toEqual([0, 0]);
  expect(held()).toBe(true);
  expect(registry.content.tags.get("lab/tool:1")).toBe(registry.content.tags.get("lab/tool:2"));
  expect(sent()).toBeLessThan(2 * SIZE + MIB);
});
