/** One errand on every node of a job, and what came of it. */
import type { Log } from "../call.ts";
import { SregistryError, systemCode } from "../errors.ts";
import { isSystemError } from "../transfer/disk.ts";
import { type Answer, decodeAnswers, type Errand, encodeErrand } from "./errand.ts";
import { type Environment, type Job, stepEnvironment } from "./job.ts";
import { type Ended, run } from "./run.ts";

export interface Nodes {
  readonly job: Job;
  readonly env: Environment;
  /** This program on the nodes: what to run, and its first words. */
  readonly command: readonly string[];
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** As many as a message names. */
const NAMED = 8;

/**
 * What each node answered, all of them well.
 * @throws SregistryError naming the nodes where it went wrong: INTEGRITY, DISK, CONFLICT, SERVER_ERROR without an answer.
 */
export async function onEveryNode(nodes: Nodes, errand: Errand): Promise<readonly Answer[]> {
  const { job, log } = nodes;
  const ended = await srun(nodes, errand);
  const said = wordsOf(ended.stderr);
  if (said !== "") log.verbose(said);
  const answers = decodeAnswers(ended.stdout);
  const answered = new Set(answers.map(({ node }) => node));
  const silent = job.nodes.filter((node) => !answered.has(node));
  const failed = answers.filter(({ outcome }) => outcome instanceof SregistryError);
  if (failed.length > 0) throw failureOf(failed);
  if (silent.length > 0) throw noAnswer(silent, nodes, ended);
  return answers;
}

async function srun({ job, env, command, signal }: Nodes, errand: Errand): Promise<Ended> {
  const count = String(job.nodes.length);
  // Beside whatever else the job runs: a step of its own would wait until the others are done.
  const step = ["--overlap", "-N", count, "-n", count, "--ntasks-per-node=1", "--mpi=none", "-Q"];
  try {
    const words = [...step, ...command, "bcast", "--on-node", encodeErrand(errand)];
    return await run("srun", words, { env: stepEnvironment(env), signal });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new SregistryError(
      "CONFIG_INVALID",
      `srun cannot be started, though this is job ${job.id}: ${systemCode(error)}`,
      {
        hint: "is Slurm in PATH? outside an allocation (env -u SLURM_JOB_ID) bcast is a plain pull",
        cause: error,
      },
    );
  }
}

/** The nodes that failed in the way that the first of them did; a wrong copy before a full disk before all else. */
function failureOf(failed: readonly Answer[]): SregistryError {
  const errors = failed.flatMap(({ node, outcome }) => (outcome instanceof SregistryError ? [{ node, outcome }] : []));
  const first =
    errors.find(({ outcome }) => outcome.code === "INTEGRITY") ?? errors.find(({ outcome }) => outcome.code === "DISK");
  const { node, outcome } = first ?? errors[0] ?? { node: "", outcome: new SregistryError("INTERNAL", "no failure") };
  const hint = outcome.code === "CONFLICT" ? "--force replaces it" : onNode(node, outcome.hint);
  const others = errors.map((one) => one.node).filter((name) => name !== node);
  const more = others.length === 0 ? "" : `; also on ${named(others)}`;
  return new SregistryError(
    outcome.code,
    `node ${node}: ${outcome.message}${more}`,
    hint === undefined ? {} : { hint },
  );
}

/** A command that the node gave as a hint is to be typed there. */
function onNode(node: string, hint: string | undefined): string | undefined {
  return hint !== undefined && /^(?:df|ls|mkdir) /.test(hint) ? `srun -w ${node} ${hint}` : hint;
}

function noAnswer(silent: readonly string[], { job, command }: Nodes, { status, stderr }: Ended): SregistryError {
  const reason = wordsOf(stderr) || `srun ended with ${status}`;
  const noProgram = /execve.*/.exec(stderr)?.[0];
  if (noProgram !== undefined) {
    return new SregistryError(
      "CONFIG_INVALID",
      `${command.join(" ")} cannot be run on ${named(silent)}: ${noProgram}`,
      {
        hint: "--program names sregistry as it is found on the nodes",
      },
    );
  }
  return new SregistryError("SERVER_ERROR", `no answer from ${named(silent)} of job ${job.id}: ${reason}`, {
    hint: `scontrol show job ${job.id}; sinfo -N`,
  });
}

function named(nodes: readonly string[]): string {
  const rest = nodes.length - NAMED;
  const names = nodes.slice(0, NAMED).join(", ");
  return `node${nodes.length === 1 ? "" : "s"} ${names}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** The first of what a program of Slurm's said, on one line; that tasks ended follows from the rest. */
export function wordsOf(text: string): string {
  const lines = text.trim().split("\n");
  const reasons = lines.filter((line) => !/: task .*: (?:Exited|Terminated|Killed)/.test(line));
  return (reasons.length > 0 ? reasons : lines).slice(0, 3).join("; ").slice(0, 500);
}
