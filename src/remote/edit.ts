/** Changes to the user's remote.yaml: one writer at a time, on the file as it is then, whole or not at all. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import { silentLog } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import type { Secret } from "../secret.ts";
import { finalTarget, writeFileAtomic } from "../transfer/atomic.ts";
import { diskError } from "../transfer/disk.ts";
import { withFileLock } from "../transfer/file-lock.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { editYaml, type YamlEdit, type YamlMap } from "../yaml/document.ts";
import type { RemoteFileOptions } from "./files.ts";
import { loadRemotes, type Remotes } from "./remotes.ts";
import { hasControl, parseRemoteFile, type RemoteEntry, type RemoteFile } from "./schema.ts";

export interface NewRemote {
  readonly name: string;
  readonly uri: string;
  /** Plain http. */
  readonly insecure: boolean;
  readonly makeActive: boolean;
}

export interface RemoteEdits {
  /** @throws SregistryError CONFLICT for a name that is taken, USAGE for one that cannot be, or an address that is none. */
  add(remote: NewRemote): Promise<void>;
  /** @throws SregistryError NOT_FOUND; FORBIDDEN when the administrator set another one exclusive. */
  use(name: string): Promise<void>;
  /** @throws SregistryError NOT_FOUND; FORBIDDEN for one of the administrator's. */
  remove(name: string): Promise<void>;
  setToken(name: string, token: Secret): Promise<void>;
  /** Nothing happens when there is none. */
  removeToken(name: string): Promise<void>;
}

const PRIVATE = 0o600;

type Change = (remotes: Remotes, edit: YamlEdit) => void;

export function remoteEdits(options: RemoteFileOptions, signal: AbortSignal): RemoteEdits {
  const change = (work: Change): Promise<void> => editFile(options, signal, work);
  return {
    add: ({ name, uri, insecure, makeActive }) =>
      change(({ remotes }, edit) => {
        checkName(name);
        if (remotes.has(name)) {
          throw new SregistryError("CONFLICT", `${name} is already a remote`, { hint: "sregistry remote list" });
        }
        const written = { URI: writtenUri(uri, insecure), System: false, Exclusive: false };
        if (makeActive) edit.set(["Active"], name, null);
        edit.set(["Remotes", name], insecure ? { ...written, Insecure: true } : written);
      }),
    use: (name) =>
      change((known, edit) => {
        requireRemote(known, name);
        const exclusive = [...known.remotes].find(([, { exclusive: only }]) => only)?.[0];
        if (exclusive !== undefined && exclusive !== name) {
          const words = `could not use ${name}: remote ${exclusive} has been set exclusive by the system administrator`;
          throw new SregistryError("FORBIDDEN", words);
        }
        takeIn(known, name, edit);
        edit.set(["Active"], name, null);
      }),
    remove: (name) =>
      change((known, edit) => {
        if (requireRemote(known, name).system) {
          throw new SregistryError("FORBIDDEN", `${name} is global and can't be removed`);
        }
        edit.delete(["Remotes", name]);
        if (known.active === name) edit.set(["Active"], "");
      }),
    setToken: (name, token) =>
      change((known, edit) => {
        requireRemote(known, name);
        takeIn(known, name, edit);
        edit.set(["Remotes", name, "Token"], token.reveal(), "URI");
      }),
    removeToken: (name) =>
      change((known, edit) => {
        requireRemote(known, name);
        edit.delete(["Remotes", name, "Token"]);
      }),
  };
}

/** @throws SregistryError NOT_FOUND in Singularity's words; CONFIG_INVALID for one that only `Active:` names. */
export function requireRemote(
  { remotes, active, activeAt }: Pick<Remotes, "remotes" | "active" | "activeAt">,
  name: string,
): RemoteEntry {
  const found = remotes.get(name);
  if (found !== undefined) return found;
  if (name === active && activeAt !== undefined) {
    const [own] = [...remotes].find(([, { system }]) => !system) ?? [...remotes.keys()];
    throw new SregistryError("CONFIG_INVALID", `${activeAt}: "Active: ${name}" names no remote`, {
      hint: `sregistry remote use ${own ?? "NAME"}`,
    });
  }
  throw new SregistryError("NOT_FOUND", `${name} is not a remote`, { hint: didYouMean(name, [...remotes.keys()]) });
}

/** An entry of the administrator's gets into the user's file when something of it is the user's, as Singularity does it. */
function takeIn({ remotes }: Remotes, name: string, edit: YamlEdit): void {
  const entry = remotes.get(name);
  if (entry?.system !== true) return;
  const { uri, token, exclusive, insecure } = entry;
  const members: YamlMap = {
    URI: uri,
    ...(token === undefined ? {} : { Token: token.reveal() }),
    System: true,
    Exclusive: exclusive,
    ...(insecure ? { Insecure: true } : {}),
  };
  // One by one: what else the user's entry has stays.
  for (const [key, value] of Object.entries(members)) edit.set(["Remotes", name, key], value);
}

