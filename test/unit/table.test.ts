/** Tables on a terminal: measured by its cells, no wider than it is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dateCell, digestCell, sizeCell } from "../../src/terminal/cells.ts";
import { alignedTable, type Column, tabSeparatedLine } from "../../src/terminal/table.ts";
import { cutEnd, cutMiddle, displayWidth } from "../../src/terminal/width.ts";
import { formatDate } from "../../src/units.ts";

describe("the width of a text", () => {
  it.each([
    ["", 0],
    ["avocado:1.0", 11],
    ["Größe", 5],
    ["e\u0301", 1],
    ["データ", 6],
    ["ﾃﾞｰﾀ", 4],
    ["한국어", 6],
    ["\u1112\u1161\u11ab", 2],
    ["🥑", 2],
    ["👩‍🔬", 2],
    ["🇩🇪", 2],
    ["❤️", 2],
    ["❤", 1],
    ["a\u200bb", 2],
  ])("of %j is %d cells", (text, cells) => expect(displayWidth(text)).toBe(cells));

  it("never grows beyond what a cut leaves", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 3, max: 40 }), (text, width) => {
        for (const cut of [cutEnd, cutMiddle]) {
          expect(displayWidth(cut(text, width))).toBeLessThanOrEqual(width);
          if (displayWidth(text) <= width) expect(cut(text, width)).toBe(text);
        }
      }),
    );
  });

  it("is cut at the end, or in the middle where both ends tell", () => {
    expect(cutEnd("a value with spaces", 8)).toBe("a value…");
    expect(cutEnd("a value with spaces", 9)).toBe("a value…");
    expect(cutMiddle("dinosaur/avocado:delicious", 15)).toBe("dinosau…licious");
    expect(cutMiddle("データベース:1.0", 10)).toBe("デー…:1.0");
  });
});

const COLUMNS: readonly Column[] = [
  { title: "NAME", cut: "middle", least: 20 },
  { title: "SIZE", align: "right", drop: 1 },
  { title: "CREATED", drop: 2 },
];
const ROWS = [
  ["lab/tool:1", sizeCell(512), dateCell("2026-11-01T10:00:00Z", Date.UTC(2026, 10, 21))],
  ["genomics/a-pipeline-with-a-long-name:2026.11", sizeCell(40960), "-"],
];

describe("a table", () => {
  it.each([
    [
      80,
      `NAME                                              SIZE  CREATED
lab/tool:1                                       512 B  2026-11-01
genomics/a-pipeline-with-a-long-name:2026.11  40.0 KiB  -
`,
    ],
    [
      50,
      `NAME                              SIZE  CREATED
lab/tool:1                       512 B  2026-11-01
genomics/a-pip…-name:2026.11  40.0 KiB  -
`,
    ],
    [
      36,
      `NAME                            SIZE
lab/tool:1                     512 B
genomics/a-pi…name:2026.11  40.0 KiB
`,
    ],
    [20, "NAME\nlab/tool:1\ngenomics/a…e:2026.11\n"],
    [12, "NAME\nlab/tool:1\ngenomi…26.11\n"],
  ])("fits %d columns", (room, text) => expect(alignedTable(COLUMNS, ROWS, { room })).toBe(text));

  it("is as wide as it takes where there is no terminal", () => {
    expect(alignedTable(COLUMNS, ROWS)).toBe(alignedTable(COLUMNS, ROWS, { room: 80 }));
  });

  it("aligns what is wide on a screen", () => {
    expect(
      alignedTable(
        ["A", "B"],
        [
          ["データ", "1"],
          ["x🥑", "2"],
        ],
      ),
    ).toBe("A       B\nデータ  1\nx🥑     2\n");
  });

  it("leaves out a column that says nothing, where it may go", () => {
    expect(alignedTable(["NAME", { title: "ARCH", drop: 1 }, "NOTE"], [["a", "", ""]])).toBe("NAME  NOTE\na\n");
  });

  it("is never wider than the terminal, whatever is in it, down to what its columns keep", () => {
    const row = fc.tuple(fc.string({ unit: "grapheme" }), fc.nat(), fc.string({ maxLength: 10 }));
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 8, max: 120 }), (rows, room) => {
        const cells = rows.map(([name, size, date]) => [name, sizeCell(size), date]);
        for (const line of alignedTable(COLUMNS, cells, { room }).split("\n")) {
          expect(displayWidth(line)).toBeLessThanOrEqual(room);
        }
      }),
    );
  });

  it("is exact for scripts", () => {
    const digest = digestCell(`sha256:${"0123456789ab".padEnd(64, "c")}`);
    expect(digest).toMatchObject({ shown: "0123456789ab" });
    expect(tabSeparatedLine([sizeCell(40960), dateCell("2026-11-01T10:00:00Z", 0), digest, sizeCell(null)])).toBe(
      `40960\t2026-11-01T10:00:00Z\tsha256:${"0123456789ab".padEnd(64, "c")}\t-\n`,
    );
  });
});

describe("a date for people", () => {
  const now = Date.UTC(2026, 10, 21, 12);
  it.each([
    ["2026-11-21T11:59:30Z", "just now"],
    ["2026-11-21T12:00:30Z", "just now"],
    ["2026-11-21T11:59:00Z", "1 minute ago"],
    ["2026-11-21T09:30:00Z", "2 hours ago"],
    ["2026-11-20T12:00:00Z", "1 day ago"],
    ["2026-11-07T12:00:01Z", "13 days ago"],
    ["2026-11-07T12:00:00Z", "2026-11-07"],
    ["2026-11-22T12:00:00Z", "2026-11-22"],
    ["2020-02-29T23:30:00-01:00", "2020-03-01"],
    ["yesterday", "yesterday"],
  ])("%s is %s", (time, text) => expect(formatDate(time, now)).toBe(text));
});
