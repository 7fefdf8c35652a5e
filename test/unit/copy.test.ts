/** A copy from every kind of endpoint to every kind that takes images. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
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
