/** A copy from every kind of endpoint to every kind that takes images. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Call } from "../../src/call.ts";
import { createClient } from "../../src/client/client.ts";
import { ahead, eachOf } from "../../src/client/copy-together.ts";
import { callWith, copying, placed, sha256 } from "../support/copying.ts";
import { ENDPOINTS } from "../support/endpoints.ts";
import { FIXTURES } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const OTHER = join(FIXTURES, "tiny_signed.sif");
const DESTINATIONS = ENDPOINTS.filter(({ lacks = [] }) => !lacks.includes("push"));
const WAYS = ENDPOINTS.flatMap((source) => DESTINATIONS.map((destination) => ({ source, destination })));

describe.each(WAYS)("$source.title -> $destination.title", ({ source, destination }) => {
  it("copies an image byte for byte, then has nothing to do, then moves the tag", async () => {
    await using way = await copying(source, destination);
    await way.push(TINY, "tiny", "1.0");
    const bytes = await readFile(TINY);

    const first = await way.copy("tiny:1.0", "lab/tiny:1.0");
    expect(first).toMatchObject({ outcome: "copied", references: [`${way.to.prefix}lab/tiny:1.0`] });
    expect(await way.bytes("lab/tiny:1.0")).toEqual(bytes);
    const { digest, manifest } = await way.resolve("lab/tiny:1.0");
    expect(digest).toBe(sha256(bytes));
    expect(first.pinned).toContain((manifest ?? digest ?? "none").replace("sha256:", ""));

    const again = await way.copy("tiny:1.0", "lab/tiny:1.0");
    // Shub promises no digest for an image, so nothing tells beforehand that it is the same.
    if (
      (await way.from.registry.resolve(placed(`${way.from.prefix}from/tiny:1.0`), {}, callWith())).digest !== undefined
    ) {
      expect(again).toEqual({ ...first, outcome: "same", transferred: 0 });
    }

    await way.push(OTHER, "tiny", "1.0");
    expect(await way.copy("tiny:1.0", "lab/tiny:1.0")).toMatchObject({ outcome: "updated" });
    expect(await way.bytes("lab/tiny:1.0")).toEqual(await readFile(OTHER));
  });
});

describe("the programming interface", () => {
  it("copies one image, and a repository", async () => {
    const home = await mkdtemp(join(tmpdir(), "sregistry-copy-"));
    await using client = await createClient({ cwd: home, env: { HOME: home } });
    await client.push(TINY, "local://lab/tool:1", { tags: ["1", "2"] });
    const pinned = expect.stringMatching(/^local:\/\/lab\/other@sha256:[0-9a-f]{64}$/);
    expect(await client.copy("local://lab/tool:1", "local://lab/other", { tags: ["3"] })).toEqual({
      source: "local://lab/tool:1",
      references: ["local://lab/other:3"],
      pinned,
      outcome: "copied",
      // The store links what it has.
      transferred: 0,
    });
    const entries = [];
    for await (const { tag, failed } of client.copyAll("local://lab/tool", "local://lab/other")) {
      entries.push([tag, failed]);
    }
    expect(entries).toEqual([
      ["1", undefined],
      ["2", undefined],
    ]);
    await expect(client.copy("local://lab/tool:9", "local://lab/other")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await rm(home, { recursive: true, force: true });
  });
});

describe("work ahead", () => {
  it("gives what a list gave before it broke off, each with its own failure", async () => {
    async function* items() {
      yield* [1, 2, 3];
      throw new Error("the list broke off");
    }
    const seen: unknown[] = [];
    const work = async (item: number) => {
      if (item === 2) throw new Error("two");
      return item * 10;
    };
    const all = (async () => {
      for await (const { item, result } of ahead(items(), 5, work)) {
        seen.push([item, await result.catch((error: Error) => error.message)]);
      }
    })();
    await expect(all).rejects.toThrow("the list broke off");
    expect(seen).toEqual([
      [1, 10],
      [2, "two"],
      [3, 30],
    ]);
  });

  it("stops the others when one fails, and tells that failure", async () => {
    const call = callWith();
    const stopped: number[] = [];
    const work = async (item: number, { signal }: Call) => {
      if (item === 1) throw new Error("one");
      await new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
      stopped.push(item);
      throw new Error("stopped");
    };
    await expect(eachOf([0, 1, 2, 3], 3, call, work)).rejects.toThrow("one");
    expect(stopped.sort()).toEqual([0, 2]);
  });
});
