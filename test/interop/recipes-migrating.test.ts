/** docs/migrating.md: what the real Python client stored is taken into the embedded registry, by the page's own scripts. */
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bash, layProgram } from "../support/desk.ts";
import { readPage } from "../support/page.ts";
import { missingPeers, oldClient } from "../support/peers.ts";
import { FIXTURES, User } from "../support/program.ts";

const [byFiles = "", byDatabase = ""] = readPage("migrating.md").scripts.slice(2);
const TINY = join(FIXTURES, "tiny.sif");
const SIGNED = join(FIXTURES, "tiny_signed.sif");

it.skipIf(missingPeers("python-sregistry", "sqlite3").length > 0)(
  "images of the Python client are taken into the embedded registry, by their files and by its database",
  async () => {
    await using user = await User.create();
    await layProgram(user);
    await mkdir(user.path("old-storage"));
    const old = async (...words: readonly string[]) => {
      const run = await oldClient(user.home, { url: "http://127.0.0.1:1", username: "v", token: "t" }, ...words);
      expect(run.status, run.stderr).toBe(0);
    };
    const image = user.path("image.sif");
    for (const [file, name] of [
      [TINY, "lab/tool:1.0"],
      [SIGNED, "lab/tool:1.0"],
      [TINY, "Busybox"],
    ] as const) {
      await copyFile(file, image);
      await old("add", "--copy", image, "--name", name);
    }
    await old("mv", "busybox", user.path("moved.sif"));
    const env = { SREGISTRY_STORAGE: user.path("old-storage"), SREGISTRY_DATABASE: user.home };

    const fromFiles = await bash(user, byFiles, { env: { ...env, SREGISTRY_STORE: user.path("from-files") } });
    expect(fromFiles.status, fromFiles.stderr).toBe(0);
    expect(fromFiles.stdout).toMatch(/\nlocal:\/\/lab\/tool:1\.0\n$/);
    const store = { SREGISTRY_STORE: user.path("from-database") };
    const fromDatabase = await bash(user, byDatabase, { env: { ...env, ...store } });
    expect(fromDatabase.status, fromDatabase.stderr).toBe(0);
    const listed = await user.run(["list"], { env: store });
    expect(listed.stdout).toBe("lab/tool:1.0\nlibrary/busybox:latest\n");
    for (const where of ["from-files", "from-database"]) {
      const words = ["-q", "pull", "-o", `${where}.sif`, "lab/tool:1.0"];
      await user.run(words, { env: { SREGISTRY_STORE: user.path(where) } });
      expect(await readFile(user.path(`${where}.sif`))).toEqual(await readFile(SIGNED));
    }
  },
);
