/** Which process holds something on a disk that others share, and whether that process still lives. */
import { randomUUID } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { env, kill, pid } from "node:process";
import { count, field, object, optional, parseJson, string } from "../decode.ts";
import { isCode, systemCode } from "../errors.ts";

export interface Owner {
  /** One per claim: a process may make several. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Start of the process in the kernel's ticks since boot, where the kernel says: a pid alone is given again. */
  readonly start: string | undefined;
  /** The boot and the pid namespace (container) within which the pid means something, where the kernel says. */
  readonly place: string | undefined;
  /** Batch job and its name for the node, where the process belongs to one: what a user knows and can look at. */
  readonly job?: string | undefined;
  readonly node?: string | undefined;
}

/** `unknown`: on another host, in another container or from before a boot; there only a sign of life tells. */
export type Life = "lives" | "gone" | "unknown";

export async function newOwner(): Promise<Owner> {
  const { SLURM_JOB_ID: job, SLURMD_NODENAME: node } = env;
  return { id: randomUUID(), host: hostname(), pid, start: await startOf(pid), place: await placeOf(), job, node };
}

/** `job 4711 on node n12`, else `process 4711 on login1`. */
export function ownerWords({ job, node, pid, host }: Owner): string {
  return job ? `job ${job} on node ${node || host}` : `process ${pid} on ${host}`;
}

/** Undefined for what a crash left empty or torn. */
export function decodeOwner(text: string): Owner | undefined {
  try {
    const json = object(parseJson(text, "owner"), "owner");
    return {
      id: field(json, "id", string, "owner"),
      host: field(json, "host", string, "owner"),
      pid: field(json, "pid", count, "owner"),
      start: field(json, "start", optional(string), "owner"),
      place: field(json, "place", optional(string), "owner"),
      job: field(json, "job", optional(string), "owner"),
      node: field(json, "node", optional(string), "owner"),
    };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

export async function lifeOf(owner: Owner): Promise<Life> {
  if (owner.host !== hostname() || owner.place !== (await placeOf())) return "unknown";
  if (!exists(owner.pid)) return "gone";
  return owner.start === (await startOf(owner.pid)) ? "lives" : "gone";
}

function exists(id: number): boolean {
  try {
    kill(id, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

/** Field 22 of proc(5)'s stat. The second, the program's name in parentheses, may hold blanks. */
async function startOf(id: number): Promise<string | undefined> {
  const stat = await kernelSays(readFile(`/proc/${id}/stat`, "utf8"));
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

async function placeOf(): Promise<string | undefined> {
  const boot = await kernelSays(readFile("/proc/sys/kernel/random/boot_id", "utf8"));
  const namespace = await kernelSays(readlink("/proc/self/ns/pid"));
  return boot === undefined || namespace === undefined ? undefined : `${boot.trim()} ${namespace}`;
}

/** Only Linux has /proc, and some containers hide it; without it the pid and the host have to do. */
async function kernelSays(answer: Promise<string>): Promise<string | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
