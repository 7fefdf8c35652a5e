/** docs/migrating.md: every command of its tables and every script, as written. */
import { copyFile, cp, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bash, layProgram } from "../support/desk.ts";
import { codeOf, readPage, rowsUnder } from "../support/page.ts";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";
import { type Site, startSite } from "../support/site.ts";

const PAGE = readPage("migrating.md");
const HEADINGS = ["Images at a registry", "Images on this machine", "Settings"];
const ROWS = HEADINGS.flatMap((heading) => rowsUnder(PAGE, heading)).map(([old, now, says = ""]) => ({
  old: codeOf(old),
  now: codeOf(now),
  says,
}));
const TINY = join(FIXTURES, "tiny.sif");

/** The registry's machine. */
let owner: User;
let served: Served;
let site: Site;
/** What every row begins with: files, images and a remote. */
let home: User;

beforeAll(async () => {
  owner = await User.create();
  const token = (await owner.run(["serve", "user", "add", "vanessa"])).stdout;
  await owner.run(["push", TINY, "banana/pudding:milkshake"]);
  served = await owner.serve(["--public-read", "--allow-host", "registry.example.org"]);
  site = await startSite({ "registry.example.org": served.url });
  home = await User.create();
  await layProgram(home);
  for (const name of ["busybox_latest.sif", "tool.sif"]) await copyFile(TINY, home.path(name));
  await writeFile(home.path("token"), token);
  for (const name of ["banana/pudding:milkshake", "dinosaur/avocado:delicious", "dinosaur/tacos:delicious"])
    expect(await home.run(["push", TINY, name])).toMatchObject({ status: 0 });
  const add = ["remote", "add", "--no-login", "DinosaurCloud", "https://registry.example.org"];
  expect(await home.run(add, { env: site.env })).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await served.stop();
  await owner[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

async function atHome(): Promise<User> {
  const user = await User.create();
  await cp(home.home, user.home, { recursive: true, verbatimSymlinks: true });
  return user;
}

async function typed(command: string): Promise<Run> {
  await using user = await atHome();
  // share would write where only a login may.
  const login = {
    SREGISTRY_USERNAME: "vanessa",
    SREGISTRY_PASSWORD: (await readFile(home.path("token"), "utf8")).trim(),
  };
  return await bash(user, command, { env: { ...site.env, ...(command.includes("oras://") ? login : {}) } });
}

describe("a command of the tables", () => {
  it("is there for every command of the old client", () => {
    const verbs =
      "version backend shell images inspect get add mv rename rm search build push share pull labels delete";
    const missing = verbs.split(" ").filter((verb) => !ROWS.some(({ old }) => old.startsWith(`sregistry ${verb}`)));
    expect(missing).toEqual([]);
  });

  it.concurrent.each(ROWS)("$now", async ({ old, now, says }) => {
    const run = await typed(now);
    expect(run.status, run.stderr).toBe(0);
    if (old === now) expect(says).toBe("works");
  });

  it.concurrent.each(ROWS.filter(({ old, now }) => old !== now))("in the old spelling: $old", async ({ old, says }) => {
    const run = await typed(old);
    if (says === "works") expect(run.status, run.stderr).toBe(0);
    else expect(says).toMatch(new RegExp(`^exit ${run.status}\\b`));
    if (says.includes("with a hint")) expect(run.stderr).toMatch(/^hint: (?!sregistry (--help|help))/m);
  });
});

it("help on a verb of the old client names what replaced it", async () => {
  const run = await home.run(["help", "rm"]);
  expect(run).toMatchObject({ status: 2, stdout: "" });
  expect(run.stderr).toContain("\nhint: sregistry delete local://NAME\n");
});

it("variables that are not used any more change nothing and are no error", async () => {
  const rows = rowsUnder(PAGE, "Settings that are still read").filter(([, now = ""]) => now.startsWith("not used"));
  const names = rows.flatMap(([cell = ""]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => `${name}`));
  expect(names.length).toBeGreaterThan(8);
  const env = Object.fromEntries(names.map((name) => [name, "true"]));
  const words = ["pull", "-o", "x.sif", "banana/pudding:milkshake"];
  await using user = await atHome();
  expect(await user.run(["-q", ...words], { env })).toEqual({
    status: 0,
    stdout: `${user.path("x.sif")}\n`,
    stderr: "",
  });
});

describe("a script", () => {
  const [variables = "", remote = "", storage = ""] = PAGE.scripts;

  it("of the old client goes on with its variables, and leaves no token behind", async () => {
    await using user = await atHome();
    const run = await bash(user, variables, { env: site.env });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout.split("\n").slice(1)).toEqual([
      "dinosaur/avocado:delicious",
      user.path("dinosaur-avocado-delicious.sif"),
      "",
    ]);
    expect(await readFile(user.path("dinosaur-avocado-delicious.sif"))).toEqual(await readFile(TINY));
    const token = (await readFile(user.path("token"), "utf8")).trim();
    expect(await bash(user, `grep -rl ${token} .`)).toMatchObject({ status: 0, stdout: "./token\n" });
  });

  it("of ~/.sregistry alone, in both spellings", async () => {
    const token = (await readFile(home.path("token"), "utf8")).trim();
    const base = "https://registry.example.org";
    for (const registry of [
      { base, username: "vanessa", token },
      {
        SREGISTRY_REGISTRY_BASE: base,
        SREGISTRY_REGISTRY_USERNAME: "vanessa",
        SREGISTRY_REGISTRY_TOKEN: token,
      },
    ]) {
      await using user = await User.create();
      await writeFile(user.path(".sregistry"), JSON.stringify({ SREGISTRY_CLIENT: "registry", registry }));
      const words = ["push", TINY, "--name", "dinosaur/brontosaur", "--tag", "old"];
      const run = await user.run(words, { env: site.env });
      expect(run.status, run.stderr).toBe(0);
    }
  });

  it("logs in to the registry and chooses it", async () => {
    await using user = await User.create();
    await layProgram(user);
    await copyFile(home.path("token"), user.path("token"));
    const run = await bash(user, remote, { env: site.env });
    expect(run.status, run.stderr).toBe(0);
    const pulled = await user.run(["-q", "pull", "banana/pudding:milkshake"], { env: site.env });
    expect(pulled).toEqual({ status: 0, stdout: `${user.path("banana-pudding-milkshake.sif")}\n`, stderr: "" });
  });

  it("takes the old storage into the embedded registry, the newest of each tag", async () => {
    await using user = await User.create();
    await layProgram(user);
    const shub = user.path(".singularity", "shub");
    const put = async (path: string, from: string, time: number) => {
      await mkdir(dirname(join(shub, path)), { recursive: true });
      await copyFile(join(FIXTURES, from), join(shub, path));
      await utimes(join(shub, path), time, time);
    };
    await put(`lab/tool/1.0@${"a".repeat(64)}.sif`, "tiny_signed.sif", 2_000_000);
    await put(`lab/tool/1.0@${"b".repeat(64)}.sif`, "tiny.sif", 1_000_000);
    await put(`library/busybox/latest@${"c".repeat(64)}.sif`, "tiny_arm64.sif", 3_000_000);
    const run = await bash(user, storage);
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/\nlocal:\/\/lab\/tool:1\.0\nlocal:\/\/library\/busybox:latest\n$/);
    const got = await user.run(["get", "local://lab/tool:1.0"]);
    expect(await readFile(got.stdout.trim())).toEqual(await readFile(join(FIXTURES, "tiny_signed.sif")));
  });
});
