/** Parts of an image that come through several connections, from scripted answers: order, bounds, and the end of each. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import type { BodyPart } from "../../src/registry/registry.ts";
import { boundedParallel, ParallelParts } from "../../src/transfer/parallel.ts";

describe("parts of a scripted image", () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251));

  /** What one answer is: how long its chunks are, after how many bytes it breaks, when it comes. */
  const script = fc.record({
    chunk: fc.integer({ min: 1, max: 900 }),
    cut: fc.option(fc.nat(900)),
    late: fc.boolean(),
  });

  it("are handed over in order, whatever breaks, and never more are open than there may be", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(script, { maxLength: 30 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 300, max: 2000 }),
        async (scripts, connections, partSize) => {
          const open = new Set<Readable>();
          let most = 0;
          let turn = 0;
          const scripted = async (start: number, end: number): Promise<BodyPart> => {
            const { chunk, cut, late } = scripts[turn++] ?? { chunk: 1000, cut: null, late: false };
            if (late) await new Promise((done) => setImmediate(done));
            const body = Readable.from(chunks(start, end, chunk, cut ?? Number.POSITIVE_INFINITY));
            open.add(body);
            body.once("close", () => open.delete(body));
            most = Math.max(most, open.size);
            return { start, total: bytes.length, body };
          };
          const signal = new AbortController().signal;
          const options = { name: "image", size: bytes.length, parallel: { connections, partSize }, signal };
          const got: Buffer[] = [];
          const offset = () => got.reduce((sum, { length }) => sum + length, 0);
          {
            await using window = new ParallelParts({ ...options, open: scripted });
            while (offset() < bytes.length) {
              try {
                for await (const chunk of window.from(offset())) got.push(chunk);
              } catch (error) {
                expect(error).toMatchObject({ code: "NETWORK" });
              }
            }
          }
          expect(Buffer.concat(got).equals(bytes)).toBe(true);
          expect(most).toBeLessThanOrEqual(connections);
          expect(open.size).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  async function* chunks(start: number, end: number, length: number, cut: number): AsyncGenerator<Buffer> {
    for (let at = start; at < Math.min(end, start + cut); at += length) {
      yield bytes.subarray(at, Math.min(at + length, end, start + cut));
      await new Promise((done) => setImmediate(done));
    }
    if (start + cut < end) throw new SregistryError("NETWORK", "cut");
  }

  it("are never more in memory than the connections' parts, however slow the first of them is", async () => {
    const parallel = { connections: 3, partSize: 500 };
    let go: () => void = () => {};
    const slow = new Promise<void>((resolve) => {
      go = resolve;
    });
    let brought = 0;
    let handed = 0;
    async function* body(start: number, end: number): AsyncGenerator<Buffer> {
      for (let at = start; at < end; at += 100) {
        if (at === 100) await slow;
        brought += 100;
        yield bytes.subarray(at, at + 100);
      }
    }
    const open = async (start: number, end: number): Promise<BodyPart> => {
      const content = Readable.from(body(start, end), { highWaterMark: 1 });
      return { start, total: bytes.length, body: content };
    };
    const signal = new AbortController().signal;
    await using window = new ParallelParts({ name: "image", size: bytes.length, parallel, signal, open });
    let ahead = 0;
    const got: Buffer[] = [];
    for await (const chunk of window.from(0)) {
      got.push(chunk);
      if (handed === 0) {
        while (brought < 100 + 2 * 500) await new Promise((done) => setImmediate(done));
        for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
        expect(brought).toBe(100 + 2 * 500);
        go();
      }
      ahead = Math.max(ahead, brought - handed);
      handed += chunk.length;
    }
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
    expect(ahead).toBeLessThanOrEqual(3 * 500);
  });

  it("closes an answer that comes after the end was called", async () => {
    let answer: (part: BodyPart) => void = () => {};
    const late = new Promise<BodyPart>((resolve) => {
      answer = resolve;
    });
    const first = { start: 0, total: bytes.length, body: Readable.from([bytes.subarray(0, 10)]) };
    const window = new ParallelParts({
      name: "image",
      size: bytes.length,
      parallel: { connections: 2, partSize: 1000 },
      signal: new AbortController().signal,
      open: (start) => (start === 0 ? Promise.resolve(first) : late),
    });
    for await (const _chunk of window.from(0)) break;
    const body = Readable.from([bytes.subarray(1000, 2000)]);
    const closed = window[Symbol.asyncDispose]();
    answer({ start: 1000, total: bytes.length, body });
    await closed;
    expect(body.destroyed).toBe(true);
  });

  it.each([
    [
      { connections: 3, partSize: 5_242_880 },
      { connections: 3, partSize: 5_242_880 },
    ],
    [
      { connections: 1000, partSize: 5_242_880 },
      { connections: 32, partSize: 1_048_576 },
    ],
    [
      { connections: 4, partSize: 10 ** 12 },
      { connections: 4, partSize: 8 * 1024 * 1024 },
    ],
    [
      { connections: 4, partSize: 1 },
      { connections: 4, partSize: 65_536 },
    ],
  ])("are as many and as large as memory bears: %j", (wished, bounded) => {
    expect(boundedParallel(wished)).toEqual(bounded);
  });
});
