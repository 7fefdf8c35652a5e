/** What every form of the program must do: npm's, the single file, the single executable. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { FIXTURES, type User } from "./program.ts";

/** Large enough for the thread that hashes. */
export async function pushesServesAndPulls(user: User): Promise<void> {
  const image = Buffer.concat([await readFile(join(FIXTURES, "tiny.sif")), randomBytes(9 * 1024 * 1024)]);
  await writeFile(user.path("big.sif"), image);
  expect(await user.run(["push", "-q", "big.sif", "lab/big:1"])).toMatchObject({ status: 0, stderr: "" });
  const served = await user.serve();
  const pulled = await user.run(["pull", "-q", "--no-https", "-o", "out.sif", `oras://${served.host}/lab/big:1`]);
  expect(pulled).toEqual({ status: 0, stdout: `${user.path("out.sif")}\n`, stderr: "" });
  expect(image.equals(await readFile(user.path("out.sif")))).toBe(true);
  expect(await served.stop()).toMatchObject({ status: 0 });
}

/** A native package is not in a single file: a token then goes where it goes without a keyring. */
export async function goesOnWithoutKeyring(user: User): Promise<void> {
  const served = await user.serve();
  const token = (await user.run(["serve", "user", "add", "vanessa"])).stdout;
  await user.run(["remote", "add", "--insecure", "--no-login", "lab", served.host]);
  const login = await user.run(["login", "lab", "--keyring", "--token-stdin"], { input: token });
  expect(login).toMatchObject({ status: 0 });
  expect(login.stderr).toContain("there is no keyring here (this form of the program comes without it): the token");
  expect(await readFile(user.path(".singularity/remote.yaml"), "utf8")).toContain(token.trim());
  await served.stop();
}
