/** docs/recipes/slurm.md: its batch scripts, submitted to a real Slurm as they are written. */
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bash, layProgram, shellEnv } from "../support/desk.ts";
import { BLOB, madeImage } from "../support/download.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { readPage } from "../support/page.ts";
import { missingPeers } from "../support/peers.ts";
import { type Served, User } from "../support/program.ts";
import { type Site, startSite } from "../support/site.ts";
import { type Cluster, noClusterHere, startCluster } from "../support/slurm.ts";

const MIB = 1024 * 1024;
const PAGE = readPage("recipes/slurm.md");

function left(): boolean {
  if (missingPeers("slurmctld", "slurmd", "munged", "srun", "sbcast").length > 0) return true;
  const reason = noClusterHere();
  if (reason !== undefined) console.warn(`interop tests with Slurm are left out: ${reason}`);
  return reason !== undefined;
}

/** Says where it ran, which bytes the image is, and what was asked of it: there is no Singularity here. */
const SINGULARITY = `#!/bin/sh
shift
echo "ran on $SLURMD_NODENAME: $(sha256sum < "$1" | cut -d' ' -f1) $*"
`;

describe.skipIf(left())("the batch scripts", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(24);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  let user: User;
  let served: Served;
  let faults: Faults;
  let site: Site;
  let env: Record<string, string>;
  let hex: string;

  beforeEach(async () => {
    user = await User.create();
    await layProgram(user);
    await writeFile(user.path("bin", "singularity"), SINGULARITY);
    await chmod(user.path("bin", "singularity"), 0o755);
    const image = madeImage(8 * MIB);
    hex = createHash("sha256").update(image).digest("hex");
    await writeFile(user.path("made.sif"), image);
    expect(await user.run(["-q", "push", "made.sif", "local://lab/tool:1.0"])).toMatchObject({ status: 0 });
    served = await user.serve(["--allow-host", "registry.example.org"]);
    faults = await startFaults({ upstream: new URL(served.url) });
    site = await startSite({ "registry.example.org": faults.url.href });
    await mkdir(user.path("scratch"));
    const places = { SCRATCH: user.path("scratch"), LOCAL_SCRATCH: cluster.local };
    env = shellEnv(user, { ...site.env, ...places });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
    await faults.close();
    await served.stop();
    await user[Symbol.asyncDispose]();
  });

  async function submit(name: string): Promise<string> {
    await writeFile(user.path(name), PAGE.file(name));
    return cluster.submitFile(user.path(name), env);
  }

  /** All that a job and its tasks wrote. */
  async function written(id: string): Promise<string> {
    const names = (await readdir(user.home)).filter((name) => name.startsWith(`slurm-${id}`)).sort();
    return (await Promise.all(names.map((name) => readFile(user.path(name), "utf8")))).join("");
  }

  /** What the stand-in for Singularity said, the nodes' numbers apart. */
  const runs = (text: string) => text.match(/^ran on n\d: .*$/gm) ?? [];
  const said = (lines: readonly string[]) => lines.map((line) => line.replace(/^ran on n\d: /, "")).sort();
  const downloads = () => faults.requests.filter(({ method, path }) => method === "GET" && BLOB.path.test(path));
  const entry = () => user.path("scratch", "images", "sha256", hex.slice(0, 2), `${hex}.sif`);

  const facts = (id: string) => cluster.slurm("scontrol", "show", "job", "-o", id);
  async function requeued(id: string): Promise<void> {
    while (!/ JobState=PENDING .* Restarts=1 /.test(await facts(id))) await sleep(100);
  }

  /**
   * Slurm lets a job wait for two minutes, until nothing of its first run can be taken for the second. That is too long
   * here, and at once is too early: slurmd still refuses what it has just ended.
   */
  async function beginAgain(id: string): Promise<void> {
    for (;;) {
      const job = await facts(id);
      if (!job.includes(" JobState=PENDING ")) return;
      if (Date.parse(/ EligibleTime=(\S+)/.exec(job)?.[1] ?? "") > Date.now() + 10_000) {
        await cluster.slurm("scontrol", "update", `JobId=${id}`, "StartTime=now+4").catch(() => undefined);
      }
      await sleep(200);
    }
  }

  it("one job: the image is there before the work begins", async () => {
    const id = await submit("job.sbatch");
    await cluster.gone(id);
    const text = await written(id);
    expect(said(runs(text)), text).toEqual(Array.from({ length: 4 }, () => `${hex} ${entry()} tool`));
  });

  it("an array: one download for all its tasks", async () => {
    const id = await submit("array.sbatch");
    await cluster.gone(id);
    const text = await written(id);
    const tasks = ["1", "2", "3", "4", "5", "6"].map((task) => `${hex} ${entry()} tool input-${task}`);
    expect(said(runs(text)), text).toEqual(tasks);
    expect(downloads()).toHaveLength(1);
  });

  it("many nodes: every rank opens its own node's copy", async () => {
    const id = await submit("nodes.sbatch");
    await cluster.gone(id);
    const lines = runs(await written(id));
    const target = `${cluster.local}/tool.sif`;
    expect(said(lines), await written(id)).toEqual(Array.from({ length: 8 }, () => `${hex} ${target} tool`));
    expect(new Set(lines.map((line) => line.slice(0, "ran on n1".length))).size).toBe(4);
    expect(downloads()).toHaveLength(1);
  });

  it("nodes without internet: fetched ahead, and nobody is asked", async () => {
    await writeFile(user.path("images.txt"), PAGE.file("images.txt"));
    const ahead = await bash(user, PAGE.scripts.join(""), { env });
    expect(ahead, ahead.stderr).toMatchObject({ status: 0, stdout: `${entry()}\n` });
    const asked = faults.requests.length;
    const id = await submit("offline.sbatch");
    await cluster.gone(id);
    const text = await written(id);
    expect(said(runs(text)), `${await facts(id)}\n${text}`).toEqual([`${hex} ${entry()} tool`]);
    expect(faults.requests).toHaveLength(asked);
  });

  it("nodes without internet: a forgotten image is exit 3", async () => {
    const id = await submit("offline.sbatch");
    await cluster.gone(id);
    expect(await facts(id)).toContain(" ExitCode=3:0 ");
  });

  it("a busy registry: the job goes back into the queue, and does its work later", async () => {
    faults.on(BLOB, reply(503));
    const id = await submit("requeue.sbatch");
    await requeued(id);
    faults.clear();
    await beginAgain(id);
    await cluster.gone(id);
    const text = await written(id);
    expect(said(runs(text)), `${await facts(id)}\n${text}`).toEqual([`${hex} ${entry()} tool`]);
  });

  it("a time limit: the job goes back into the queue, and goes on where it was", async () => {
    let sent = 0;
    const slowly = () =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sent += chunk.length;
          setTimeout(() => done(null, chunk), (chunk.length / (2 * MIB)) * 1000);
        },
      });
    faults.on(BLOB, (exchange) => exchange.forward({ responseBody: slowly() }));
    await writeFile(user.path("images.txt"), PAGE.file("images.txt"));
    const id = await submit("fetch.sbatch");
    while (sent < 5 * MIB) await sleep(20);
    // As Slurm does it at the time that --signal says.
    await cluster.slurm("scancel", "--batch", "--signal=TERM", id);
    await requeued(id);
    faults.clear();
    await beginAgain(id);
    await cluster.gone(id);
    expect(await written(id), await facts(id)).toContain(`${entry()}\n`);
    expect(downloads().at(-1)?.headers["range"]).toMatch(/^bytes=[1-9]\d{6}-/);
  });
});
