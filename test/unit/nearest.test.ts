import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { distance, nearest, nearNames } from "../../src/nearest.ts";

/** Few letters, so that words are alike. */
const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });

describe("distance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["pull", "pul", 1],
    ["imgae.sif", "image.sif", 1],
    ["1.O", "1.0", 1],
    // The swapped letters have one between them since.
    ["ca", "abc", 2],
    ["kitten", "sitting", 3],
    ["é", "e", 1],
  ])("%j to %j: %i", (from, to, slips) => expect(distance(from, to)).toBe(slips));

  it("is nothing between a word and itself, and only there", () => {
    fc.assert(fc.property(word, word, (a, b) => (distance(a, b) === 0) === (a === b)));
  });
  it("is the same there and back", () => {
    fc.assert(fc.property(word, word, (a, b) => distance(a, b) === distance(b, a)));
  });
  it("is no longer than by way of a third word", () => {
    fc.assert(fc.property(word, word, word, (a, b, c) => distance(a, c) <= distance(a, b) + distance(b, c)));
  });
  it("is at least the difference in length, and at most the longer word", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const slips = distance(a, b);
        return slips >= Math.abs(a.length - b.length) && slips <= Math.max(a.length, b.length);
      }),
    );
  });
  it("is one for each slip", () => {
    const slip = fc.tuple(word, fc.nat(5), fc.constantFrom("a", "b", "c"));
    fc.assert(
      fc.property(slip, ([text, at, letter]) => {
        const inserted = text.slice(0, at) + letter + text.slice(at);
        const swapped = text.slice(0, at) + (text[at + 1] ?? "") + (text[at] ?? "") + text.slice(at + 2);
        return distance(text, inserted) === 1 && distance(text, swapped) <= 1;
      }),
    );
  });
});

describe("near names", () => {
  it("come nearest first, each once, the earlier first where two are equally near", () => {
    expect(nearNames("tool", ["stool", "toll", "tool", "zebra", "toll"])).toEqual(["tool", "stool", "toll"]);
  });
  it.each([
    ["libary", "library"],
    ["lbirary", "library"],
    ["shrub", "shub"],
    ["ORAS", "oras"],
    ["orsa", "oras"],
    ["ftp", undefined],
    ["", undefined],
    ["x".repeat(100_000), undefined],
  ])("%.20s: %s", (typed, meant) => expect(nearest(typed, ["library", "shub", "oras"])).toBe(meant));
});
