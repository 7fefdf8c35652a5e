/** Where Singularity and Apptainer keep their remotes. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../call.ts";
import { systemCode } from "../errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface RemoteFiles {
  /** The user's. */
  readonly user: string;
  /** The administrator's: the first that exists is read. */
  readonly system: readonly string[];
}

export interface RemoteFileOptions {
  readonly env: Environment;
  /** The user's home directory. */
  readonly home: string;
  /** --config. */
  readonly file?: string | undefined;
  /** Instead of those that the programs look at. */
  readonly system?: readonly string[] | undefined;
  /** Told of keys that Singularity does not know, and of a mode that is put right. */
  readonly log?: Log | undefined;
}

const FILE = "remote.yaml";

/** Where packages (/etc) and `make install` (/usr/local/etc) put it. */
const SYSTEM = ["/etc/singularity", "/usr/local/etc/singularity", "/etc/apptainer", "/usr/local/etc/apptainer"].map(
  (directory) => join(directory, FILE),
);

/** Singularity's, unless Apptainer is the only one of the two that is at home here; as with docker-config.json. */
export async function remoteFiles({ env, home, file, system = SYSTEM }: RemoteFileOptions): Promise<RemoteFiles> {
  return { user: file ?? join(await directory(env, home), FILE), system };
}

async function directory(env: Environment, home: string): Promise<string> {
  const named = env["SINGULARITY_CONFIGDIR"] || env["APPTAINER_CONFIGDIR"];
  if (named) return named;
  const [singularity, apptainer] = [join(home, ".singularity"), join(home, ".apptainer")];
  const [first, second] = await Promise.all([isDirectory(singularity), isDirectory(apptainer)]);
  return second && !first ? apptainer : singularity;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}
