/** docs/scripting.md: every script, as written, prints what the page says. */
import { spawnSync } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bash, layProgram } from "../support/desk.ts";
import { readPage } from "../support/page.ts";
import { FIXTURES, User } from "../support/program.ts";

const PAGE = readPage("scripting.md");
const EXAMPLES = [...PAGE.text.matchAll(/^```sh\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/gm)].map(
  ([, script = "", prints = ""]) => ({ first: script.split("\n")[0], script, prints }),
);

/** jq is no part of a newcomer's machine. */
const hasJq = spawnSync("jq", ["--version"]).status === 0;

let user: User;

beforeAll(async () => {
  user = await User.create();
  await layProgram(user);
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("tool.sif"));
});
afterAll(async () => {
  await user[Symbol.asyncDispose]();
});

it("tells of every script what it prints", () => {
  expect(EXAMPLES.map(({ script }) => script)).toEqual(PAGE.scripts);
});

it.for(EXAMPLES)("$first", async ({ script, prints }, { skip }) => {
  skip(!hasJq && /\bjq\b/.test(script), "there is no jq");
  const { status, stdout, stderr } = await bash(user, script);
  expect(status, stderr).toBe(0);
  expect(stdout).toBe(prints);
});
