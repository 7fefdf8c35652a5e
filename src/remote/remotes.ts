/** The remotes that the user has: their own file over the administrator's, put together as Singularity does it. */
import { SregistryError } from "../errors.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { type RemoteFileOptions, remoteFiles } from "./files.ts";
import { NO_REMOTES, parseRemoteFile, type RemoteEntry, type RemoteFile } from "./schema.ts";

export interface Remotes {
  /** The user's file, there or not. */
  readonly path: string;
  readonly active: string | undefined;
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

/** @throws SregistryError CONFIG_INVALID naming file and line; also for a name that both files have. */
export async function loadRemotes(options: RemoteFileOptions): Promise<Remotes> {
  const files = await remoteFiles(options);
  const user = await readRemoteFile(files.user);
  const system = await readSystem(files.system);
  return { path: files.user, ...merged(user, system, files.user) };
}

interface SystemFile {
  readonly file: string;
  readonly content: RemoteFile;
}

async function readSystem(files: readonly string[]): Promise<SystemFile> {
  for (const file of files) {
    const content = await readRemoteFile(file);
    if (content !== undefined) return { file, content };
  }
  return { file: "Singularity's own defaults", content: COMPILED_IN };
}

async function readRemoteFile(file: string): Promise<RemoteFile | undefined> {
  const found = await readSmallFile(file);
  return found === undefined ? undefined : parseRemoteFile(found.text, file);
}

/** SingularityCE 4.5: the system's entry gives URI, Exclusive and Keyservers; the user's keeps Token and Insecure. */
function merged(user: RemoteFile | undefined, { file, content }: SystemFile, path: string): Omit<Remotes, "path"> {
  const own = user ?? NO_REMOTES;
  const remotes = new Map(own.remotes);
  let active = own.active;
  for (const [name, entry] of content.remotes) {
    const mine = remotes.get(name);
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
  const chosen = own.active !== undefined && own.remotes.get(own.active)?.system === false;
  return {
    active: inUse,
    chosen: chosen || (inUse !== undefined && remotes.get(inUse)?.token !== undefined) || usedByUser(own, content),
    remotes: new Map([...remotes].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** A user who made a system's remote active that the system itself does not have active has chosen it. */
function usedByUser(own: RemoteFile, system: RemoteFile): boolean {
  return own.active !== undefined && own.active !== system.active;
}
