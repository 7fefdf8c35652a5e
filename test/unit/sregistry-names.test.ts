/** Names as Singularity Registry Server writes them: one rule for the client of it and for the server that speaks as it does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { normalCollection, uriOf, versionOf } from "../../src/reference/sregistry.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { storedCollection } from "../../src/registry/sregistry/names.ts";
import { imagePath } from "../../src/server/image-path.ts";

describe("a collection", () => {
  it.each([
    ["New_Coll.X", "new-coll-x"],
    ["-lab-", "lab"],
    ["a..b", "a-b"],
    ["Größe", "gr-e"],
    ["_._", ""],
  ])("%s is stored as %j", (name, stored) => {
    expect(normalCollection(name)).toBe(stored);
  });

  it("has one name at both ends: what the client signs is where the server puts it", async () => {
    const store = openStore("/nowhere");
    const name = fc.stringMatching(/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+){0,3}$/);
    await fc.assert(
      fc.asyncProperty(name, async (collection) => {
        expect(await imagePath(store, `${collection}/app`)).toBe(`${storedCollection(collection)}/app`);
        expect(normalCollection(normalCollection(collection))).toBe(normalCollection(collection));
      }),
    );
  });
});

it("an image is written with its tag, and its bytes as a version", () => {
  expect(uriOf({ collection: "lab", name: "app", tag: "1.0" })).toBe("lab/app:1.0");
  expect(versionOf(digestOf("SIF"))).toMatch(/^sha256\.[0-9a-f]{64}$/);
});
