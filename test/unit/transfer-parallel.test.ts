/** An image through several connections at once, by the real registry client, server and sockets. */
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Registry } from "../../src/registry/registry.ts";
import type { Parallel } from "../../src/transfer/lanes.ts";
import { BLOB, callThatTells, type DownloadSite, downloadSite } from "../support/download.ts";
import { cutResponse, ignoreRange, reply, stall, wrongByte, wrongLength } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

const PART = 256 * 1024;
const FOUR: Parallel = { concurrency: 4, partSize: PART };

let site: DownloadSite;
let registry: Registry;
beforeEach(async () => {
  site = await downloadSite();
  registry = { ...site.registry, parallel: FOUR };
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
});

async function expectImage(): Promise<void> {
  expect(await site.files()).toEqual(["image.sif"]);
  expect((await site.content()).equals(site.bytes)).toBe(true);
}

const range = (start: number, end: number) => `bytes=${start}-${Math.min(end, site.bytes.length) - 1}`;

/** Ranges of the parts, in order. */
function parts(): readonly string[] {
  const count = Math.ceil(site.bytes.length / PART);
  return Array.from({ length: count }, (_, index) => range(index * PART, (index + 1) * PART));
}

/** Asked for by these ranges in all. */
function bytesOf(ranges: readonly (string | undefined)[]): number {
  const pairs = ranges.map((text) => /^bytes=(\d+)-(\d+)$/.exec(text ?? ""));
  return pairs.reduce((sum, pair) => sum + Number(pair?.[2]) - Number(pair?.[1]) + 1, 0);
}

/** Requests of the part that begins at byte `start`. */
const part = (start: number) => ({
  ...BLOB,
  when: ({ headers }: { headers: Readonly<Record<string, string>> }) =>
    headers["range"]?.startsWith(`bytes=${start}-`) === true,
});

/** As they were asked; which of those under way came first is left open. */
const asked = () => [...site.ranges()].sort();
const sorted = (...ranges: readonly (string | undefined)[]) => [...ranges].sort();

describe("in parts", () => {
  it("downloads the same bytes, each once", async () => {
    expect(await site.pull({ registry })).toEqual({
      path: site.target,
      digest: site.image.digest,
      size: site.bytes.length,
      transferred: site.bytes.length,
      outcome: "downloaded",
    });
    expect(asked()).toEqual(sorted(...parts()));
    expect(site.ranges()[0]).toBe(range(0, PART));
    await expectImage();
  });

  it.each([1, 2, 7, 32])("downloads the same bytes through %d connections", async (concurrency) => {
    const warnings: string[] = [];
    const warned = ({ name }: Error) => void warnings.push(name);
    process.on("warning", warned);
    await site.pull({ registry, parallel: { concurrency, partSize: 65_537 } });
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    await expectImage();
  });

  it.each([
    ["where it is one part", { concurrency: 4, partSize: 64 * 1024 * 1024 }],
    ["where the user wants one connection", { concurrency: 1, partSize: PART }],
  ])("asks for the whole %s", async (_when, parallel) => {
    await site.pull({ registry, parallel });
    expect(site.ranges()).toEqual([undefined]);
  });

  it("asks for the whole where no digest would tell that parts belong together", async () => {
    const image = { ...site.image, digest: undefined };
    const read: Registry["read"] = (_image, ...rest) => site.registry.read(site.image, ...rest);
    await site.pull({ registry: { ...registry, read }, image });
    expect(site.ranges()).toEqual([undefined]);
  });

  it("asks for as many parts at once as there are connections, and never for more", async () => {
    let active = 0;
    let most = 0;
    let count = 0;
    let go: () => void = () => {};
    const five = new Promise<void>((resolve) => {
      go = resolve;
    });
    site.faults.on(BLOB, async ({ response, forward }) => {
      active += 1;
      count += 1;
      most = Math.max(most, active);
      response.once("finish", () => {
        active -= 1;
      });
      // The four after the first are held until all of them are there.
      if (count === 5) go();
      if (count > 1) await five;
      await forward();
    });
    await site.pull({ registry });
    expect(asked()).toEqual(sorted(...parts()));
    expect(most).toBe(4);
    await expectImage();
  });

  it("tells progress in order, up to the end", async () => {
    const told: number[] = [];
    const call = callThatTells([]);
    const progress = {
      start: (label: string, total?: number) => ({
        ...call.progress.start(label, total),
        at: (offset: number) => void told.push(offset),
      }),
    };
    await site.pull({ registry, call: { ...call, progress } });
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(site.bytes.length);
  });
});

