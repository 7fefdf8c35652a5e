/** What a network and a server can do to a download: through the real registry client, server and sockets. */
import { readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Registry } from "../../src/registry/registry.ts";
import { readJournal } from "../../src/transfer/journal.ts";
import { ownPath, partialPath } from "../../src/transfer/partial.ts";
import { formatPart } from "../../src/units.ts";
import { BLOB, callThatTells, type DownloadSite, downloadSite } from "../support/download.ts";
import {
  cutResponse,
  forgedRange,
  ignoreRange,
  reply,
  slow,
  stall,
  tooMany,
  wrongByte,
  wrongLength,
} from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

let site: DownloadSite;
beforeEach(async () => {
  site = await downloadSite();
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
});

/** Nothing but the image, complete. */
async function expectImage(): Promise<void> {
  expect(await site.files()).toEqual(["image.sif"]);
  expect((await site.content()).equals(site.bytes)).toBe(true);
}

async function expectNothing(): Promise<void> {
  expect(await site.files()).toEqual([]);
}

const tail = (start: number) => `bytes=${start}-${site.bytes.length - 1}`;

it("downloads in one request", async () => {
  const result = await site.pull();
  expect(result).toEqual({
    path: site.target,
    digest: site.image.digest,
    size: site.bytes.length,
    transferred: site.bytes.length,
    outcome: "downloaded",
  });
  expect(site.ranges()).toEqual([undefined]);
  expect(site.story).toEqual(["state: verifying", "task: done"]);
  await expectImage();
});

describe("connections that break", () => {
  it.each([1, 1000, 65_536, 1_048_575, 1_048_577, 3_145_744])("goes on after a cut at byte %d", async (after) => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after, how: "fin" }));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    expect(site.ranges()).toEqual([undefined, tail(after)]);
    await expectImage();
  });

  it("goes on after many resets, fetching no byte twice", async () => {
    site.faults.on({ ...BLOB, times: 12 }, cutResponse({ after: 200_000, how: "rst" }));
    expect(await site.pull()).toMatchObject({ transferred: site.bytes.length });
    expect(site.ranges().length).toBe(13);
    await expectImage();
  });

  it("goes on after a stall", async () => {
    site.faults.on({ ...BLOB, times: 1 }, stall({ after: 500_000 }));
    expect(await site.pull()).toMatchObject({ transferred: site.bytes.length });
    expect(site.ranges()).toEqual([undefined, tail(500_000)]);
    await expectImage();
  });

  it("goes on after a server that never answers", async () => {
    site.faults.on({ ...BLOB, times: 1 }, stall());
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    await expectImage();
  });

  it("gives up when no byte moves, and keeps what is there", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 1_500_000 }));
    site.faults.on(BLOB, cutResponse({ after: 0 }));
    expect(await failureOf(site.pull())).toMatchObject({ code: "NETWORK" });
    expect(site.story).toEqual([
      `info: image.sif: ${formatPart(1500000, site.bytes.length)} are kept; the same command goes on from there`,
      "task: fail",
    ]);
    expect(await site.kept()).toEqual({ bytes: 1_500_000, rest: [tail(1_500_000)] });
    site.faults.clear();
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - 1_500_000 });
    expect(site.ranges()).toEqual([tail(1_500_000)]);
    await expectImage();
  });
});

describe("statuses", () => {
  it("tries again after 503", async () => {
    site.faults.on({ ...BLOB, times: 2 }, reply(503));
    await site.pull();
    expect(site.ranges().length).toBe(3);
    await expectImage();
  });

  it("tries again when Retry-After says so", async () => {
    site.faults.on({ ...BLOB, times: 1 }, tooMany(1));
    await site.pull();
    expect(site.ranges().length).toBe(2);
    await expectImage();
  });

  it("gives up at once when Retry-After is beyond the limit, and keeps what is there", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 4321 }));
    site.faults.on(BLOB, tooMany(1000));
    expect(await failureOf(site.pull())).toMatchObject({
      code: "RATE_LIMITED",
      message: expect.stringContaining("it asks to be left alone for 1000 s, until "),
    });
    expect(site.ranges().length).toBe(2);
    expect(await site.kept()).toEqual({ bytes: 4321, rest: [tail(4321)] });
  });

  it("goes on after a cut and a 503 in one", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 77 }));
    site.faults.on({ ...BLOB, times: 1 }, reply(503));
    await site.pull();
    expect(site.ranges()).toEqual([undefined, tail(77), tail(77)]);
    await expectImage();
  });

  it("does not try a 403 again", async () => {
    site.faults.on(BLOB, reply(403));
    expect(await failureOf(site.pull())).toMatchObject({ code: "FORBIDDEN" });
    expect(site.ranges().length).toBe(1);
    await expectNothing();
  });
});

