/** docs/recipes/mirror.md and reproducible.md: their scripts and files, as written. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bash, layProgram, shellEnv } from "../support/desk.ts";
import { readPage } from "../support/page.ts";
import { FIXTURES, finished, type Run, type Served, User } from "../support/program.ts";
import { type Site, startSite } from "../support/site.ts";

const TINY = join(FIXTURES, "tiny.sif");
const SIGNED = join(FIXTURES, "tiny_signed.sif");

/** The registry's machine. */
let owner: User;
let served: Served;
let site: Site;
let user: User;

beforeEach(async () => {
  owner = await User.create();
  for (const [file, name] of [
    [TINY, "lab/tool:1.0"],
    [SIGNED, "lab/other:2.1"],
  ] as const)
    expect(await owner.run(["push", file, name])).toMatchObject({ status: 0 });
  served = await owner.serve(["--allow-host", "registry.example.org"]);
  site = await startSite({ "registry.example.org": served.url });
  user = await User.create();
  await layProgram(user);
});
afterEach(async () => {
  await user[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await served.stop();
  await owner[Symbol.asyncDispose]();
});

const page = { mirror: readPage("recipes/mirror.md"), reproducible: readPage("recipes/reproducible.md") };

async function save(from: keyof typeof page, ...names: readonly string[]): Promise<void> {
  for (const name of names) await writeFile(user.path(name), page[from].file(name), { mode: 0o755 });
}

async function ok(running: Promise<Run>): Promise<string> {
  const { status, stdout, stderr } = await running;
  expect(status, stderr).toBe(0);
  return stdout;
}

describe("the mirror", () => {
  const [pack = "", unpack = "", copyOn = "", use = ""] = page.mirror.scripts;
  const mirror = () => bash(user, "./mirror.sh | cut -f1,2", { env: site.env });

  it("collects what is new, and says of each tag what became of it", async () => {
    await save("mirror", "repositories.txt", "mirror.sh");
    expect(await ok(mirror())).toBe("1.0\tcopied\n2.1\tcopied\n");
    await ok(owner.run(["tag", "lab/tool:1.0", "1"]));
    await ok(owner.run(["push", TINY, "lab/other:2.1"]));
    const blobs = () => site.requests.filter((request) => request.includes("/blobs/")).length;
    const before = blobs();
    expect(await ok(mirror())).toBe("1\tcopied\n1.0\tsame\n2.1\tupdated\n");
    expect(await ok(mirror())).toBe("1\tsame\n1.0\tsame\n2.1\tsame\n");
    // All bytes were there, if in another repository.
    expect(blobs()).toBe(before);
  });

  it("ends with the status of what failed, and copies the rest", async () => {
    await save("mirror", "mirror.sh");
    await writeFile(user.path("repositories.txt"), "lab/nothing\nlab/tool\n");
    expect(await mirror()).toMatchObject({ status: 3, stdout: "1.0\tcopied\n" });
  });

  it("is carried over, checked, served and copied on, with every digest as it was", async () => {
    await save("mirror", "repositories.txt", "mirror.sh");
    await ok(mirror());
    await ok(bash(user, pack));
    await using inside = await User.create();
    await layProgram(inside);
    await copyFile(user.path("registry.tar"), inside.path("registry.tar"));
    await writeFile(inside.path("serve.sh"), page.mirror.file("serve.sh"), { mode: 0o755 });
    expect(await ok(bash(inside, unpack))).toBe("local://lab/other:2.1\nlocal://lab/tool:1.0\n");

    await using registry = await User.create();
    const target = await registry.serve(["--allow-host", "mirror.example.org"]);
    await using network = await startSite({ "mirror.example.org": target.url });
    const digest = (line: string) => line.split("@")[1];
    const copied = await ok(bash(inside, copyOn, { env: network.env }));
    const outside = await owner.run(["inspect", "lab/tool:1.0", "--format", "x@{{.manifest}}\n"]);
    expect(copied.trim().split("\n").map(digest)).toContain(digest(outside.stdout.trim()));
    expect(await ok(bash(inside, use, { env: network.env }))).toBe(`${inside.path("lab-tool-1.0.sif")}\n`);
    expect(await readFile(inside.path("lab-tool-1.0.sif"))).toEqual(await readFile(TINY));
    await target.stop();
  });

  it("is served from the directory itself", async () => {
    await save("mirror", "repositories.txt", "mirror.sh", "serve.sh");
    await ok(mirror());
    const serving = spawn(user.path("serve.sh"), { env: shellEnv(user, { LISTEN: "127.0.0.1:0" }) });
    const ended = finished(serving);
    const [line] = await once(serving.stdout, "data");
    const url = `${line}`.trim();
    const words = ["--registry", url, "-q", "pull", "-o", "served.sif", "lab/tool:1.0"];
    await ok(user.run(words));
    expect(await readFile(user.path("served.sif"))).toEqual(await readFile(TINY));
    serving.kill("SIGTERM");
    await ended;
  });

  it("that was damaged on the way is exit 6, and is not changed by the check", async () => {
    await save("mirror", "repositories.txt", "mirror.sh");
    await ok(mirror());
    const blobs = user.path("registry", "lab", "tool", "blobs", "sha256");
    const names = await readdir(blobs);
    await appendFile(join(blobs, names[0] ?? ""), "x");
    await ok(bash(user, pack));
    expect(await bash(user, unpack)).toMatchObject({ status: 6 });
    expect((await readdir(blobs)).sort()).toEqual(names.sort());
  });
});

describe("pinned images", () => {
  const [lock = "", get = "", verify = "", sums = "", offline = ""] = page.reproducible.scripts;

  it("are written down, fetched, verified, and there without a connection", async () => {
    await save("reproducible", "images.txt");
    await ok(bash(user, lock, { env: site.env }));
    const pins = (await readFile(user.path("images.lock"), "utf8")).trim().split("\n");
    expect(pins).toEqual([
      expect.stringMatching(/^oras:\/\/registry\.example\.org\/lab\/tool@sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/^oras:\/\/registry\.example\.org\/lab\/other@sha256:[0-9a-f]{64}$/),
    ]);
    // The tags move; the pins do not.
    await ok(owner.run(["push", SIGNED, "lab/tool:1.0"]));
    const files = pins.map((pin) => pin.replace(/.*\/(\w+)@sha256:(.{12}).*/, "images/$1_sha256.$2.sif"));
    const paths = files.map((file) => `${user.path(file)}\n`).join("");
    expect(await ok(bash(user, get, { env: site.env }))).toBe(paths);
    expect(await readFile(user.path(files[0] ?? ""))).toEqual(await readFile(TINY));
    expect(await ok(bash(user, verify, { env: site.env }))).toBe(paths);
    expect(await ok(bash(user, sums))).toBe("");
    const fetched = await ok(bash(user, offline, { env: site.env }));
    expect(fetched.split("\n").slice(0, 2)).toEqual(fetched.split("\n").slice(2, 4));
    await appendFile(user.path(files[0] ?? ""), "x");
    expect(await bash(user, verify, { env: site.env })).toMatchObject({ status: 5 });
  });
});
