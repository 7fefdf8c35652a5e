/** The workflows in front of actionlint: syntax, expressions, contexts, and what an action takes. */
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readPage } from "../support/page.ts";
import { missingPeers, peer } from "../support/peers.ts";

const WORKFLOWS = resolve(import.meta.dirname, "../../.github/workflows");

describe.skipIf(missingPeers("actionlint").length > 0)("the workflows", () => {
  it.each(readdirSync(WORKFLOWS))("%s has nothing that actionlint finds", async (name) => {
    expect(await peer("actionlint", "-no-color", join(WORKFLOWS, name))).toBe("");
  });

  it("of docs/recipes/github-actions.md neither", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sregistry-workflow-"));
    const file = join(folder, "image.yml");
    await writeFile(file, readPage("recipes/github-actions.md").file(".github/workflows/image.yml"));
    expect(await peer("actionlint", "-no-color", file)).toBe("");
    await rm(folder, { recursive: true });
  });
});