describe("connections that break", () => {
  it("asks only for the rest of a part that was cut, and keeps what the others brought", async () => {
    site.faults.on({ ...part(PART), times: 1 }, cutResponse({ after: 100_000 }));
    expect(await site.pull({ registry })).toMatchObject({ transferred: site.bytes.length });
    expect(asked()).toEqual(sorted(...parts(), range(PART + 100_000, 2 * PART)));
    await expectImage();
  });

  it("asks again for a part that ends early though its answer ends cleanly", async () => {
    const read: Registry["read"] = async (image, { start, end }, call) => {
      if (start !== 2 * PART) return site.registry.read(image, { start, ...(end ? { end } : {}) }, call);
      return { start, total: undefined, body: Readable.from([site.bytes.subarray(start, start + 500)]) };
    };
    await site.pull({ registry: { ...registry, read } });
    expect(asked()).toEqual(sorted(...parts().filter((_, at) => at !== 2), range(2 * PART + 500, 3 * PART)));
    await expectImage();
  });

  it("goes on after many cuts: what moved refills the budget of tries", async () => {
    site.faults.on({ ...BLOB, times: 30 }, cutResponse({ after: 70_000, how: "rst" }));
    await site.pull({ registry });
    await expectImage();
  });

  it("goes on ahead of one that stalls, and comes back to what it left", async () => {
    site.faults.on({ ...part(0), times: 1 }, stall({ after: 1000 }));
    await site.pull({ registry });
    expect(asked()).toEqual(sorted(...parts(), range(1000, PART)));
    await expectImage();
  });

  it("tries again after 503s", async () => {
    site.faults.on({ ...part(3 * PART), times: 3 }, reply(503));
    await site.pull({ registry });
    expect(asked()).toEqual(sorted(...parts(), ...Array.from({ length: 3 }, () => parts()[3])));
    await expectImage();
  });

  it("gives up when no byte of a part moves, and keeps all of the others", async () => {
    site.faults.on(part(2 * PART), cutResponse({ after: 0 }));
    expect(await failureOf(site.pull({ registry }))).toMatchObject({ code: "NETWORK" });
    const kept = await site.kept();
    expect(kept.rest[0]?.startsWith(`bytes=${2 * PART}-`)).toBe(true);
    site.faults.clear();
    expect(await site.pull({ registry })).toMatchObject({
      outcome: "resumed",
      transferred: site.bytes.length - kept.bytes,
    });
    expect(bytesOf(site.ranges())).toBe(site.bytes.length - kept.bytes);
    await expectImage();
  });
});

