/** One file to the disks of all nodes: by sbcast, from node to node; where that cannot be, each node reads the cache. */
import { SregistryError, systemCode } from "../errors.ts";
import { isSystemError } from "../transfer/disk.ts";
import type { Errand } from "./errand.ts";
import { stepEnvironment } from "./job.ts";
import { type Nodes, onEveryNode, wordsOf } from "./nodes.ts";
import { run } from "./run.ts";

/**
 * The image under its name on every node, verified there. `entry`: the file here.
 * @throws SregistryError naming a node: INTEGRITY, DISK, CONFLICT; SERVER_ERROR when Slurm cannot.
 */
export async function sendToNodes(nodes: Nodes, entry: string, errand: Errand): Promise<void> {
  const refused = await sbcast(nodes, entry, errand);
  if (refused === undefined) {
    await onEveryNode(nodes, { ...errand, step: "place" });
    return;
  }
  nodes.log.verbose(`${refused}; every node copies ${entry} by itself`);
  try {
    await onEveryNode(nodes, { ...errand, step: "copy", source: entry });
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    const { code, message, hint } = error;
    throw new SregistryError(code, `${message} (${refused})`, hint === undefined ? {} : { hint });
  }
}

/** Why it could not send, undefined when it did. `srun --bcast` is no substitute: it runs what it sends. */
async function sbcast({ env, signal }: Nodes, entry: string, errand: Errand): Promise<string | undefined> {
  try {
    const ended = await run("sbcast", ["--force", entry, errand.temporary], { env: stepEnvironment(env), signal });
    return ended.status === 0 ? undefined : wordsOf(ended.stderr) || `sbcast ended with ${ended.status}`;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const code = systemCode(error);
    return code === "ENOENT" ? "there is no sbcast in PATH" : `sbcast cannot be started: ${code}`;
  }
}
