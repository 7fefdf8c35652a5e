/** The program in one file: alone in a directory that cannot be written, called by a symlink. */
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "../../scripts/bundle.js";
import { singleFile } from "../../scripts/package/single-file.js";
import { goesOnWithoutKeyring, pushesServesAndPulls } from "../support/forms.ts";
import { User } from "../support/program.ts";

let user: User;
let text: string;

beforeAll(async () => {
  user = await User.create("sregistry");
  text = await singleFile();
  await mkdir(user.path("alone"));
  await writeFile(user.path("alone", "sregistry.mjs"), text, { mode: 0o555 });
  await chmod(user.path("alone"), 0o555);
  await mkdir(user.path("bin"));
  await symlink("../alone/sregistry.mjs", user.path("bin", "sregistry"));
});
afterAll(async () => {
  await chmod(user.path("alone"), 0o755);
  await user[Symbol.asyncDispose]();
});

describe("the single file", () => {
  it("tells its version", async () => {
    expect(await user.run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(await user.run(["version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("pushes, serves and pulls", () => pushesServesAndPulls(user));

  it("goes on without a keyring, and says so in one line", () => goesOnWithoutKeyring(user));

  it("ends with the program's status", async () => {
    expect(await user.run(["nonsense"])).toMatchObject({ status: 2, stdout: "" });
  });

  it("leaves its directory as it was", async () => {
    expect(await readdir(user.path("alone"))).toEqual(["sregistry.mjs"]);
  });

  it("starts without a home", async () => {
    const run = await user.run(["list"], { env: { HOME: "/nonexistent", SREGISTRY_STORE: user.path("store") } });
    expect(run).toMatchObject({ status: 0, stderr: "" });
  });

  it("is refused politely by an older Node", async () => {
    const newer = text.replace('needed = "20.18.1"', 'needed = "99.0.0"');
    await writeFile(user.path("bin", "newer.mjs"), newer, { mode: 0o755 });
    await using other = await User.create(user.path("bin", "newer.mjs"));
    const stderr = `sregistry needs Node 99.0.0 or newer; this is ${process.versions.node}\n`;
    expect(await other.run(["list"])).toEqual({ status: 2, stdout: "", stderr });
  });

  it("can be read by Node 12 as far as that line", async () => {
    const [modern, old] = await Promise.all(["esnext", "node12.20"].map((target) => transform(text, { target })));
    expect(old?.code === modern?.code).toBe(true);
  });

  it("carries the licences of what is in it", () => {
    expect(text).toMatch(/^\/\/ {3}undici [\d.]+: MIT$/m);
    expect(text).toContain("// Copyright Fedor Indutny, 2018.");
  });
});
