/** The built program in an allocation of stand-ins for srun and sbcast: what a real Slurm does not do wrong on order. */
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FIXTURES, finished, type Run, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");

let user: User;
let target: string;

beforeEach(async () => {
  user = await User.create();
  target = user.path("disk", "tool.sif");
  await mkdir(user.path("bin"));
  await mkdir(user.path("disk"));
  await symlink(process.execPath, user.path("bin", "node"));
  for (const name of ["sh", "cp", "sleep"]) await symlink(`/bin/${name}`, user.path("bin", name));
  await program("srun", SRUN);
  await program("sbcast", 'echo "sbcast $*" >> "$HOME/story"; cp "$2" "$3"');
  expect(await user.run(["-q", "push", TINY, "local://lab/tool:1"])).toMatchObject({ status: 0 });
});
afterEach(() => user[Symbol.asyncDispose]());

/** Both nodes have the one disk. Its own options end where the program's path begins. */
const SRUN = `echo "srun \${SLURM_NTASKS:-clean}" >> "$HOME/story"
while [ "\${1#/}" = "$1" ]; do shift; done
for node in n1 n2; do SLURMD_NODENAME=$node "$@" || exit; done`;

async function program(name: string, script: string): Promise<void> {
  await writeFile(user.path("bin", name), `#!/bin/sh\n${script}\n`);
  await chmod(user.path("bin", name), 0o755);
}

const job = () => ({
  env: { PATH: user.path("bin"), SLURM_JOB_ID: "4711", SLURM_JOB_NODELIST: "n[1-2]", SLURM_NTASKS: "64" },
});
const bcast = (...words: readonly string[]): Promise<Run> =>
  user.run(["-q", "bcast", "local://lab/tool:1", ...words], job());
const story = async () => (await readFile(user.path("story"), "utf8")).trim().split("\n");

it("is sent once, beside its name, and given that on the nodes; then nothing is sent", async () => {
  expect(await bcast(target)).toEqual({ status: 0, stdout: `${target}\n`, stderr: "" });
  expect(await readFile(target)).toEqual(await readFile(TINY));
  const [first, second, third, ...more] = await story();
  expect([first, third, ...more]).toEqual(["srun clean", "srun clean"]);
  expect(second).toMatch(/^sbcast --force \S+\/sha256\/\S+\.sif \S+\/disk\/\.tool\.sif\.part-[0-9a-f]{16}\.job4711$/);
  expect(await bcast(target)).toEqual({ status: 0, stdout: `${target}\n`, stderr: "" });
  expect((await story()).slice(3)).toEqual(["srun clean"]);
  expect(await readdir(user.path("disk"))).toEqual(["tool.sif"]);
});

it("a destination that ends in a slash is a directory", async () => {
  expect(await bcast("disk/")).toEqual({ status: 0, stdout: `${user.path("disk", "tool_1.sif")}\n`, stderr: "" });
});

it("outside an allocation it is a plain pull", async () => {
  const pulled = await user.run(["--json", "bcast", "local://lab/tool:1", target]);
  expect(JSON.parse(pulled.stdout)).toMatchObject({ path: target, outcome: "downloaded", job: null });
  expect(await readFile(target)).toEqual(await readFile(TINY));
});

it("a copy that is wrong on a node is exit 6, names the node and leaves nothing", async () => {
  await program("sbcast", 'cp "$2" "$3"; chmod 600 "$3"; echo more >> "$3"');
  const { status, stdout, stderr } = await bcast(target);
  expect({ status, stdout }).toEqual({ status: 6, stdout: "" });
  expect(stderr).toBe(`error: node n1: the copy for ${target} has 40965 bytes; 40960 are expected; also on node n2\n`);
  expect(await readdir(user.path("disk"))).toEqual([]);
});

it("where sbcast fails, or is missing, every node copies out of the cache", async () => {
  await program("sbcast", 'echo half > "$3"; echo "sbcast: error: n2: credential expired" >&2; exit 1');
  expect(await bcast("-v", target)).toEqual({
    status: 0,
    stdout: `${target}\n`,
    stderr: expect.stringMatching(/^sbcast: error: n2: credential expired; every node copies \S+\.sif by itself$/m),
  });
  await program("sbcast", "exit 1");
  await chmod(user.path("bin", "sbcast"), 0o644);
  expect(await bcast(user.path("disk", "other.sif"))).toMatchObject({ status: 0, stderr: "" });
  expect(await readdir(user.path("disk"))).toEqual(["other.sif", "tool.sif"]);
});

it("a node that does not answer is named, as something worth trying again", async () => {
  await program("srun", `${SRUN.replace("n1 n2", "n1")}\necho "srun: error: n2: down" >&2; exit 1`);
  const { status, stderr } = await bcast(target);
  expect({ status, stderr }).toEqual({
    status: 75,
    stderr:
      "error: no answer from node n2 of job 4711: srun: error: n2: down\nhint: scontrol show job 4711; sinfo -N\n",
  });
});

it("an allocation without srun is told so", async () => {
  await chmod(user.path("bin", "srun"), 0o644);
  const { status, stderr } = await bcast(target);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error: srun cannot be started, though this is job 4711: EACCES\nhint: is Slurm in PATH\?/);
});

it("SIGTERM ends srun too", async () => {
  await program("srun", 'echo $$ > "$HOME/srun.pid"; exec sleep 60');
  const child = user.start(["-q", "bcast", "local://lab/tool:1", target], job());
  const run = finished(child);
  const pid = async () => Number(await readFile(user.path("srun.pid"), "utf8").catch(() => ""));
  while ((await pid()) === 0) await sleep(20);
  child.kill("SIGTERM");
  expect(await run).toMatchObject({ status: 143, stdout: "" });
  const srun = await pid();
  const lives = () => {
    try {
      return process.kill(srun, 0);
    } catch {
      return false;
    }
  };
  while (lives()) await sleep(20);
});

it("SIGUSR1 is answered by a line, and does not open a debugger", async () => {
  await program("srun", 'echo $$ > "$HOME/srun.pid"; exec sleep 2');
  const child = user.start(["-q", "bcast", "local://lab/tool:1", target], job());
  const run = finished(child);
  while (!(await readdir(user.home)).includes("srun.pid")) await sleep(20);
  child.kill("SIGUSR1");
  expect((await run).stderr).toMatch(/^tool_1\.sif: 0 B of 40\.0 KiB, 0%, looking at 2 nodes\nerror: no answer/);
});
