/** The remotes: Singularity's in remote.yaml, OCI registries and the default in our own configuration. */
import type { Call } from "../call.ts";
import { configEdits } from "../config/edit.ts";
import { isCode, SregistryError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { remoteEdits } from "../remote/edit.ts";
import { parseRegistryName } from "./default-registry.ts";
import type { Services } from "./services.ts";

export interface RemoteInput {
  readonly name: string;
  readonly uri: string;
  readonly insecure: boolean;
  readonly makeActive: boolean;
}

/** `takesToken`: it is a remote of remote.yaml. @throws SregistryError CONFLICT for a name that is taken. */
export async function addRemote(
  services: Services,
  input: RemoteInput,
  { signal }: Call,
): Promise<{ readonly takesToken: boolean }> {
  const { name, uri } = input;
  const { remotes } = await services.libraries.remotes();
  if (remotes.has(name) || services.config.remotes?.has(name) === true) {
    throw new SregistryError("CONFLICT", `${name} is already a remote`, { hint: "sregistry remote list" });
  }
  if (!/^(?:oras|docker):\/\//.test(uri)) {
    await remoteEdits(services.places, signal).add(input);
    services.libraries.changed();
    return { takesToken: true };
  }
  // Looked at before it is kept, under the name that a mistake would be reported for later.
  parseRegistryName(uri, "URI", { remotes: new Set(), own: new Map() });
  await configEdits(services.places, signal).addRemote(name, uri);
  return { takesToken: false };
}

export interface RemoteRow {
  readonly name: string;
  readonly uri: string;
  readonly active: boolean;
  readonly global: boolean;
  readonly exclusive: boolean;
  readonly insecure: boolean;
}

export interface KeyserverRow {
  readonly uri: string;
  readonly global: boolean;
  readonly insecure: boolean;
  /** From 1. */
  readonly order: number;
  /** Offered by the active remote itself. */
  readonly active: boolean;
}

export interface RemoteList {
  readonly remotes: readonly RemoteRow[];
  readonly keyservers: readonly KeyserverRow[];
  /** Why there are none: `cloud.sylabs.io could not be reached`. */
  readonly keyserversUnknown?: string;
  /** OCI registries of our own configuration. */
  readonly registries: readonly { readonly name: string; readonly uri: string; readonly isDefault: boolean }[];
}

export async function listRemotes(services: Services, call: Call): Promise<RemoteList> {
  const { active, remotes } = await services.libraries.remotes();
  const rows = [...remotes].map(([name, { uri, system, exclusive, insecure }]) => ({
    name,
    uri: uri.replace(/^https?:\/\//, ""),
    active: name === active,
    global: system,
    exclusive,
    insecure,
  }));
  const { config } = services;
  const registries = [...(config.remotes ?? [])].map(([name, uri]) => ({
    name,
    uri,
    isDefault: config.registry === name,
  }));
  return { remotes: rows, ...(await keyservers(services, active, call)), registries };
}

/** Of the active remote: those that the administrator set, else the one that the remote itself offers. */
async function keyservers(
  services: Services,
  active: string | undefined,
  call: Call,
): Promise<Pick<RemoteList, "keyservers" | "keyserversUnknown">> {
  const known = await services.libraries.remotes();
  const remote = active === undefined ? undefined : known.remotes.get(active);
  const unknown = (why: string) => ({ keyservers: [], keyserversUnknown: why });
  if (active === undefined) return unknown("no remote is active");
  if (remote === undefined) return unknown(`the active remote ${active} is not there`);
  const { keyservers: set, system } = remote;
  if (set !== undefined) {
    const shown = set.filter(({ skip }) => !skip);
    const keyservers = shown.map(({ uri, insecure, external }, index) => ({
      uri,
      global: system,
      insecure,
      order: index + 1,
      active: !external,
    }));
    return { keyservers };
  }
  try {
    const front = await services.libraries.frontOf(active);
    // The list is there without the answer: nobody waits for tries that will fail too.
    const { services: offered } = await services.libraries.speaks(front, { retry: "never" });
    const uri = offered.keyserver?.href.replace(/\/$/, "");
    if (uri === undefined) return unknown("the active remote does not say");
    return { keyservers: [{ uri, global: system, insecure: false, order: 1, active: true }] };
  } catch (error) {
    if (!(error instanceof SregistryError) || call.signal.aborted) throw error;
    call.log.verbose(`the keyserver of ${active} is not known: ${error.message}`);
    const host = remote.uri.replace(/^https?:\/\//, "");
    if (services.offline) return unknown(`${host} was not asked (--offline)`);
    const unreached = error.code === "NETWORK" || error.code === "TIMEOUT";
    return unknown(unreached ? `${host} could not be reached` : `${host} does not say: ${error.message}`);
  }
}

/** The default registry of this program, and for a remote of remote.yaml Singularity's active one as well. */
export async function useRemote(services: Services, name: string, { signal }: Call): Promise<void> {
  const config = configEdits(services.places, signal);
  const { remotes } = await services.libraries.remotes();
  if (remotes.has(name)) {
    await remoteEdits(services.places, signal).use(name);
    // A default of the administrator's is nobody's choice until it is written down as one.
    return config.setRegistry(remotes.get(name)?.system === true ? name : undefined);
  }
  if (name !== "local" && services.config.remotes?.has(name) !== true) {
    const known = ["local", ...remotes.keys(), ...(services.config.remotes?.keys() ?? [])];
    throw new SregistryError("NOT_FOUND", `${name} is not a remote`, { hint: didYouMean(name, known) });
  }
  return config.setRegistry(name);
}

/** `registry`: when the default was this one, which is it now, and why. @throws SregistryError NOT_FOUND, FORBIDDEN. */
export async function removeRemote(
  services: Services,
  name: string,
  { signal, log }: Call,
): Promise<{ readonly registry: string | undefined }> {
  const { libraries } = services;
  const config = configEdits(services.places, signal);
  const wasInUse = services.config.registry === name || (await libraries.remotes()).active === name;
  if (services.config.remotes?.has(name) === true) await config.removeRemote(name);
  else await remoteEdits(services.places, signal).remove(name);
  if (services.config.registry === name) await config.setRegistry(undefined);
  libraries.changed();
  if (!wasInUse) return { registry: undefined };
  try {
    return { registry: await libraries.defaultWithout(name) };
  } catch (error) {
    // A flag or a variable still names it; removed it is all the same.
    if (!isCode(error, "CONFIG_INVALID")) throw error;
    log.warn(error.message);
    return { registry: undefined };
  }
}

/** The remote that a mistyped name was probably meant to be. */
export async function nearRemote({ libraries }: Services, name: string): Promise<string | undefined> {
  return nearest(name, [...(await libraries.remotes()).remotes.keys()]);
}

export async function isRemote({ libraries }: Services, name: string): Promise<boolean> {
  return (await libraries.remotes()).remotes.has(name);
}