describe("servers that say or send something else", () => {
  it("asks one connection first: a 403 is answered once", async () => {
    site.faults.on(BLOB, reply(403));
    expect(await failureOf(site.pull({ registry }))).toMatchObject({ code: "FORBIDDEN" });
    expect(site.ranges()).toEqual([range(0, PART)]);
    expect(await site.files()).toEqual([]);
  });

  it("ends with the 403 of one part when every connection got it, and keeps all others", async () => {
    site.faults.on(part(2 * PART), reply(403));
    expect(await failureOf(site.pull({ registry }))).toMatchObject({ code: "FORBIDDEN" });
    const kept = await site.kept();
    expect(kept.bytes).toBeGreaterThanOrEqual(2 * PART);
    expect(kept.rest[0]?.startsWith(`bytes=${2 * PART}-`)).toBe(true);
  });

  it.each([429, 503, 403])("goes on with fewer connections where others are answered with %d", async (status) => {
    let active = 0;
    site.faults.on(BLOB, async (exchange) => {
      active += 1;
      exchange.response.once("close", () => {
        active -= 1;
      });
      await (active > 2 ? reply(status)(exchange) : exchange.forward());
    });
    expect(await site.pull({ registry, retry: { tries: 1 } })).toMatchObject({ transferred: site.bytes.length });
    await expectImage();
  });

  it("takes the whole that a server without ranges answers with, and asks no second time", async () => {
    site.faults.on(BLOB, ignoreRange);
    expect(await site.pull({ registry })).toMatchObject({
      outcome: "downloaded",
      transferred: site.bytes.length,
    });
    expect(site.ranges()).toEqual([range(0, PART)]);
    await expectImage();
  });

  it("passes over what is here when a server has stopped to serve ranges since the interruption", async () => {
    site.faults.on(part(PART), reply(403));
    expect(await failureOf(site.pull({ registry }))).toMatchObject({ code: "FORBIDDEN" });
    const kept = await site.kept();
    site.faults.clear();
    site.faults.on(BLOB, ignoreRange);
    expect(await site.pull({ registry })).toMatchObject({ outcome: "resumed", transferred: site.bytes.length });
    expect(site.ranges()).toEqual([range(PART, 2 * PART)]);
    expect(kept.rest[0]?.startsWith(`bytes=${PART}-`)).toBe(true);
    await expectImage();
  });

  it("goes on through one connection when the whole is cut", async () => {
    site.faults.on(BLOB, ignoreRange);
    const read: Registry["read"] = async (...words) => {
      const answer = await site.registry.read(...words);
      if (site.ranges().length > 1) return answer;
      answer.body.destroy();
      return { ...answer, body: Readable.from([site.bytes.subarray(0, 400_000)]) };
    };
    expect(await site.pull({ registry: { ...registry, read } })).toMatchObject({
      transferred: 400_000 + site.bytes.length,
    });
    expect(site.ranges()).toEqual([range(0, PART), range(400_000, site.bytes.length)]);
    await expectImage();
  });

  it("takes everything where an endpoint does not tell the whole from a range", async () => {
    site.faults.on(BLOB, ignoreRange);
    const read: Registry["read"] = async (...words) => {
      const { start, total, body } = await site.registry.read(...words);
      return { start, total, body };
    };
    await site.pull({ registry: { ...registry, read } });
    expect(site.ranges().length).toBeLessThanOrEqual(5);
    await expectImage();
  });

  it("goes on with one connection where Range is ignored from some part on", async () => {
    site.faults.on(part(3 * PART), ignoreRange);
    await site.pull({ registry });
    await expectImage();
  });

  it("refuses a part of another length, and keeps what is right", async () => {
    site.faults.on(part(PART), wrongLength(5));
    expect(await failureOf(site.pull({ registry }))).toMatchObject({
      code: "INTEGRITY",
      message: `bytes ${PART}-${2 * PART - 1} of oras://${site.faults.host}/lab/image:1 should have ${PART} bytes, and ${site.faults.host} announces ${PART + 5}`,
    });
    const kept = await site.kept();
    expect(kept.bytes).toBeGreaterThanOrEqual(PART);
    expect(kept.rest[0]?.startsWith(`bytes=${PART}-`)).toBe(true);
  });

  it("refuses a part of an image of another size", async () => {
    const read: Registry["read"] = async (...words) => ({ ...(await site.registry.read(...words)), total: 5 });
    expect(await failureOf(site.pull({ registry: { ...registry, read } }))).toMatchObject({
      code: "INTEGRITY",
      message: expect.stringContaining("announced 5"),
    });
    expect(await site.files()).toEqual([]);
  });

  it("fetches the whole once more through one connection when the parts make none", async () => {
    site.faults.on({ ...part(2 * PART), times: 1 }, wrongByte(100));
    expect(await site.pull({ registry })).toMatchObject({ transferred: 2 * site.bytes.length });
    expect(site.story).toContain(
      "warn: image.sif: the digest is wrong after a transfer in parts; once more from the start",
    );
    expect(asked()).toEqual(sorted(...parts(), undefined));
    await expectImage();
  });
});

describe("being stopped", () => {
  it("keeps what is there, ends every request, and asks for the gaps alone", async () => {
    const stop = new AbortController();
    const call = callThatTells([], stop.signal);
    const at = (offset: number) => void (offset > PART && stop.abort());
    const progress = { start: (label: string) => ({ ...call.progress.start(label), at }) };
    const bodies: Readable[] = [];
    const read: Registry["read"] = async (...words) => {
      const answer = await site.registry.read(...words);
      bodies.push(answer.body);
      return answer;
    };
    const stopped = site.pull({ registry: { ...registry, read }, call: { ...call, progress } });
    expect(await failureOf(stopped)).toMatchObject({ code: "INTERRUPTED" });
    expect(bodies.length).toBeGreaterThan(1);
    expect(bodies.filter(({ destroyed }) => !destroyed)).toEqual([]);
    const kept = await site.kept();
    expect(kept.bytes).toBeGreaterThan(PART);
    site.faults.clear();
    expect(await site.pull({ registry })).toMatchObject({
      outcome: "resumed",
      transferred: site.bytes.length - kept.bytes,
    });
    expect(bytesOf(site.ranges())).toBe(site.bytes.length - kept.bytes);
    await expectImage();
  });
});
