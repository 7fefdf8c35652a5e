/** Random transfers over a network that misbehaves, for a while: `npm run soak`. Only invariants are asserted. */
import { randomInt } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Broken, within } from "./invariants.ts";
import { type Plan, planOf } from "./plan.ts";
import { runRound } from "./round.ts";

const setting = (name: string): number | undefined => {
  const text = process.env[`SREGISTRY_SOAK_${name}`];
  if (text !== undefined && !/^\d{1,9}$/.test(text))
    throw new Error(`SREGISTRY_SOAK_${name} is no whole number: ${text}`);
  return text === undefined ? undefined : Number(text);
};
const SEED = setting("SEED") ?? randomInt(1_000_000_000);
const SECONDS = setting("SECONDS") ?? 60;
const ONLY = setting("ROUND");
/** Rounds at a time. */
const LANES = 12;
/** Rounds that are over but for looking for requests that come late. */
const MOST_LINGERING = 48;
/** Times that everything is let go of, and memory is looked at. */
const PHASES = 3;
const MIB = 1024 * 1024;
/** Bytes that may be held more at the end than after the first phases, when all code is loaded and every pool is filled. */
const HELD = 64 * MIB;
const RESIDENT = 384 * MIB;
/** Some are the runner's, and Node's own come late. */
const DESCRIPTORS = 8;

let root: string;
const stray: unknown[] = [];
const note = (error: unknown): void => void stray.push(error);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-soak-"));
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  process.off("unhandledRejection", note);
  await rm(root, { recursive: true, force: true, maxRetries: 3 });
});

interface Failure {
  readonly plan: Plan;
  readonly error: unknown;
}

class Soak {
  readonly #failures: Failure[] = [];
  readonly #lingering = new Set<Promise<void>>();
  #next = ONLY ?? 0;
  rounds = 0;
  transfers = 0;

  /** @throws what went wrong, with the plans. */
  async until(moment: number): Promise<void> {
    await Promise.all(Array.from({ length: LANES }, () => this.#lane(moment)));
    await Promise.all(this.#lingering);
    if (this.#failures.length > 0) throw new Error(this.#failures.map(told).join("\n\n"));
    if (stray.length > 0) throw new Error(`a rejection that nobody handled (--seed ${SEED}): ${inspect(stray[0])}`);
  }

  async #lane(moment: number): Promise<void> {
    while (Date.now() < moment && this.#failures.length === 0 && stray.length === 0) {
      while (this.#lingering.size >= MOST_LINGERING) await Promise.race(this.#lingering);
      const plan = planOf(SEED, this.#next);
      if (ONLY === undefined) this.#next += 1;
      const directory = join(root, `${plan.round}.${this.rounds}`);
      this.rounds += 1;
      const ends: (() => Promise<void>)[] = [];
      try {
        const round = runRound(plan, directory, (end) => ends.push(end));
        const transfers = await within(180_000, "a round does not end", round);
        this.transfers += transfers;
      } catch (error) {
        this.#failures.push({ plan, error });
      }
      const lingering = this.#end(plan, directory, ends).finally(() => this.#lingering.delete(lingering));
      this.#lingering.add(lingering);
    }
  }

  /** Never throws. */
  async #end(plan: Plan, directory: string, ends: readonly (() => Promise<void>)[]): Promise<void> {
    try {
      for (const end of ends) await end();
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      this.#failures.push({ plan, error });
    }
  }
}

function told({ plan, error: whole }: Failure): string {
  // A watcher may have seen it, too.
  const error = whole instanceof Error && "suppressed" in whole ? whole.suppressed : whole;
  const what = error instanceof Broken ? error.message : "an error out of the soak itself";
  return `${what}\nagain: npm run soak -- --seed ${plan.seed} --round ${plan.round}\n${JSON.stringify(plan)}\n${inspect(error)}`;
}

/** What the process has when nothing goes on: bytes that are held, all its bytes, and descriptors. */
async function belongings() {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  // Only Linux tells.
  const files = await readdir("/proc/self/fd").catch(() => []);
  return { held: heapUsed + external, resident: rss, files: files.length };
}

it(
  `transfers hold what they promise, seed ${SEED}`,
  async () => {
    const soak = new Soak();
    const began = Date.now();
    const memories: Awaited<ReturnType<typeof belongings>>[] = [];
    for (let phase = 1; phase <= PHASES; phase += 1) {
      await soak.until(began + (SECONDS * 1000 * phase) / PHASES);
      memories.push(await belongings());
    }
    const seconds = (Date.now() - began) / 1000;
    const per = (soak.rounds / seconds).toFixed(1);
    process.stdout.write(
      `seed ${SEED}: ${soak.rounds} rounds, ${soak.transfers} transfers in ${seconds.toFixed(0)} s (${per} rounds a second); ` +
        `held ${memories.map(({ held }) => Math.round(held / MIB)).join(" ")} MiB, ` +
        `resident ${memories.map(({ resident }) => Math.round(resident / MIB)).join(" ")} MiB, ` +
        `${memories.map(({ files }) => files).join(" ")} descriptors\n`,
    );
    const [first, second] = memories;
    const last = memories.at(-1);
    if (first === undefined || second === undefined || last === undefined) throw new Error("memory was not looked at");
    expect(last.held).toBeLessThan(Math.max(first.held, second.held) + HELD);
    expect(last.resident).toBeLessThan(Math.max(first.resident, second.resident) + RESIDENT);
    expect(last.files).toBeLessThan(Math.max(first.files, second.files) + DESCRIPTORS);
    expect(stray).toEqual([]);
  },
  SECONDS * 1000 + 300_000,
);
