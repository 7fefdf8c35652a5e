/** The remotes that the user has: their own file over the administrator's, put together as Singularity does it. */
import { basename, dirname } from "node:path";
import { type Log, silentLog } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { refuseForeign } from "../transfer/trusted-file.ts";
import { type RemoteFileOptions, remoteFiles } from "./files.ts";
import { NO_REMOTES, parseRemoteFile, type RemoteEntry, type RemoteFile } from "./schema.ts";

export interface Remotes {
  /** The user's file, there or not. */
  readonly path: string;
  readonly active: string | undefined;
  /** `FILE, line N`: where `active` is written; undefined: in no file. */
  readonly activeAt: string | undefined;
  /** The user chose the active one, or logged in to it: a default of the system alone is nobody's choice. */
  readonly chosen: boolean;
  /** By name, in the order of their characters' codes. */
  readonly remotes: ReadonlyMap<string, RemoteEntry>;
}

/** What SingularityCE has compiled in, for a machine without any remote.yaml. */
const COMPILED_IN: RemoteFile = {
  active: "SylabsCloud",
  remotes: new Map([
    [
      "SylabsCloud",
      {
        uri: "cloud.sylabs.io",
        token: undefined,
        system: true,
        exclusive: false,
        insecure: false,
        keyservers: undefined,
      },
    ],
  ]),
};

/**
 * @throws SregistryError CONFIG_INVALID naming file and line; also for a name that both files have, and for a user's file
 * that others could have written.
 */
export async function loadRemotes(options: RemoteFileOptions): Promise<Remotes> {
  const { log = silentLog } = options;
  const files = await remoteFiles(options);
  const found = await readSmallFile(files.user);
  // It says where tokens go.
  if (found !== undefined) await refuseForeign(files.user, found, { home: options.home, ...adviceFor(files.user) });
  const user = found === undefined ? undefined : parseRemoteFile(found.text, files.user, log);
  const system = await readSystem(files.system, log);
  return { path: files.user, ...merged(user, system, files.user) };
}

interface SystemFile {
  /** Undefined: there is none. */
  readonly file: string | undefined;
  readonly content: RemoteFile;
}

async function readSystem(files: readonly string[], log: Log): Promise<SystemFile> {
  for (const file of files) {
    const found = await readSmallFile(file);
    if (found !== undefined) return { file, content: parseRemoteFile(found.text, file, log) };
  }
  return { file: undefined, content: COMPILED_IN };
}

function adviceFor(file: string) {
  const others = (): string => "set SINGULARITY_CONFIGDIR to a directory of yours, or use --config FILE";
  return { others, writable: `chmod 600 ${file}` };
}

/** Apptainer lets the user's own entry stand where Singularity refuses the name. */
function isApptainers(file: string): boolean {
  return basename(dirname(file)) === "apptainer";
}

/**
 * SingularityCE 4.5: the system's entry gives URI, Exclusive and Keyservers; the user's keeps Token and Insecure. What is compiled in only
 * adds: the user's entry may be of another machine's system, and its token for another server.
 */
function merged(user: RemoteFile | undefined, { file, content }: SystemFile, path: string): Omit<Remotes, "path"> {
  const own = user ?? NO_REMOTES;
  const remotes = new Map(own.remotes);
  let active = own.active;
  for (const [name, entry] of content.remotes) {
    const mine = remotes.get(name);
    if (mine !== undefined && (file === undefined || (!mine.system && isApptainers(file)))) continue;
    if (mine !== undefined && !mine.system) {
      throw new SregistryError("CONFIG_INVALID", `both ${path} and ${file} have a remote ${name}`, {
        hint: `Singularity refuses that too: rename or remove it in ${path}`,
      });
    }
    const { token, insecure } = mine ?? entry;
    remotes.set(name, { ...entry, token, insecure, system: true });
    if (entry.exclusive) active = name;
  }
  const inUse = active ?? content.active;
  return {
    active: inUse,
    activeAt: inUse === own.active ? own.activeAt : inUse === content.active ? content.activeAt : undefined,
    chosen: inUse !== undefined && (remotes.get(inUse)?.token !== undefined || isChoice(inUse, own, content)),
    remotes: new Map([...remotes].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The user's own remote, or one of the system's that the system itself would not have made the active one. */
function isChoice(active: string, own: RemoteFile, system: RemoteFile): boolean {
  if (own.active !== active) return false;
  const forced = [...system.remotes].some(([, { exclusive }]) => exclusive);
  return own.remotes.get(active)?.system === false || (!forced && active !== system.active);
}
