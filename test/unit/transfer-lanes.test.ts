/** How connections share a download, with answers from a script: no network, no disk, and no clock that counts. */
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import { abortError } from "../../src/http/network-error.ts";
import { createRetryPolicy } from "../../src/http/retry-policy.ts";
import { type Lane, Lanes, type Parallel } from "../../src/transfer/lanes.ts";
import { type Range, Ranges } from "../../src/transfer/ranges.ts";
import { failureOf } from "../support/http.ts";

const KIB = 1024;
const PART = 64 * KIB;
const MIB = 1024 * KIB;

/** What becomes of one request, after `turns` of the event loop. */
interface Answer {
  readonly turns: number;
  /** KiB that come before it breaks; more than there are: it does not break. */
  readonly blocks: number;
  readonly failure: "cut" | 429 | 503 | 403 | "whole" | "stay" | "integrity";
}

const fine: Answer = { turns: 1, blocks: Number.POSITIVE_INFINITY, failure: "cut" };

interface Site {
  /** How often each KiB was put into its place. */
  readonly written: number[];
  readonly done: Ranges;
  readonly asked: Range[];
  /** Requests under way at once, at most. */
  most: number;
  open: Set<Range>;
  overlaps: number;
  run(): Promise<void>;
  readonly stop: AbortController;
}

function site(size: number, parallel: Parallel, answer: (range: Range, at: number) => Answer): Site {
  const stop = new AbortController();
  const it: Site = {
    written: Array.from({ length: size / KIB }, () => 0),
    done: new Ranges(),
    asked: [],
    most: 0,
    open: new Set(),
    overlaps: 0,
    stop,
    run: () =>
      new Lanes({
        name: "the image",
        size,
        parallel,
        signal: stop.signal,
        log: silentLog,
        gaps: (start, end) => it.done.gaps(start, end),
        receive,
        retry: (signal) => createRetryPolicy({ what: "the image", signal, limits: { tries: 3 }, wait: turnUnless }),
      }).run(),
  };

  async function receive(range: Range, lane: Lane): Promise<void> {
    if ([...it.open].some(([start, end]) => start < range[1] && end > range[0])) it.overlaps += 1;
    it.open.add(range);
    it.most = Math.max(it.most, it.open.size);
    try {
      await play(answer(range, it.asked.push(range) - 1), range, lane);
    } finally {
      it.open.delete(range);
    }
  }

  async function play({ turns, blocks, failure }: Answer, [start, end]: Range, lane: Lane): Promise<void> {
    for (let left = turns; left > 0; left -= 1) await turnUnless(0, lane.signal);
    if (typeof failure === "number") throw new SregistryError("NETWORK", `status ${failure}`, { status: failure });
    if (failure === "integrity") throw new SregistryError("INTEGRITY", "another size");
    const whole = failure === "whole";
    if (whole) lane.alone();
    else lane.answered();
    const until = whole ? size : end;
    for (let at = whole ? 0 : start; at < until; at += KIB) {
      if (at - start >= blocks * KIB) {
        if (failure === "stay") await new Promise((_, fail) => hear(lane.signal, fail));
        throw new SregistryError("NETWORK", "cut");
      }
      if (at % (16 * KIB) === 0) await turnUnless(0, lane.signal);
      if (it.done.gaps(at, at + KIB).length === 0) continue;
      it.written[at / KIB] = (it.written[at / KIB] ?? 0) + 1;
      it.done.add(at, at + KIB);
      lane.progressed();
    }
  }
  return it;
}

function hear(signal: AbortSignal, fail: (error: unknown) => void): void {
  if (signal.aborted) fail(abortError(signal));
  else signal.addEventListener("abort", () => fail(abortError(signal)), { once: true });
}

async function turnUnless(_milliseconds: number, signal: AbortSignal): Promise<void> {
  await turn();
  if (signal.aborted) throw abortError(signal);
}

