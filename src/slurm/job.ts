/** The batch job that this process belongs to, as Slurm's environment tells it (sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"). */
import { SregistryError } from "../errors.ts";
import { expandHostlist } from "./hostlist.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Job {
  readonly id: string;
  /** At least one. */
  readonly nodes: readonly string[];
}

/**
 * Undefined outside an allocation.
 * @throws SregistryError USAGE where each of several ranks would do what is to be done once.
 */
export function currentJob(env: Environment): Job | undefined {
  const id = env["SLURM_JOB_ID"] ?? "";
  if (id === "") return undefined;
  if (Number(env["SLURM_STEP_NUM_TASKS"] ?? "1") > 1) {
    const rank = env["SLURM_PROCID"] ?? "?";
    throw new SregistryError(
      "USAGE",
      `this is rank ${rank} of ${env["SLURM_STEP_NUM_TASKS"]}: bcast is run once a job`,
      {
        hint: "call it in the batch script, before srun",
      },
    );
  }
  const nodes = expandHostlist(env["SLURM_JOB_NODELIST"] ?? env["SLURM_NODELIST"] ?? "");
  if (nodes.length === 0) throw new SregistryError("USAGE", `job ${id} has no nodes: SLURM_JOB_NODELIST is empty`);
  return { id, nodes };
}

/** What srun and sbcast need to find the job. Its other variables are wishes for the user's own steps, not for ours. */
const NEEDED = ["SLURM_JOB_ID", "SLURM_CONF", "SLURM_CLUSTERS", "SLURM_WORKING_CLUSTER", "SLURM_JWT"];

export function stepEnvironment(env: Environment): Environment {
  const wanted = ([name]: readonly [string, unknown]) => !/^S(?:LURM|RUN)_/.test(name) || NEEDED.includes(name);
  return Object.fromEntries(Object.entries(env).filter(wanted));
}
