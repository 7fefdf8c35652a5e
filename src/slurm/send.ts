/** One file to the disks of all nodes: by sbcast, from node to node; where there is none each node reads the cache. */
import { type ErrorCode, SregistryError, systemCode } from "../errors.ts";
import type { Errand } from "./errand.ts";
import { stepEnvironment } from "./job.ts";
import { type Nodes, onEveryNode, wordsOf } from "./nodes.ts";
import { run } from "./run.ts";

const FULL = /no space left|disk quota exceeded|file too large|read-only file system|permission denied/i;

/**
 * The image under its name on every node, verified there. `entry`: the file here.
 * @throws SregistryError naming a node: INTEGRITY, DISK, CONFLICT; SERVER_ERROR when Slurm cannot.
 */
export async function sendToNodes(nodes: Nodes, entry: string, errand: Errand): Promise<void> {
  const sent = await sbcast(nodes, entry, errand);
  await onEveryNode(nodes, { ...errand, step: "place", ...(sent ? {} : { source: entry }) });
}

/** False where there is no sbcast. `srun --bcast` is no substitute: it runs what it sends. */
async function sbcast(nodes: Nodes, entry: string, errand: Errand): Promise<boolean> {
  const { env, signal, log, job } = nodes;
  try {
    const ended = await run("sbcast", ["--force", entry, errand.temporary], { env: stepEnvironment(env), signal });
    if (ended.status === 0) return true;
    const said = wordsOf(ended.stderr) || `exit status ${ended.status}`;
    await discard(nodes, errand);
    const code: ErrorCode = FULL.test(said) ? "DISK" : "SERVER_ERROR";
    throw new SregistryError(code, `sbcast could not send the image to the nodes of job ${job.id}: ${said}`, {
      hint: `scontrol show job ${job.id}; srun -N ${job.nodes.length} df -h`,
    });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    log.verbose(`there is no sbcast: every node copies ${entry}`);
    return false;
  }
}

/** Halves of the image would fill the disks of whoever comes next. */
async function discard(nodes: Nodes, errand: Errand): Promise<void> {
  try {
    await onEveryNode(nodes, { ...errand, step: "discard" });
  } catch (error) {
    nodes.log.warn(`${errand.temporary} may be left: ${error instanceof Error ? error.message : error}`);
  }
}
