/** One image on the local disk of every node of a batch job: pulled once, sent by Slurm, verified on each node. */
import { dirname, join, resolve as resolvePath } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { type Digest, digestHex } from "../reference/digest.ts";
import { pullFileName } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";
import { decodeErrand, type Errand, encodeAnswer } from "../slurm/errand.ts";
import { currentJob, type Job } from "../slurm/job.ts";
import { type Nodes, onEveryNode } from "../slurm/nodes.ts";
import { runErrand } from "../slurm/on-node.ts";
import { sendToNodes } from "../slurm/send.ts";
import { partialPrefix } from "../transfer/partial.ts";
import { type GetOutcome, get } from "./get.ts";
import { pull } from "./pull.ts";
import type { Environment, Services } from "./services.ts";

export interface BcastInput {
  readonly reference: Reference;
  /** The same path on every node; with a slash at its end a directory, where the name is that of a pull. */
  readonly destination: string;
  readonly force?: boolean;
  readonly architecture?: string;
  /** This program on the nodes: what to run, and its first words. */
  readonly command: readonly string[];
}

export interface BcastOutcome {
  readonly reference: string;
  /** Absolute, on every node. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** `sent`: to all nodes, because one at least lacked it. `present`: all had it. Others: a pull, outside a job. */
  readonly outcome: "sent" | "downloaded" | "resumed" | "cached" | "present";
  /** Bytes that came over the wire in this run. */
  readonly transferred: number;
  /** As of a pull. */
  readonly verified: boolean;
  /** Null outside an allocation. */
  readonly job: Job | null;
}

/** @throws SregistryError INTEGRITY, DISK or CONFLICT naming the node where it is so. */
export async function bcast(services: Services, input: BcastInput, call: Call): Promise<BcastOutcome> {
  const { reference, architecture, force = false } = input;
  const which = { reference, ...(architecture === undefined ? {} : { architecture }) };
  const { env } = services.places;
  const name = input.destination.endsWith("/") ? join(input.destination, pullFileName(reference)) : input.destination;
  const job = currentJob(env);
  if (job === undefined) return { ...(await pull(services, { ...which, output: name, force }, call)), job: null };
  const path = resolvePath(services.cwd, name);
  const image = await get(services, which, call);
  const nodes: Nodes = { job, env, command: input.command, signal: call.signal, log: call.log };
  const outcome = await spread(nodes, image, { path, force, label: pullFileName(reference) }, call);
  const { digest, size, transferred } = image;
  return { reference: image.reference, path, digest, size, outcome, transferred, verified: true, job };
}

interface To {
  readonly path: string;
  readonly force: boolean;
  readonly label: string;
}

async function spread(
  nodes: Nodes,
  image: GetOutcome,
  { path, force, label }: To,
  { progress }: Call,
): Promise<"sent" | "present"> {
  const { digest, size } = image;
  const temporary = join(dirname(path), `${partialPrefix(path)}${digestHex(digest).slice(0, 16)}.job${nodes.job.id}`);
  const errand: Errand = { step: "look", target: path, temporary, digest, size, force };
  const all = nodes.job.nodes.length;
  const task = progress.start(label, size);
  try {
    task.state(`looking at ${all === 1 ? "one node" : `${all} nodes`}`);
    const missing = (await onEveryNode(nodes, errand)).filter(({ outcome }) => outcome === "missing").length;
    if (missing > 0) {
      task.state(`sending to ${all === 1 ? "one node" : `${all} nodes`}`);
      await sendToNodes(nodes, image.path, errand);
    }
    task.at(size);
    task.done();
    return missing > 0 ? "sent" : "present";
  } catch (error) {
    task.fail();
    throw error;
  }
}

/** The other end, on a node: does what `text` says, and puts the answer, good or bad, into one line. */
export async function answerOnNode(text: string, env: Environment, signal: AbortSignal): Promise<string> {
  const errand = decodeErrand(text);
  const node = env["SLURMD_NODENAME"] ?? "";
  try {
    return encodeAnswer({ node, outcome: await runErrand(errand, signal) });
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    return encodeAnswer({ node, outcome: error });
  }
}