const once = (written: readonly number[]) => written.every((times) => times === 1);
const failing = (...failures: readonly Answer["failure"][]) =>
  fc.record({ turns: fc.nat(6), blocks: fc.nat(100), failure: fc.constantFrom(...failures) });
const parallel = fc.record({ concurrency: fc.integer({ min: 1, max: 6 }), partSize: fc.constant(PART) });
const size = fc.integer({ min: 1, max: 1500 }).map((blocks) => blocks * KIB);

describe("whatever breaks", () => {
  it("every byte comes into its place once, and no connection is one too many", async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        parallel,
        fc.array(failing("cut", 429, 503, 403, "whole"), { maxLength: 20 }),
        async (bytes, words, script) => {
          const there = site(bytes, words, (_range, at) => script[at] ?? fine);
          const failure = await there.run().catch((error: unknown) => error);
          expect(there.open.size).toBe(0);
          expect(there.overlaps).toBe(0);
          expect(there.most).toBeLessThanOrEqual(words.concurrency);
          expect(Math.max(...there.written)).toBeLessThanOrEqual(1);
          if (failure === undefined) expect(once(there.written)).toBe(true);
          else expect(["cut", "status 429", "status 503", "status 403"]).toContain(messageOf(failure));
        },
      ),
      { numRuns: 150 },
    );
  });

  it("cuts that let bytes through never end it", async () => {
    const cuts = fc.record({
      turns: fc.nat(6),
      blocks: fc.integer({ min: 1, max: 60 }),
      failure: fc.constant("cut" as const),
    });
    await fc.assert(
      fc.asyncProperty(size, parallel, fc.array(cuts, { maxLength: 40 }), async (bytes, words, script) => {
        const there = site(bytes, words, (_range, at) => script[at] ?? fine);
        await there.run();
        expect(once(there.written)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("a failure that no retry mends ends all of them, told as it is, and none stays open", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(10), fc.array(failing("cut", "stay"), { maxLength: 10 }), async (at, script) => {
        const there = site(16 * PART, { concurrency: 4, partSize: PART }, (_range, now) =>
          now === at ? { ...fine, failure: "integrity" } : { ...(script[now] ?? fine), blocks: 70 },
        );
        expect(await failureOf(there.run())).toMatchObject({ code: "INTEGRITY", message: "another size" });
        expect(there.open.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe("an extra connection that the server refuses", () => {
  it.each([429, 503, 403] as const)("is done without (%d)", async (status) => {
    const there: Site = site(16 * PART, { concurrency: 4, partSize: PART }, () =>
      there.open.size > 2 ? { ...fine, turns: 0, failure: status } : { ...fine, turns: 5 },
    );
    await there.run();
    expect(once(there.written)).toBe(true);
    expect(there.most).toBe(4);
  });

  it("is not the end of the last one's tries", async () => {
    const there = site(4 * PART, { concurrency: 4, partSize: PART }, (_range, at) =>
      at > 0 && at < 6 ? { ...fine, failure: 503 } : fine,
    );
    await there.run();
    expect(once(there.written)).toBe(true);
  });

  it("is told when every one of them is refused", async () => {
    const there = site(4 * PART, { concurrency: 4, partSize: PART }, (_range, at) =>
      at > 0 ? { ...fine, failure: 403 } : fine,
    );
    expect(await failureOf(there.run())).toMatchObject({ message: "status 403" });
    expect(there.asked.length).toBe(5);
  });
});

describe("a wait for the next try", () => {
  const slow = (waits: AbortSignal[]) => (wait: AbortSignal) =>
    createRetryPolicy({
      what: "the image",
      signal: wait,
      wait: (_milliseconds, signal) => {
        waits.push(signal);
        return new Promise((_, fail) => hear(signal, fail));
      },
    });

  /** Two connections; the second breaks at once and waits. `first` is how the first one ends. */
  async function withOneThatWaits(
    first: (done: Ranges, waits: readonly AbortSignal[]) => Promise<void>,
  ): Promise<void> {
    const waits: AbortSignal[] = [];
    const done = new Ranges();
    await new Lanes({
      name: "the image",
      size: 2 * PART,
      parallel: { concurrency: 2, partSize: PART },
      signal: new AbortController().signal,
      log: silentLog,
      gaps: (start, end) => done.gaps(start, end),
      retry: slow(waits),
      async receive([start, end], lane) {
        lane.answered();
        if (start > 0 && waits.length === 0) throw new SregistryError("NETWORK", "cut");
        await first(done, waits);
        done.add(start, end);
      },
    }).run();
  }

  const untilWaiting = async (waits: readonly AbortSignal[]) => {
    while (waits.length === 0) await turn();
  };

  it("is over when the others have fetched everything", async () => {
    await withOneThatWaits(async (_done, waits) => await untilWaiting(waits));
  });

  it("is over when another one has failed for good", async () => {
    const failed = withOneThatWaits(async (_done, waits) => {
      await untilWaiting(waits);
      throw new SregistryError("INTEGRITY", "another size");
    });
    expect(await failureOf(failed)).toMatchObject({ message: "another size" });
  });
});

it("is stopped, and tells that", async () => {
  const there = site(16 * PART, { concurrency: 4, partSize: PART }, (_range, at) =>
    at < 2 ? fine : { turns: 1, blocks: 5, failure: "stay" },
  );
  const over = failureOf(there.run());
  while (there.open.size < 4) await turn();
  there.stop.abort();
  expect(await over).toMatchObject({ code: "INTERRUPTED", message: "stopped before it was done" });
  expect(there.open.size).toBe(0);
});

describe("how many connections there are, where nobody says", () => {
  it("is one, where it is fast", async () => {
    const asked = await tried(() => Promise.resolve());
    expect(asked).toEqual([
      [0, 16 * MIB],
      [16 * MIB, 100 * MIB],
    ]);
  });

  it("is several, where the first does not get through soon", async () => {
    const asked = await tried(async (all) => {
      while (all.length < 4) await turn();
    });
    expect(asked.slice(0, 4)).toEqual([0, 1, 2, 3].map((at) => [at * 16 * MIB, (at + 1) * 16 * MIB]));
  });

  it("is one, where there is little to fetch", async () => {
    const asked = await tried(() => Promise.resolve(), 20 * MIB);
    expect(asked).toEqual([[0, 20 * MIB]]);
  });

  it("is one, where the server sends everything anyway", async () => {
    const there = site(4 * PART, { concurrency: 4, partSize: PART }, () => ({ ...fine, failure: "whole" }));
    await there.run();
    expect(there.asked).toEqual([[0, PART]]);
    expect(once(there.written)).toBe(true);
  });

  it.each([0, 1])("is one, where the user says %d", async (concurrency) => {
    const there = site(4 * PART, { concurrency }, () => fine);
    await there.run();
    expect(there.asked).toEqual([[0, 4 * PART]]);
  });

  it("is never more than 16", async () => {
    const there = site(40 * PART, { concurrency: 1000, partSize: 1 }, (_range, at) => ({
      ...fine,
      turns: at === 0 ? 0 : 30,
    }));
    await there.run();
    expect(there.most).toBe(16);
  });

  /** Ranges that are asked for; `first` is waited for by the first of them. */
  async function tried(
    first: (asked: readonly Range[]) => Promise<void>,
    bytes = 100 * MIB,
  ): Promise<readonly Range[]> {
    const done = new Ranges();
    const asked: Range[] = [];
    await new Lanes({
      name: "the image",
      size: bytes,
      parallel: {},
      signal: new AbortController().signal,
      log: silentLog,
      gaps: (start, end) => done.gaps(start, end),
      retry: (signal) => createRetryPolicy({ what: "the image", signal }),
      async receive(range, lane) {
        asked.push(range);
        lane.answered();
        await first(asked);
        done.add(...range);
      },
    }).run();
    return asked;
  }
});

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