describe("servers that say or send something else", () => {
  it("refuses another Content-Length before a byte is written", async () => {
    site.faults.on(BLOB, wrongLength(5));
    expect(await failureOf(site.pull())).toMatchObject({
      code: "INTEGRITY",
      message: `oras://${site.faults.host}/lab/image:1 should have ${site.bytes.length} bytes, and ${site.faults.host} announces ${site.bytes.length + 5}`,
    });
    expect(site.ranges().length).toBe(1);
    await expectNothing();
  });

  it("refuses an endpoint whose size is another than it promised, and keeps what it has", async () => {
    await interruptedAt(900_000);
    const registry: Registry = {
      ...site.registry,
      read: async (...words) => ({ ...(await site.registry.read(...words)), total: 5 }),
    };
    expect(await failureOf(site.pull({ registry }))).toEqual({
      code: "INTEGRITY",
      message: `oras://${site.faults.host}/lab/image:1 should have ${site.bytes.length} bytes, and registry ${site.faults.host} announced 5`,
      hint: undefined,
    });
    expect(await site.kept()).toEqual({ bytes: 900_000, rest: [tail(900_000)] });
  });

  it("keeps what it has when a login page answers the resume", async () => {
    await interruptedAt(900_000);
    site.faults.on({ ...BLOB, times: 1 }, reply(200, { body: "<html>please log in</html>" }));
    expect(await failureOf(site.pull())).toMatchObject({ code: "INTEGRITY" });
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - 900_000 });
    await expectImage();
  });

  it("passes over what is here already where Range is ignored", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 1_200_000 }));
    site.faults.on(BLOB, ignoreRange);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length + 1_200_000 });
    await expectImage();
  });

  it("is not kept busy for ever by a server that ignores Range and never gets to the end", async () => {
    site.faults.on(BLOB, ({ response, cut }) => {
      response.writeHead(200, { "content-length": String(site.bytes.length) });
      response.write(site.bytes.subarray(0, 100_000), () => setTimeout(() => cut("fin"), 5));
    });
    expect(await failureOf(site.pull())).toMatchObject({ code: "NETWORK" });
    expect(site.ranges().length).toBe(5);
  });

  it("refuses a forged 206, and writes none of it", async () => {
    await interruptedAt(1000);
    site.faults.on(BLOB, forgedRange(`bytes 0-${site.bytes.length - 1}/${site.bytes.length}`));
    expect(await failureOf(site.pull())).toEqual({
      code: "REPLY_INVALID",
      message: `${site.faults.host} was asked for bytes 1000-${site.bytes.length - 1} of oras://${site.faults.host}/lab/image:1 and sent bytes 0-${site.bytes.length - 1}/${site.bytes.length}`,
      hint: undefined,
    });
    expect(await site.kept()).toEqual({ bytes: 1000, rest: [tail(1000)] });
  });

  it("refuses more bytes than there are", async () => {
    site.faults.on(BLOB, ({ response }) => {
      response.writeHead(200);
      response.end(Buffer.concat([site.bytes, Buffer.from("!")]));
    });
    expect(await failureOf(site.pull())).toEqual({
      code: "INTEGRITY",
      message: `oras://${site.faults.host}/lab/image:1 should have ${site.bytes.length} bytes, and registry ${site.faults.host} sent more`,
      hint: "nothing was kept; if it happens again, the registry's copy is damaged",
    });
    await expectNothing();
  });

  it("goes on after fewer bytes than there are, though the answer ends cleanly", async () => {
    site.faults.on({ ...BLOB, times: 1 }, ({ response }) => {
      response.writeHead(200);
      response.end(site.bytes.subarray(0, 12_345));
    });
    await site.pull();
    expect(site.ranges()).toEqual([undefined, tail(12_345)]);
    await expectImage();
  });

  it("takes one wrong byte for what it is", async () => {
    site.faults.on(BLOB, wrongByte(2_000_000));
    expect(await failureOf(site.pull())).toEqual({
      code: "INTEGRITY",
      message: expect.stringMatching(
        new RegExp(
          `^oras://${site.faults.host}/lab/image:1 should have digest ${site.image.digest}, and its bytes have sha256:[0-9a-f]{64}$`,
        ),
      ),
      hint: "nothing was kept; if it happens again, the registry's copy is damaged",
    });
    expect(site.ranges().length).toBe(1);
    await expectNothing();
  });

  it("begins once more when a wrong byte came before the resume", async () => {
    await interruptedAt(2_000_000);
    const base = partialPath(site.target, site.image.digest);
    const path = ownPath(base, (await readJournal(base))?.id ?? "");
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    await writeFile(path, bytes);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(site.story).toContain("warn: image.sif: the digest is wrong after a resume; once more from the start");
    expect(site.ranges()).toEqual([tail(2_000_000), undefined]);
    await expectImage();
  });

  it("begins no third time", async () => {
    await interruptedAt(2_000_000);
    site.faults.on(BLOB, wrongByte(100));
    expect(await failureOf(site.pull())).toMatchObject({ code: "INTEGRITY" });
    expect(site.ranges()).toEqual([tail(2_000_000), undefined]);
    await expectNothing();
  });
});

