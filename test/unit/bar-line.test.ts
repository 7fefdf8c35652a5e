/** How a running transfer looks at several widths, and how fast it is said to be, by a clock that is set by hand. */
import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { type BarState, barLine } from "../../src/terminal/bar-line.ts";
import { createOutput } from "../../src/terminal/output.ts";
import { Rate } from "../../src/terminal/rate.ts";
import { Screen } from "../../src/terminal/screen.ts";
import { colourStyle, plainStyle, showsUnicode } from "../../src/terminal/style.ts";
import { displayWidth } from "../../src/terminal/width.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const RUNNING: BarState = {
  name: "dinosaur-avocado-delicious.sif",
  offset: 1.2 * GIB,
  total: 4 * GIB,
  rate: 85.3 * MIB,
  words: "",
  phase: "running",
};
const STATES: readonly BarState[] = [
  RUNNING,
  { ...RUNNING, name: "a.sif", offset: 17 * MIB, total: 200 * MIB, rate: 0 },
  { ...RUNNING, words: "waiting for job 4711 on node n12" },
  { ...RUNNING, words: "verifying", offset: 4 * GIB },
  { ...RUNNING, words: "done in 12s, 85.3 MiB/s", offset: 4 * GIB, phase: "done" },
  { ...RUNNING, words: "stopped", phase: "failed", name: "測定結果の解析-日本語の名前.sif" },
];

function drawn(columns: number, unicode = true, states = STATES): string {
  const longestName = Math.max(...states.map(({ name }) => name.length));
  return states.map((state) => `${barLine(state, { columns, longestName, unicode, style: plainStyle })}\n`).join("");
}

describe("lines of running transfers", () => {
  it("at 80 columns", () => {
    expect(drawn(80)).toMatchInlineSnapshot(`
      "dinosaur-a…cious.sif  ━━━─────────  30%    1.2/4.0 GiB  85.3 MiB/s     34s
      a.sif                 ━───────────   8%   17.0/200 MiB       0 B/s
      dinosaur-a…cious.sif  ━━━─────────  30%  waiting for job 4711 on node n12
      dinosaur-a…cious.sif  ━━━━━━━━━━━─  99%    4.0/4.0 GiB  verifying
      dinosaur-a…cious.sif  ━━━━━━━━━━━━ 100%        4.0 GiB  done in 12s, 85.3 MiB/s
      測定結果の…名前.sif   ━━━─────────  30%    1.2/4.0 GiB  stopped
      "
    `);
  });

  it("at 200 columns, with room for words beside the size", () => {
    expect(drawn(200)).toMatchInlineSnapshot(`
      "dinosaur-avocado-delicious.sif  ━━━━━━━━━━━━────────────────────────────  30%    1.2/4.0 GiB  85.3 MiB/s     34s
      a.sif                           ━━━─────────────────────────────────────   8%   17.0/200 MiB       0 B/s
      dinosaur-avocado-delicious.sif  ━━━━━━━━━━━━────────────────────────────  30%    1.2/4.0 GiB  waiting for job 4711 on node n12
      dinosaur-avocado-delicious.sif  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─  99%    4.0/4.0 GiB  verifying
      dinosaur-avocado-delicious.sif  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 100%        4.0 GiB  done in 12s, 85.3 MiB/s
      測定結果の解析-…本語の名前.sif  ━━━━━━━━━━━━────────────────────────────  30%    1.2/4.0 GiB  stopped
      "
    `);
  });

  it("at 40 columns, without bar and size", () => {
    expect(drawn(40)).toMatchInlineSnapshot(`
      "dinosaur-…ious.sif   30%  85.3 MiB/s
      a.sif                 8%       0 B/s
      dinosaur-…ious.sif   30%  waiting for…
      dinosaur-…ious.sif   99%  verifying
      dinosaur-…ious.sif  100%  done in 12s,…
      測定結果…名前.sif    30%  stopped
      "
    `);
  });

  it("where only ASCII can be shown", () => {
    expect(drawn(80, false)).toMatchInlineSnapshot(`
      "dinosaur-a~cious.sif  [===       ]  30%    1.2/4.0 GiB  85.3 MiB/s     34s
      a.sif                 [          ]   8%   17.0/200 MiB       0 B/s
      dinosaur-a~cious.sif  [===       ]  30%  waiting for job 4711 on node n12
      dinosaur-a~cious.sif  [========= ]  99%    4.0/4.0 GiB  verifying
      dinosaur-a~cious.sif  [==========] 100%        4.0 GiB  done in 12s, 85.3 MiB/s
      測定結果の~名前.sif   [===       ]  30%    1.2/4.0 GiB  stopped
      "
    `);
    expect(drawn(80, false, STATES.slice(0, 5))).toMatch(/^[\n -~]*$/);
  });

  it("never reach the last column, however narrow, with colour or without", async () => {
    const colour = await colourStyle();
    for (let columns = 1; columns < 260; columns += 1) {
      for (const style of [plainStyle, colour]) {
        for (const state of STATES) {
          const line = barLine(state, { columns, longestName: 30, unicode: true, style });
          expect(displayWidth(stripVTControlCharacters(line))).toBeLessThan(columns);
        }
      }
    }
  });

  it("have as long a bar for a short name as for a long one, so that they align", () => {
    const bars = drawn(100)
      .split("\n")
      .map((line) => displayWidth(line.slice(0, Math.max(0, line.search(/[━─]/)))));
    expect(new Set(bars.slice(0, STATES.length)).size).toBe(1);
  });

  it("are full, and at 100 %, only when the end is confirmed", () => {
    const look = { columns: 80, longestName: 5, unicode: true, style: plainStyle };
    const all = { ...RUNNING, name: "a.sif", offset: 4 * GIB };
    expect(barLine(all, look)).toContain("─  99%");
    expect(barLine({ ...all, phase: "done" }, look)).toContain("━ 100%");
  });

  it("have neither percent nor time left where no total is known", () => {
    const look = { columns: 80, longestName: 5, unicode: true, style: plainStyle };
    expect(barLine({ ...RUNNING, name: "blobs", total: undefined, offset: 3 * MIB }, look)).toMatchInlineSnapshot(
      `"blobs     ──────────────────             3.0 MiB  85.3 MiB/s"`,
    );
  });
});

