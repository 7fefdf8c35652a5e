/** The workflows in front of actionlint: syntax, expressions, contexts, and what an action takes. */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { missingPeers, peer } from "../support/peers.ts";

const WORKFLOWS = resolve(import.meta.dirname, "../../.github/workflows");

describe.skipIf(missingPeers("actionlint").length > 0)("the workflows", () => {
  it.each(readdirSync(WORKFLOWS))("%s has nothing that actionlint finds", async (name) => {
    expect(await peer("actionlint", "-no-color", join(WORKFLOWS, name))).toBe("");
  });
});