describe("being stopped", () => {
  it("keeps the partial, says so, and goes on from it", async () => {
    const kept = await interruptedAt(700_000);
    expect(kept).toEqual([
      `info: image.sif: ${formatPart(700000, site.bytes.length)} are kept; the same command goes on from there`,
      "task: fail",
    ]);
    expect(await site.kept()).toEqual({ bytes: 700_000, rest: [tail(700_000)] });
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - 700_000 });
    expect(site.story).toEqual(["state: resuming at 683.6 KiB", "state: verifying", "task: done"]);
    await expectImage();
  });

  it("ends the wait for another process's download", async () => {
    site.faults.on(BLOB, slow(site.bytes.length));
    const first = site.pull();
    await requested();
    const stop = new AbortController();
    const waits = failureOf(site.pull({ call: callThatTells([], stop.signal) }));
    stop.abort();
    await first;
    expect(await waits).toMatchObject({ code: "INTERRUPTED" });
    await expectImage();
  });
});

describe("several at once", () => {
  it("downloads one target once", async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => site.pull()));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual([
      "downloaded",
      "present",
      "present",
      "present",
      "present",
    ]);
    expect(site.ranges().length).toBe(1);
    await expectImage();
  });

  it("lets the next one finish what the first could not", async () => {
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 1_000_000 }));
    site.faults.on({ ...BLOB, times: 1 }, reply(403));
    const first = failureOf(site.pull());
    await requested();
    expect(await site.pull()).toMatchObject({ outcome: "resumed" });
    expect(await first).toMatchObject({ code: "FORBIDDEN" });
    expect(site.ranges()).toEqual([undefined, tail(1_000_000), tail(1_000_000)]);
    await expectImage();
  });
});

describe("images of unknown size or digest", () => {
  it("takes the size from the answer, and begins again after a cut", async () => {
    const unsized = { ...site.image, size: undefined };
    const registry = { ...site.registry, read: () => site.registry.read(site.image, { start: 0 }, callThatTells([])) };
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 50_000 }));
    expect(await site.pull({ image: unsized, registry })).toMatchObject({
      size: site.bytes.length,
      transferred: site.bytes.length + 50_000,
    });
    await expectImage();
  });

  it("never goes on from an earlier process's bytes without a digest, nor leaves any", async () => {
    const promised = { ...site.image, digest: undefined };
    const registry = {
      ...site.registry,
      read: (_image: unknown, range: { start: number }) => site.registry.read(site.image, range, callThatTells([])),
    };
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 50_000 }));
    site.faults.on({ ...BLOB, times: 1 }, reply(403));
    expect(await failureOf(site.pull({ image: promised, registry }))).toMatchObject({ code: "FORBIDDEN" });
    await expectNothing();
    expect(await site.pull({ image: promised, registry })).toMatchObject({
      outcome: "downloaded",
      digest: site.image.digest,
    });
    await expectImage();
  });
});

/** A pull that is stopped when exactly `after` bytes have arrived; what it told. */
async function interruptedAt(after: number, bend = stall({ after })): Promise<readonly string[]> {
  const stop = new AbortController();
  const story: string[] = [];
  let arrived = 0;
  const call = callThatTells(story, stop.signal);
  const watched = {
    ...call,
    progress: {
      start: (label: string, total?: number) => ({
        ...call.progress.start(label, total),
        at(offset: number) {
          arrived = offset;
          if (arrived >= after) stop.abort();
        },
      }),
    },
  };
  site.faults.clear();
  site.faults.on({ ...BLOB, times: 1 }, bend);
  expect(await failureOf(site.pull({ call: watched }))).toMatchObject({ code: "INTERRUPTED" });
  site.faults.clear();
  return story;
}

async function requested(): Promise<void> {
  while (site.faults.count(BLOB) === 0) await new Promise((done) => setTimeout(done, 5));
}
