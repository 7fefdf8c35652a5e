import { describe, expect, it } from "vitest";
import { choice, insteadOfPath, insteadOfTag, some } from "../../src/client/suggest-names.ts";
import { enriched, SregistryError } from "../../src/errors.ts";

describe("instead of a tag", () => {
  it.each([
    ["lates", ["1.0", "latest"], ["latest"]],
    ["1.O", ["1.0", "2.0"], ["1.0"]],
    ["1.0", ["1.0.3", "2.0.3"], ["1.0.3"]],
    ["V1.0", ["v1.0", "w1.0"], ["v1.0", "w1.0"]],
    // Another version is no slip of the fingers.
    ["2.0", ["1.0", "1.1", "latest"], []],
    ["20240102", ["20240101"], []],
    ["nightly", ["1.0"], []],
    ["aaaa", ["aaab", "aaac", "aaad", "aaae"], ["aaab", "aaac", "aaad"]],
  ])("%s of %j: %j", (tag, tags, near) => expect(insteadOfTag(tag, tags)).toEqual(near));
});

describe("instead of a path", () => {
  const paths = ["dinosaur/avocado", "dinosaur/tacos", "lab/tool", "org/team/tool"];
  it.each([
    ["dinosuar/avocado", ["dinosaur/avocado"], false, []],
    ["dinosaur/avocadoo", ["dinosaur/avocado"], false, ["avocado", "tacos"]],
    ["dinosaur/zebra", [], false, ["avocado", "tacos"]],
    ["dinosuar", ["dinosaur"], false, []],
    ["dinosaur", ["dinosaur"], true, []],
    ["org/taem", ["org/team"], false, ["team/tool"]],
    ["lab/toll", ["lab/tool"], false, ["tool"]],
    // Two slips of four letters.
    ["lab/loot", [], false, ["tool"]],
    ["nowhere/at-all", [], false, []],
  ])("%s", (path, near, isCollection, beside) => {
    expect(insteadOfPath(path, paths)).toEqual({ near, isCollection, beside });
  });
});

describe("names told", () => {
  it.each([
    [["a"], "a"],
    [["a", "b"], "a or b"],
    [["a", "b", "c"], "a, b or c"],
  ])("%j: %s", (names, words) => expect(choice(names)).toBe(words));

  it("are the last ones as people count, where they are many", () => {
    expect(some(["1.10", "1.9", "latest"])).toBe("1.9, 1.10, latest");
    expect(some(["1.1", "1.2", "1.9", "1.10", "1.11", "1.12", "latest"])).toBe(
      "1.9, 1.10, 1.11, 1.12, latest and 2 more",
    );
  });
});

it("an enriched failure is the same one but for what was added", () => {
  const cause = new Error("below");
  const first = new SregistryError("NOT_FOUND", "not there", { cause, hint: "look", status: 404, retryAfter: 5 });
  const second = enriched(first, { message: "source: not there", missing: { kind: "image", name: "local://a:1" } });
  expect(second).toMatchObject({
    code: "NOT_FOUND",
    exitStatus: 3,
    message: "source: not there",
    hint: "look",
    status: 404,
    retryAfter: 5,
    cause,
    missing: { kind: "image", name: "local://a:1" },
  });
  expect(second.stack).toBe(first.stack?.replace("not there", "source: not there"));
  expect(enriched(second, { hint: "did you mean it?" }).missing).toEqual(second.missing);
});
