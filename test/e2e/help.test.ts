/** Help as the built program prints it, and what it tells a newcomer to type. */
import { execFile } from "node:child_process";
import { chmod, copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FIXTURES, PROGRAM, User } from "../support/program.ts";

let user: User;
beforeAll(async () => {
  user = await User.create();
});
afterAll(async () => {
  await user[Symbol.asyncDispose]();
});

it("is the same however it is asked for, in a pipe without colour, with nothing on stderr", async () => {
  const [alone, ...others] = await Promise.all(
    [[], ["help"], ["--help"], ["-h"], ["help", "help"], ["-q", "help"]].map((words) => user.run(words)),
  );
  expect(alone).toMatchObject({ status: 0, stderr: "" });
  expect(alone?.stdout).toMatch(/^One client for every place .*\n.*\n\nFirst steps:\n {2}sregistry push image\.sif /);
  expect(alone?.stdout).not.toContain("\u001b");
  for (const other of others) expect(other).toEqual(alone);
});

it("has first steps that work when they are pasted", async () => {
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("image.sif"));
  await writeFile(user.path("sregistry"), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
  await chmod(user.path("sregistry"), 0o755);
  const { stdout } = await user.run([]);
  const steps = [...stdout.matchAll(/^ {2}(sregistry .*?) {2}/gm)].map(([, command]) => command);
  expect(steps.length).toBe(3);
  const env = { HOME: user.home, PATH: `${user.home}:${process.env["PATH"] ?? ""}` };
  const run = await promisify(execFile)("sh", ["-euc", steps.join("\n")], { cwd: user.home, env });
  expect(run.stdout.replace(/sha256:[0-9a-f]{64}/, "DIGEST")).toBe(
    `local://lab/tool@DIGEST\nlab/tool:1.0\n${user.path("lab-tool-1.0.sif")}\n`,
  );
});

it("before --help, a verb that there is not is no question for all of it", async () => {
  expect(await user.run(["lst", "--help"])).toEqual({
    status: 2,
    stdout: "",
    stderr: 'error: there is no help on "lst": it is no verb and no topic\nhint: did you mean sregistry help list?\n',
  });
});
