/** A user at a shell: `sregistry` on the PATH, scripts run by bash as they are written. */
import { spawn } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { finished, PROGRAM, type Run, type RunOptions, type User } from "./program.ts";

/** Puts the program, and the node that runs these tests, into `bin` of the user's home. */
export async function layProgram(user: User): Promise<void> {
  await mkdir(user.path("bin"));
  await symlink(PROGRAM, user.path("bin", "sregistry"));
  await symlink(process.execPath, user.path("bin", "node"));
}

/** The environment of a shell of the user. */
export function shellEnv(user: User, env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: `${user.path("bin")}:${process.env["PATH"]}`, HOME: user.home, LC_ALL: "C", ...env };
}

/** Runs a script; it ends where a command fails, also in a pipe. */
export function bash(user: User, script: string, { env, input, cwd }: RunOptions = {}): Promise<Run> {
  const words = ["--noprofile", "--norc", "-eo", "pipefail", "-c", script];
  return finished(spawn("bash", words, { cwd: cwd ?? user.home, env: shellEnv(user, env) }), input);
}