function checkName(name: string): void {
  if (name === "") throw new SregistryError("USAGE", "invalid name: cannot have empty name");
  // `--registry local` is the embedded store.
  if (/^[\w][\w.+@-]*$/.test(name) && name.length <= 128 && name !== "local") return;
  throw new SregistryError("USAGE", `invalid name: ${JSON.stringify(name.slice(0, 140))}`, {
    hint: 'letters, digits, "_", ".", "+", "@" and "-"; "local" is the embedded store',
  });
}

/**
 * With a colon, of a port or of IPv6, a remote needs its scheme, or SingularityCE 4.5 cannot read the address back; without
 * one it is written bare, as Singularity writes it.
 */
function writtenUri(uri: string, insecure: boolean): string {
  if (uri === "") throw new SregistryError("USAGE", "invalid URI: cannot have empty URI");
  const scheme = insecure ? "http" : "https";
  const typed = /^(https?):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (typed !== undefined && typed !== scheme) throw contradiction(uri, insecure);
  const rest = uri.replace(/^https?:\/\//i, "").replace(/\/+$/, "");
  const url = !hasControl(rest) && URL.canParse(`${scheme}://${rest}`) ? new URL(`${scheme}://${rest}`) : undefined;
  const extras = url === undefined ? "" : url.username + url.password + url.search + url.hash;
  if (url === undefined || rest.includes("://") || extras !== "") {
    throw new SregistryError("USAGE", `invalid URI: ${JSON.stringify(uri)} is no address of a server`, {
      hint: "write HOST, HOST:PORT or http(s)://HOST[:PORT][/PATH]",
    });
  }
  const path = url.pathname === "/" ? "" : url.pathname;
  return url.host.includes(":") ? `${scheme}://${url.host}${path}` : `${url.host}${path}`;
}

/** Singularity drops the scheme that was typed, and speaks the other one. */
function contradiction(uri: string, insecure: boolean): SregistryError {
  return insecure
    ? new SregistryError("USAGE", `invalid URI: ${uri} asks for https, and --insecure for plain http`, {
        hint: "leave one of the two out; for a certificate of your own: --ca-file",
      })
    : new SregistryError("USAGE", `invalid URI: ${uri} is plain http, which a remote speaks only with --insecure`, {
        hint: "add --insecure, or write https://",
      });
}

async function editFile(options: RemoteFileOptions, signal: AbortSignal, work: Change): Promise<void> {
  const { log = silentLog } = options;
  const { path } = await loadRemotes({ ...options, log: silentLog });
  await makeDirectory(dirname(path));
  await withFileLock(
    path,
    async () => {
      const found = await readSmallFile(path);
      const text = found?.text ?? "";
      const mode = (found?.stat.mode ?? PRIVATE) & 0o777;
      const remotes = await loadRemotes({ ...options, log: silentLog });
      const changed = editYaml(text, path, (edit) => work(remotes, edit));
      // What Singularity could not read is not written: its words would come at the next command only.
      const written = parseRemoteFile(changed, path);
      if (hasNewToken(written, remotes)) await refuseWritable(path, found?.stat.mode);
      if (changed === text && mode === PRIVATE) return;
      await writeFileAtomic(path, changed, { mode: () => PRIVATE });
      if (mode !== PRIVATE)
        log.warn(`the mode of ${path} was ${mode.toString(8)}; it is 600 now, since it holds tokens`);
    },
    { signal },
  );
}

/** A remove or a logout goes on: it takes a secret away. */
function hasNewToken(written: RemoteFile, { remotes }: Remotes): boolean {
  return [...written.remotes].some(
    ([name, { token }]) => token !== undefined && token.reveal() !== remotes.get(name)?.token?.reveal(),
  );
}

/** Whoever can change it can put another address beside the token, by which the next command sends it there. */
async function refuseWritable(path: string, mode = 0): Promise<void> {
  const open = (bits: number): boolean => (bits & 0o022) !== 0;
  if (open(mode)) throw writable(path);
  for (const directory of new Set([dirname(path), dirname(await finalTarget(path))])) {
    if (open((await stat(directory)).mode)) throw writable(directory);
  }
}

function writable(path: string): SregistryError {
  return new SregistryError("CONFIG_INVALID", `${path} can be changed by other users: no token is kept there`, {
    hint: `chmod go-w ${path}`,
  });
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw diskError(path, error);
  }
  const { uid } = await stat(path);
  if (geteuid === undefined || uid === geteuid() || uid === 0) return;
  throw new SregistryError("CONFIG_INVALID", `${path} belongs to another user (uid ${uid}): no remote is kept there`, {
    hint: "set SINGULARITY_CONFIGDIR to a directory of yours, or use --config FILE",
  });
}
