/** A token in the keyring of a desktop: GNOME's, on a D-Bus of its own. */
import { spawn } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers } from "../support/peers.ts";
import { FIXTURES, finished, PROGRAM, type Run, type Served, User } from "../support/program.ts";

let user: User;
let served: Served;
let token: string;

beforeAll(async () => {
  user = await User.create();
  served = await user.serve();
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("tiny.sif"));
  token = (await user.run(["serve", "user", "add", "vanessa"])).stdout.trim();
  const { host } = new URL(served.url);
  const added = await user.run(["remote", "add", "--insecure", "--no-login", "lab", host]);
  expect(added).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
});

/** One session: the keyring is unlocked, and then these lines are run by a shell that stops at the first that fails. */
function session(lines: readonly string[]): Promise<Run> {
  const unlock = "printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
  const script = ["set -e", `sregistry() { "${process.execPath}" "${PROGRAM}" "$@"; }`, unlock, ...lines].join("\n");
  const env = { PATH: process.env["PATH"], HOME: user.home, TOKEN: token };
  return finished(
    spawn("dbus-run-session", ["--", "bash", "-c", script], { cwd: user.home, env, stdio: ["pipe", "pipe", "pipe"] }),
  );
}

describe.skipIf(missingPeers("dbus-run-session", "gnome-keyring-daemon").length > 0)("a keyring on D-Bus", () => {
  it("keeps a token that the next command pushes with, and forgets it at logout", async () => {
    const run = await session([
      'echo "$TOKEN" | sregistry login lab --keyring --token-stdin',
      "grep -c Token: .singularity/remote.yaml || true",
      "sregistry remote use lab",
      "sregistry -v push -U tiny.sif library://vanessa/zoo/tiny:1 2>&1 | grep login",
      "sregistry logout lab",
      "sregistry push -q -U tiny.sif library://vanessa/zoo/tiny:2 || echo refused with $?",
    ]);
    const { host } = new URL(served.url);
    expect(run).toMatchObject({
      status: 0,
      stdout: `0\n${host}: login from the keyring\nrefused with 4\n`,
    });
    expect(run.stderr).toContain("Token stored in the keyring\n");
    expect(run.stdout + run.stderr).not.toContain(token);
  });
});
