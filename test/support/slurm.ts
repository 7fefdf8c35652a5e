/**
 * A real Slurm on loopback: slurmctld and eight slurmd, each in a mount namespace of its own, where `local` is its own
 * small disk. As root, and where the kernel lets root mount.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./peers.ts";

const execute = promisify(execFile);

export const NODES = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"] as const;

/** Why no cluster can be made here; undefined where one can. */
export function noClusterHere(): string | undefined {
  if (process.getuid?.() !== 0) return "slurmd wants root";
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "nothing can be mounted, so that the nodes would share one disk";
  }
}

export interface Job {
  readonly id: string;
  stdout(): Promise<string>;
  stderr(): Promise<string>;
  /** A fact of `scontrol show job`, undefined when the job is not known any more. */
  fact(name: string): Promise<string | undefined>;
  /** Resolves at its end, to the exit status or `signal:N`. */
  ended(): Promise<string>;
}

export interface Cluster extends AsyncDisposable {
  /** A directory that is another disk of `diskSize` bytes on every node. */
  readonly local: string;
  /** Submits a script; `words` are sbatch's. */
  submit(words: readonly string[], script: string, env: Readonly<Record<string, string>>): Promise<Job>;
  /** Submits a file from its directory, as it is written. What it writes is in `slurm-ID.out` there. Its id. */
  submitFile(file: string, env: Readonly<Record<string, string>>): Promise<string>;
  /** Resolves when a job, or every task of an array, has ended and will not begin again. */
  gone(id: string): Promise<void>;
  /** Runs one of Slurm's programs. */
  slurm(program: string, ...words: readonly string[]): Promise<string>;
}

export async function startCluster(diskMib: number): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "sregistry-slurm-"));
  const at = (...names: readonly string[]) => join(directory, ...names);
  const children: ChildProcess[] = [];
  const start = (program: string, ...words: readonly string[]): void => {
    const child = spawn(program, words, {
      stdio: "ignore",
      env: { PATH: process.env["PATH"], SLURM_CONF: at("slurm.conf") },
    });
    children.push(child);
  };
  for (const name of ["state", "munge", "local", "out"]) await mkdir(at(name));
  await writeFile(at("munge", "key"), randomBytes(1024), { mode: 0o400 });
  await writeFile(at("slurm.conf"), await configuration(at));
  const munge = ["key-file=key", "socket=socket", "pid-file=pid", "log-file=log", "seed-file=seed"];
  const mungeWords = munge.map((one) => `--${one.replace("=", `=${at("munge")}/`)}`);
  start("munged", "--foreground", "--force", ...mungeWords);
  start("slurmctld", "-D");
  const ownDisk = `mount -t tmpfs -o size=${diskMib}m,mode=0755 tmpfs ${at("local")}`;
  for (const node of NODES) start("unshare", "-m", "sh", "-c", `${ownDisk} && exec slurmd -D -N ${node}`);

  const environment = { PATH: process.env["PATH"], SLURM_CONF: at("slurm.conf") };
  const slurm = async (program: string, ...words: readonly string[]): Promise<string> =>
    (await execute(program, words, { env: environment })).stdout;

  async function submit(words: readonly string[], script: string, env: Readonly<Record<string, string>>): Promise<Job> {
    const files = ["-o", at("out", "%j.out"), "-e", at("out", "%j.err")];
    const all = ["--parsable", ...files, ...words, "--wrap", script];
    const { stdout } = await execute("sbatch", all, { env: { ...environment, ...env }, cwd: directory });
    return job(stdout.trim());
  }

  async function submitFile(file: string, env: Readonly<Record<string, string>>): Promise<string> {
    const where = { env: { ...environment, ...env }, cwd: dirname(file) };
    return (await execute("sbatch", ["--parsable", file], where)).stdout.trim();
  }

  async function gone(id: string): Promise<void> {
    // squeue leaves a job out while it is on its way back into the queue.
    const left = (line: string) => !/ JobState=(?:COMPLETED|FAILED|CANCELLED|TIMEOUT) /.test(line);
    while ((await slurm("scontrol", "show", "job", "-o", id)).trim().split("\n").some(left)) await sleep(100);
  }

  function job(id: string): Job {
    const fact = async (name: string): Promise<string | undefined> =>
      new RegExp(`\\b${name}=(\\S+)`).exec(await slurm("scontrol", "show", "job", "-o", id))?.[1];
    const written = (kind: string) => readFile(at("out", `${id}.${kind}`), "utf8").catch(() => "");
    return {
      id,
      fact,
      stdout: () => written("out"),
      stderr: () => written("err"),
      async ended() {
        while (/^(?:PENDING|CONFIGURING|RUNNING|COMPLETING)$/.test((await fact("JobState")) ?? "")) await sleep(100);
        const [status, signal] = ((await fact("ExitCode")) ?? "?:?").split(":");
        return signal === "0" ? `${status}` : `signal:${signal}`;
      },
    };
  }

  async function dispose(): Promise<void> {
    const ended = children.map(
      (child) =>
        new Promise((done) =>
          child.exitCode === null && child.signalCode === null ? child.once("close", done) : done(0),
        ),
    );
    // The nodes first: slurmctld has nobody left to talk to then, and munged is asked by both.
    for (const child of [...children].reverse()) child.kill("SIGTERM");
    await Promise.race([Promise.all(ended), sleep(5_000)]);
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(ended);
    await rm(directory, { recursive: true, force: true });
  }

  try {
    await ready(slurm);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { local: at("local"), submit, submitFile, gone, slurm, [Symbol.asyncDispose]: dispose };
}

async function ready(slurm: Cluster["slurm"]): Promise<void> {
  let last = "";
  for (let tries = 0; tries < 200; tries += 1) {
    last = await slurm("sinfo", "-h", "-N", "-o", "%T").catch(String);
    if (last === "idle\n".repeat(NODES.length)) return;
    await sleep(100);
  }
  throw new Error(`the nodes are not idle: ${last}`);
}

/** Without cgroups, accounting and a prolog: what a container has. The nodes say that they have more cores than they have. */
async function configuration(at: (...names: readonly string[]) => string): Promise<string> {
  const host = hostname().split(".")[0];
  const ports = await Promise.all([...NODES, "slurmctld"].map(freePort));
  const nodes = NODES.map(
    (name, index) => `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[index]}`,
  );
  return [
    "ClusterName=test",
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${ports.at(-1)}`,
    "SlurmUser=root",
    "SlurmdUser=root",
    "AuthType=auth/munge",
    `AuthInfo=socket=${at("munge", "socket")}`,
    `StateSaveLocation=${at("state")}`,
    `SlurmdSpoolDir=${at("spool-%n")}`,
    `SlurmctldPidFile=${at("slurmctld.pid")}`,
    `SlurmdPidFile=${at("slurmd-%n.pid")}`,
    `SlurmctldLogFile=${at("slurmctld.log")}`,
    `SlurmdLogFile=${at("slurmd-%n.log")}`,
    "ProctrackType=proctrack/linuxproc",
    "TaskPlugin=task/none",
    "JobAcctGatherType=jobacct_gather/none",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_CPU",
    // A job whose time has come is looked for every second, not every half minute.
    "SchedulerParameters=sched_interval=1,bf_interval=1",
    "SlurmdParameters=config_overrides",
    "MpiDefault=none",
    "SwitchType=switch/none",
    "KillWait=5",
    "RequeueExit=75",
    "NodeName=DEFAULT CPUs=4 State=UNKNOWN",
    ...nodes,
    `PartitionName=all Nodes=${NODES.join(",")} Default=YES State=UP`,
    "",
  ].join("\n");
}
