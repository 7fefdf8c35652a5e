/** docs/recipes/snakemake.md and nextflow.md: their workflows, as written, by the real Snakemake and the real Nextflow. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bash, layProgram } from "../support/desk.ts";
import { BLOB, madeImage } from "../support/download.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { readPage } from "../support/page.ts";
import { findPeer, missingPeers } from "../support/peers.ts";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";
import { type Site, startSite } from "../support/site.ts";

const PAGES = { snakemake: readPage("recipes/snakemake.md"), nextflow: readPage("recipes/nextflow.md") };

/** Writes down which image it was given, and runs the command without it: there is no Singularity here. */
const singularity = (used: string) => `#!/bin/bash
while [[ $1 != *.sif ]]; do shift; done
sha256sum < "$1" | cut -d' ' -f1 >> '${used}'
shift
exec "$@"
`;

let user: User;
let served: Served;
let faults: Faults;
let site: Site;
let hex: string;

beforeEach(async () => {
  user = await User.create();
  await layProgram(user);
  await writeFile(user.path("bin", "singularity"), singularity(user.path("used")), { mode: 0o755 });
  const image = madeImage(1024 * 1024);
  hex = createHash("sha256").update(image).digest("hex");
  await writeFile(user.path("made.sif"), image);
  expect(await user.run(["-q", "push", "made.sif", "local://lab/tool:1.0"])).toMatchObject({ status: 0 });
  served = await user.serve(["--allow-host", "registry.example.org"]);
  faults = await startFaults({ upstream: new URL(served.url) });
  site = await startSite({ "registry.example.org": faults.url.href });
  await mkdir(user.path("words"));
  for (const [name, words] of ["one", "one two", "one two three"].entries())
    await writeFile(user.path("words", `${name}.txt`), `${words}\n`);
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
  await faults.close();
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const downloads = () =>
  faults.requests.filter(({ method, path }) => method === "GET" && path.endsWith(`/blobs/sha256:${hex}`));
const used = async () => (await readFile(user.path("used"), "utf8")).trim().split("\n");

async function ok(running: Promise<Run>): Promise<string> {
  const { status, stdout, stderr } = await running;
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

describe.skipIf(missingPeers("snakemake").length > 0)("Snakemake", () => {
  let asked: number;
  const [pin = "", run = "", ahead = ""] = PAGES.snakemake.scripts;
  const script = (text: string, env = {}) => bash(user, text, { env: { ...site.env, ...env } });

  beforeEach(async () => {
    await symlink(findPeer("snakemake") ?? "", user.path("bin", "snakemake"));
    await writeFile(user.path("Snakefile"), PAGES.snakemake.file("Snakefile"));
    await ok(script(pin));
    // The image's header and metadata were read for that.
    asked = downloads().length;
  });

  it("counts by one download for three jobs, and again only when the pin has changed", async () => {
    await ok(script(run));
    const counts = ["0", "1", "2"].map((name) => readFile(user.path("counts", `${name}.txt`), "utf8"));
    expect(await Promise.all(counts)).toEqual(["1\n", "2\n", "3\n"]);
    expect(await used()).toEqual([hex, hex, hex]);
    expect(downloads()).toHaveLength(asked + 1);
    await ok(script(run));
    expect(await used()).toHaveLength(3);
    await ok(user.run(["push", join(FIXTURES, "tiny.sif"), "local://lab/tool:2.0"]));
    await ok(script(pin.replace("tool:1.0", "tool:2.0")));
    await ok(script(run));
    expect(await used()).toHaveLength(6);
  });

  it("fetches ahead for nodes without internet", async () => {
    await ok(script(ahead));
    const all = faults.requests.length;
    await ok(script(run, { SREGISTRY_OFFLINE: "1" }));
    expect(await used()).toEqual([hex, hex, hex]);
    expect(faults.requests).toHaveLength(all);
  });
});

describe.skipIf(missingPeers("nextflow", "java").length > 0)("Nextflow", () => {
  const [run = "", fetch = ""] = PAGES.nextflow.scripts;
  // It asks nobody for plug-ins and newer versions.
  const offline = { NXF_OFFLINE: "true", NXF_ANSI_LOG: "false", NXF_DISABLE_CHECK_LATEST: "true" };
  const script = (text: string) => bash(user, text, { env: { ...site.env, ...offline } });

  beforeEach(async () => {
    const jars = dirname(findPeer("nextflow") ?? "");
    const launcher = `#!/bin/sh\nexec java -cp '${jars}/*' nextflow.cli.Launcher "$@"\n`;
    await writeFile(user.path("bin", "nextflow"), launcher, { mode: 0o755 });
    for (const name of ["nextflow.config", "main.nf", "fetch.nf"])
      await writeFile(user.path(name), PAGES.nextflow.file(name));
  });

  const counts = (stdout: string) => stdout.match(/^\d$/gm)?.sort();

  it("runs every task in the image that was fetched before", async () => {
    expect(counts(await ok(script(run)))).toEqual(["1", "2", "3"]);
    expect(await used()).toEqual([hex, hex, hex]);
    expect(downloads()).toHaveLength(1);
  });

  it("tries again where the registry was busy, and downloads once", async () => {
    faults.on(BLOB, reply(503));
    const running = script(fetch);
    while (!(await exitCodes()).includes("75")) await sleep(100);
    faults.clear();
    const before = downloads().length;
    expect(counts(await ok(running))).toEqual(["1", "2", "3"]);
    expect(downloads().length).toBe(before + 1);
    expect(await used()).toEqual([hex, hex, hex]);
  });

  async function exitCodes(): Promise<readonly string[]> {
    const names = await readdir(user.path("work"), { recursive: true }).catch(() => []);
    const files = names.filter((name) => name.endsWith(".exitcode"));
    return Promise.all(files.map((name) => readFile(user.path("work", name), "utf8")));
  }
});
