/** Batch jobs on a real Slurm: one download for all ranks, an image on every node's own disk, and jobs that are cancelled. */
import { createHash } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BLOB, madeImage } from "../support/download.ts";
import { type Faults, startFaults } from "../support/faults.ts";
import { missingPeers } from "../support/peers.ts";
import { PROGRAM, type Served, User } from "../support/program.ts";
import { type Cluster, NODES, noClusterHere, startCluster } from "../support/slurm.ts";

const MIB = 1024 * 1024;
const DISK = 24;

function left(): boolean {
  if (missingPeers("slurmctld", "slurmd", "munged", "srun", "sbcast").length > 0) return true;
  const reason = noClusterHere();
  if (reason !== undefined) console.warn(`interop tests with Slurm are left out: ${reason}`);
  return reason !== undefined;
}

describe.skipIf(left())("in jobs of Slurm", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(DISK);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  let user: User;
  let served: Served;
  let faults: Faults;
  let image: Buffer;
  let hex: string;
  let reference: string;
  let env: Record<string, string>;
  const sregistry = `'${process.execPath}' '${PROGRAM}'`;

  beforeEach(async () => {
    user = await User.create();
    image = madeImage(8 * MIB);
    hex = createHash("sha256").update(image).digest("hex");
    await writeFile(user.path("made.sif"), image);
    expect(await user.run(["-q", "push", "made.sif", "local://lab/image:1"])).toMatchObject({ status: 0 });
    served = await user.serve();
    faults = await startFaults({ upstream: new URL(served.url) });
    reference = `oras://${faults.host}/lab/image:1`;
    env = { HOME: user.home, SREGISTRY_CACHEDIR: user.path("cache") };
  });
  afterEach(async () => {
    await faults.close();
    await served.stop();
    await user[Symbol.asyncDispose]();
  });

  const entry = () => user.path("cache", "sha256", hex.slice(0, 2), `${hex}.sif`);

  /** Bytes of images that left the registry; at most so many a second. */
  function countBytes(perSecond = Number.POSITIVE_INFINITY): { bytes: number } {
    const count = { bytes: 0 };
    const counting = () =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          count.bytes += chunk.length;
          setTimeout(() => done(null, chunk), (chunk.length / perSecond) * 1000);
        },
      });
    faults.on(BLOB, (exchange) => exchange.forward({ responseBody: counting() }));
    return count;
  }

  const ranges = () =>
    faults.requests.filter(({ path }) => BLOB.path.test(path)).map(({ headers }) => headers["range"]);

  /** What each node says to a command of the shell. */
  const everywhere = (command: string, nodes = 8) =>
    `srun --overlap -N${nodes} -n${nodes} --ntasks-per-node=1 sh -c 'echo $SLURMD_NODENAME $(${command})' | sort`;

  it("32 ranks on 8 nodes cause one download, and the first tells of it", async () => {
    const sent = countBytes();
    const job = await cluster.submit(["-N8", "-n32"], `srun -l ${sregistry} get ${reference}`, env);
    expect(await job.ended(), await job.stderr()).toBe("0");
    const paths = (await job.stdout()).trim().split("\n");
    expect(paths.map((line) => line.replace(/^ *\d+: /, ""))).toEqual(Array.from({ length: 32 }, () => entry()));
    expect(sent.bytes).toBe(image.length);
    const tellers = (await job.stderr())
      .trim()
      .split("\n")
      .map((line) => line.split(":", 1)[0]?.trim());
    // The first may have come last, and have nothing to tell.
    expect(tellers.filter((rank) => rank !== "0" && rank !== "")).toEqual([]);
  });

  it("bcast puts an image on every node's own disk, sends nothing twice, and leaves nothing else there", async () => {
    const sent = countBytes();
    const target = `${cluster.local}/image.sif`;
    const script = [
      `${sregistry} -q bcast ${reference} ${target}`,
      everywhere(`cd ${cluster.local} && sha256sum < image.sif && stat -c %a image.sif && ls -A`),
      `${sregistry} --progress none bcast ${reference} ${cluster.local}/image.sif 2>&1`,
      // One node has lost it.
      `srun --overlap -N1 -n1 -w n5 rm ${target}`,
      `${sregistry} --json bcast ${reference} ${target} | grep outcome`,
      everywhere(`sha256sum < ${target}`),
    ];
    const job = await cluster.submit(["-N8", "-n32"], `umask 022; ${script.join("\n")}`, env);
    expect(await job.ended(), await job.stderr()).toBe("0");
    expect((await job.stdout()).trim().split("\n")).toEqual([
      target,
      ...NODES.map((node) => `${node} ${hex} - 755 image.sif`),
      `${target} holds this image on every node already; nothing was sent`,
      target,
      '  "outcome": "sent",',
      ...NODES.map((node) => `${node} ${hex} -`),
    ]);
    expect(sent.bytes).toBe(image.length);
  });

  it("a node whose disk is full, or where something else has the name, is named", async () => {
    const full = `${cluster.local}/full.sif`;
    const script = [
      `srun --overlap -N4 -n4 rm -f ${cluster.local}/image.sif`,
      `srun --overlap -N1 -n1 -w n3 sh -c 'head -c ${(DISK - 4) * MIB} /dev/zero > ${cluster.local}/fill'`,
      `${sregistry} -q bcast ${reference} ${full}; echo $?`,
      everywhere(`ls -A ${cluster.local} | grep full`, 4),
      `srun --overlap -N1 -n1 -w n3 rm ${cluster.local}/fill`,
      `srun --overlap -N3 -n3 -w n[3-5] sh -c 'cp ${entry()} ${full}; head -c ${10 * MIB} /dev/zero > ${cluster.local}/fill'`,
      `srun --overlap -N1 -n1 -w n6 sh -c 'echo mine > ${full}'`,
      `${sregistry} -q bcast ${reference} ${full}; echo $?`,
      `${sregistry} -q bcast --program /nowhere/sregistry ${reference} ${full}; echo $?`,
      // The other disks have no room for a second copy while sbcast sends it: n6 reads the cache then.
      `${sregistry} -v --progress none bcast --force ${reference} ${full}; echo $?`,
      everywhere(`sha256sum < ${full}; ls -A ${cluster.local} | grep full`, 4),
    ];
    const job = await cluster.submit(["-N4", "-w", "n[3-6]"], script.join("\n"), env);
    expect(await job.ended()).toBe("0");
    const some = NODES.slice(2, 6);
    const stdout = ["7", ...some, "5", "2", full, "0", ...some.map((node) => `${node} ${hex} - full.sif`)];
    expect((await job.stdout()).trim().split("\n")).toEqual(stdout);
    const stderr = await job.stderr();
    expect(stderr).toMatch(/^error: node n3: \S+ has room for \d+ bytes; \d+ are needed\nhint: srun -w n3 df -h /m);
    expect(stderr).toContain(`error: node n6: ${full} exists already and holds something else; it was not touched`);
    expect(stderr).toMatch(/^sbcast: error: .*; every node copies /m);
    expect(stderr).toMatch(/^error: \/nowhere\/sregistry cannot be run on nodes n\d, .*: execve.*No such file/m);
  });

  it("a job that is cancelled leaves what the next one goes on with; a job that waits says for which", async () => {
    const sent = countBytes(2 * MIB);
    const get = `exec ${sregistry} --parallel 1 get ${reference}`;
    const first = await cluster.submit(["-N1", "-w", "n1"], get, env);
    while (sent.bytes < MIB) await sleep(20);
    const second = await cluster.submit(["-N1", "-w", "n2"], get, env);
    while (!(await second.stderr()).includes("waiting")) await sleep(50);
    expect(await second.stderr()).toContain(`waiting for job ${first.id} on node n1\n`);
    await cluster.slurm("scancel", "--batch", "--signal=USR1", first.id);
    while (!/image_1\.sif: \S+ MiB of 8\.0 MiB, \d+%, /.test(await first.stderr())) await sleep(50);
    while (sent.bytes < 4 * MIB) await sleep(20);
    await cluster.slurm("scancel", second.id, first.id);
    await Promise.all([first.ended(), second.ended()]);
    expect((await readdir(user.path("cache", "filling"))).some((name) => name.endsWith(".json"))).toBe(true);
    const third = await cluster.submit(["-N1"], get, env);
    expect(await third.ended(), await third.stderr()).toBe("0");
    expect(await third.stdout()).toBe(`${entry()}\n`);
    expect(ranges().at(-1)).toMatch(/^bytes=[1-9]\d{6}-/);
  });

  it("exit 75 puts a job back into the queue where RequeueExit says so", async () => {
    faults.on(BLOB, () => {});
    const job = await cluster.submit(["-N1", "--requeue"], `${sregistry} --timeout 1s get ${reference} || exit`, env);
    while ((await job.fact("Restarts")) === "0") await sleep(100);
    expect(await job.fact("Restarts")).toBe("1");
    expect(await job.stderr()).toContain("error: not done after 1 s (--timeout)");
    await cluster.slurm("scancel", job.id);
  });
});
