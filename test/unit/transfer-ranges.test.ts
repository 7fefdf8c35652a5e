/** Sets of byte ranges, held against a list of bytes. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Range, Ranges } from "../../src/transfer/ranges.ts";

const SIZE = 60;
const range = fc.tuple(fc.nat(SIZE), fc.nat(SIZE));
const ordered = ([one, other]: readonly [number, number]): Range => [Math.min(one, other), Math.max(one, other)];

/** Runs of bytes that are `wanted`, from `start` up to `end`. */
function runs(bytes: readonly boolean[], wanted: boolean, [start, end]: Range = [0, SIZE]): readonly Range[] {
  const found: [number, number][] = [];
  for (let at = start; at < end; at += 1) {
    if (bytes[at] !== wanted) continue;
    const last = found.at(-1);
    if (last?.[1] === at) last[1] = at + 1;
    else found.push([at, at + 1]);
  }
  return found;
}

it("are what a list of bytes says, in whatever order they are added", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), range, (added, asked) => {
      const ranges = new Ranges();
      const bytes = Array.from({ length: SIZE }, () => false);
      for (const [start, end] of added) {
        // A range that ends before it begins has no bytes.
        ranges.add(start, end);
        if (start < end) bytes.fill(true, start, end);
      }
      expect(ranges.toJSON()).toEqual(runs(bytes, true));
      expect(ranges.bytes).toBe(bytes.filter((there) => there).length);
      expect(ranges.prefix).toBe(bytes.includes(false) ? bytes.indexOf(false) : SIZE);
      expect(ranges.gaps(...ordered(asked))).toEqual(runs(bytes, false, ordered(asked)));
      expect(new Ranges(added)).toEqual(ranges);
      expect(new Ranges(ranges.toJSON())).toEqual(ranges);
    }),
  );
});

it("tell what is missing beyond the last", () => {
  expect(new Ranges([[0, 5]]).gaps(0, 9)).toEqual([[5, 9]]);
  expect(new Ranges().gaps(3, 9)).toEqual([[3, 9]]);
  expect(new Ranges([[0, 9]]).gaps(3, 9)).toEqual([]);
});

it("do not change what was made from them", () => {
  const one = new Ranges([[0, 5]]);
  const other = new Ranges(one.toJSON());
  other.add(5, 9);
  expect(one.toJSON()).toEqual([[0, 5]]);
});
