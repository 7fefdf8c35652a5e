/** How many ranges of one image are fetched at once, as Singularity's variables say it. */
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";

export interface ParallelSettings {
  /** Connections. */
  readonly concurrency?: number;
  /** Bytes of one range. */
  readonly partSize?: number;
}

/** `typed`: --parallel. The variables are read as SingularityCE 4.5 does: a word that is no number is warned about and passed over, one below 1 is refused. */
export function parallelSettings(
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
  typed?: number,
): ParallelSettings {
  const concurrency = typed ?? setting("DOWNLOAD_CONCURRENCY", env, log);
  const partSize = setting("DOWNLOAD_PART_SIZE", env, log);
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(partSize === undefined ? {} : { partSize }) };
}

function setting(name: string, env: Readonly<Record<string, string | undefined>>, log: Log): number | undefined {
  const variable = ["SREGISTRY", "APPTAINER", "SINGULARITY"]
    .map((prefix) => `${prefix}_${name}`)
    .find((key) => env[key]);
  const text = variable === undefined ? undefined : env[variable];
  if (variable === undefined || text === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(text.trim())) {
    log.warn(`${variable} is ${JSON.stringify(text)}, which is no whole number; the default is used`);
    return undefined;
  }
  const value = Number(text);
  if (value >= 1) return value;
  throw new SregistryError("USAGE", `${variable} is ${text}: expected a whole number of at least 1`);
}

/** For one image of several that are fetched at once: a limit to what is found out, not to what a user says. */
export function atMost(connections: number | undefined): { readonly usual?: number } {
  return connections === undefined ? {} : { usual: connections };
}