describe("the rate", () => {
  it("is that of the last seconds, not of the whole", () => {
    const rate = new Rate(0);
    for (let at = 0; at <= 60_000; at += 100) rate.at(at, at * 1000);
    expect(rate.perSecond(60_000)).toBe(1_000_000);
    for (let at = 60_100; at <= 70_000; at += 100) rate.at(at, 60_000_000 + (at - 60_000) * 10);
    expect(rate.perSecond(70_000)).toBe(10_000);
  });

  it("does not count what an earlier run left, nor what is fetched twice as one", () => {
    const rate = new Rate(0);
    rate.from(0, 5_000_000);
    rate.at(2_000, 5_002_000);
    expect(rate.perSecond(2_000)).toBe(1_000);
    expect(rate.moved).toBe(2_000);
    rate.at(2_100, 0);
    rate.at(3_100, 500);
    expect(rate.perSecond(3_100)).toBe(500);
    expect(rate.moved).toBe(2_500);
  });

  it("is 0 after some seconds without a byte", () => {
    const rate = new Rate(0);
    rate.at(1_000, 1_000_000);
    expect(rate.perSecond(1_000)).toBe(1_000_000);
    expect(rate.perSecond(5_000)).toBe(200_000);
    expect(rate.perSecond(6_000)).toBe(0);
  });
});

describe("a terminal that has become narrower", () => {
  it("has its lines drawn where the first one begins now", async () => {
    let text = "";
    const stream = Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          text += String(chunk);
          done();
        },
      }),
      { isTTY: true, columns: 80 },
    );
    const screen = new Screen(createOutput(stream));
    screen.write("x".repeat(79));
    screen.newline();
    screen.write("y".repeat(20));
    screen.flush();
    text = "";
    stream.columns = 40;
    screen.cursorRelativeReset();
    screen.flush();
    // The first takes two rows now; the cursor is in the third.
    expect(text).toBe("\r\u001b[2A\u001b[J");
  });
});

it.each([
  [{ LANG: "de_DE.UTF-8" }, true],
  [{ LANG: "C.utf8" }, true],
  [{ LANG: "C" }, false],
  [{}, false],
  [{ LANG: "en_US.UTF-8", LC_ALL: "C" }, false],
  [{ LC_CTYPE: "C.UTF-8", LANG: "C" }, true],
])("the locale %j shows more than ASCII: %s", (env, expected) => expect(showsUnicode(env)).toBe(expected));
