/** The libraries that names stand for: which one, where its API is, what else the server speaks, whose token goes there. */
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import type { Config } from "../config/config.ts";
import { openKeyring } from "../credentials/keyring.ts";
import { SregistryError } from "../errors.ts";
import { parseHost } from "../reference/host.ts";
import type { Host } from "../reference/reference.ts";
import type { LibraryEndpoint, SregistryEndpoint } from "../registry/open.ts";
import { tokenLogin } from "../registry/token-login.ts";
import { whoAmI } from "../remote/account.ts";
import { tokenMayGo } from "../remote/discovery.ts";
import { requireRemote } from "../remote/edit.ts";
import { loadOldClient, type OldClientSettings } from "../remote/old-client.ts";
import { type ProbeOptions, type Spoken, whatSpeaks } from "../remote/probe.ts";
import { loadRemotes, type Remotes } from "../remote/remotes.ts";
import { remoteBase } from "../remote/schema.ts";
import { FORM } from "../version.ts";
import { bearer, noBearer } from "./bearer.ts";
import {
  chooseDefault,
  chooseLibrary,
  type DefaultRegistry,
  type LibraryName,
  ociAt,
  type Settings,
} from "./default-registry.ts";
import { findLogin, type LibraryLogin, type LoginOptions, remoteAddresses, remoteAt } from "./logins.ts";
import type { ServiceOptions } from "./services.ts";
import type { Transports } from "./transports.ts";

export interface Libraries {
  /** Where names without scheme belong. Asks an http(s) URL what it speaks. */
  default(): Promise<DefaultRegistry>;
  /** Without a host: the library that library:// stands for. */
  open(host: Host | undefined): Promise<LibraryEndpoint>;
  /** A Singularity Registry Server that a login is known for; undefined for any other host. */
  shub(host: Host): Promise<SregistryEndpoint | undefined>;
  /** What is at an address; remembered for a day. `fresh`: asked all the same. */
  speaks(front: URL, how?: Pick<ProbeOptions, "fresh" | "retry">): Promise<Spoken>;
  remotes(): Promise<Remotes>;
  /** remote.yaml was changed: it is read anew. */
  changed(): void;
  /** Now that no remote is named `gone`: which registry is the default, and why. @throws SregistryError CONFIG_INVALID. */
  defaultWithout(gone: string): Promise<string>;
  /** Where a remote is asked. @throws SregistryError NOT_FOUND for a name that is none. */
  frontOf(remote: string): Promise<URL>;
  readonly logins: LoginOptions;
}

export interface LibrariesOptions extends ServiceOptions {
  readonly config: Config;
  readonly transports: Transports;
  /** Directory for what may be forgotten. */
  readonly cache: string;
}

/** A file beside the bundle's others (scripts/build.js); a single file has none, and cannot hold a native package. */
const KEYRING_PROCESS = FORM === "package" ? [execPath, fileURLToPath(new URL("./keyring.js", import.meta.url))] : [];

export function createLibraries(options: LibrariesOptions): Libraries {
  const { env, home, flags, log, config, transports, cache, signal } = options;
  const remotes = once(() => loadRemotes({ env, home, file: flags.config, log }));
  const oldClient = once(() => loadOldClient(env, home));
  const logins: LoginOptions = {
    config,
    keyring: openKeyring({ env, command: KEYRING_PROCESS }),
    log,
    remotes,
    oldClient,
  };
  const settings = once(async () => settingsOf(options, await remotes(), await oldClient()));

  async function speaks(front: URL, how: Pick<ProbeOptions, "fresh" | "retry"> = {}): Promise<Spoken> {
    transports.settle(front);
    const memo = join(cache, "endpoints.json");
    return whatSpeaks(transports.make(parseHost(front.host)), front, { signal, log, memo, ...how });
  }

  async function settleDefault(): Promise<DefaultRegistry> {
    const { what, why } = chooseDefault(await settings());
    log.verbose(`default registry: ${why}`);
    if (what.kind === "oras" && what.plainHttp !== undefined) transports.settle(urlOf(what.host, what.plainHttp));
    if (what.kind !== "ask") return what;
    const known = remoteAt(await remotes(), what.url, log);
    if (known !== undefined) return { kind: "library", library: { kind: "remote", name: known.name } };
    const { library, oci, instead } = await speaks(what.url);
    if (library !== undefined) return { kind: "library", library: { kind: "url", url: what.url } };
    if (oci) return ociAt(what.url);
    const said = instead === undefined ? "" : `: it answered with ${instead}`;
    const words = `${what.url.href} answers neither as a library nor as an OCI registry${said}`;
    throw new SregistryError("UNSUPPORTED", words, {
      hint: `is that its address? curl -i ${what.url.href}`,
    });
  }
  const settled = once(settleDefault);

  function changed(): void {
    remotes.forget();
    settings.forget();
    settled.forget();
  }

  async function frontOf(name: string): Promise<URL> {
    const known = await remotes();
    return remoteBase(name, requireRemote(known, name), known.path);
  }

  /** What the user named, as an address. */
  async function address(library: LibraryName): Promise<URL> {
    return library.kind === "url" ? library.url : frontOf(library.name);
  }

  async function chosenLibrary(): Promise<URL> {
    const registry = await settled();
    if (registry.kind === "library") return address(registry.library);
    const { what, why } = chooseLibrary(await settings());
    log.verbose(`library:// without a host: ${why}`);
    return address(what);
  }

  /** A host alone: the remote or old login that has it knows its scheme. */
  async function addressOf(host: Host): Promise<URL> {
    if (flags.libraryTyped === true) {
      throw new SregistryError(
        "USAGE",
        "Conflicting arguments; do not use --library with a library URI containing host name",
        { hint: "leave one of the two out" },
      );
    }
    return (await knownFront(host)) ?? transports.baseUrl(host);
  }

  async function knownFront(host: Host): Promise<URL | undefined> {
    const { environment, file } = await oldClient();
    const fronts = remoteAddresses(await remotes(), log).map(({ base }) => base);
    for (const old of [environment, file]) if (old !== undefined) fronts.push(old.base);
    const { typedLibrary, library } = await settings();
    for (const text of [typedLibrary, library])
      if (text !== undefined && URL.canParse(text)) fronts.push(new URL(text));
    return fronts.find((front) => front.host === host);
  }

  function signing(root: URL, login: LibraryLogin | undefined, username: () => Promise<string | undefined>) {
    const host = parseHost(root.host);
    const canSign = login !== undefined;
    const hmac = canSign
      ? { hmac: { origin: root.origin, username: login.username ?? username, token: login.token } }
      : {};
    return { root, canSign, signing: transports.make(host, hmac) };
  }

  async function openAt(front: URL): Promise<LibraryEndpoint> {
    const spoken = await speaks(front);
    const { library: base, services } = spoken;
    if (base === undefined) throw noLibrary(front, spoken);
    transports.settle(base);
    const found = await findLogin(front, logins);
    const login = found !== undefined && mayHaveToken(front, base) ? found : undefined;
    const host = parseHost(base.host);
    const howTo = tokenLogin(front, remoteAt(await remotes(), front, log)?.name);
    const credentials = login === undefined ? noBearer(howTo) : bearer(host, login.token, login.from, howTo);
    const transport = transports.make(host, { credentials });
    const username = once(async () => (await whoAmI(transport, { ...services, library: base }, signal)).username);
    const sregistry = spoken.sregistry ? signing(base, login, username) : undefined;
    return { name: `library ${front.host}`, front, base, login: howTo, transport, sregistry };
  }

  function mayHaveToken(front: URL, base: URL): boolean {
    if (tokenMayGo(front, base, transports.trustedRealms(parseHost(front.host)))) return true;
    log.warn(
      `${front.host} has its library at ${base.host}, another owner's domain: the token is not sent there (--trust-realm ${base.host} allows it)`,
    );
    return false;
  }

  return {
    default: settled,
    remotes,
    changed,
    async defaultWithout(gone) {
      const now = await settings();
      const { configured } = now;
      return chooseDefault({ ...now, configured: configured === gone ? undefined : configured }).why;
    },
    frontOf,
    speaks,
    logins,
    open: async (host) => openAt(host === undefined ? await chosenLibrary() : await addressOf(host)),
    async shub(host) {
      const front = await knownFront(host);
      const login = front === undefined ? undefined : await findLogin(front, logins);
      if (front === undefined || login === undefined) return undefined;
      const transport = transports.make(host, { credentials: bearer(host, login.token, login.from) });
      transports.settle(front);
      return signing(front, login, async () => (await whoAmI(transport, { library: front }, signal)).username);
    },
  };
}

function settingsOf({ flags, config }: LibrariesOptions, remotes: Remotes, old: OldClientSettings): Settings {
  return {
    typedLibrary: flags.libraryTyped === true ? flags.library : undefined,
    registry: flags.registry,
    library: flags.libraryTyped === true ? undefined : (flags.library ?? undefined),
    oldVariable: old.environment?.base,
    configured: config.registry,
    active: remotes.active === undefined ? undefined : { name: remotes.active, chosen: remotes.chosen },
    oldFile: old.file?.base,
    known: { remotes: new Set(remotes.remotes.keys()), own: config.remotes ?? new Map() },
  };
}

function urlOf(host: Host, plainHttp: boolean): URL {
  return new URL(`${plainHttp ? "http" : "https"}://${host}/`);
}

/** What the verbs say of an address where none was found. */
export function noLibrary(front: URL, { oci, instead }: Spoken): SregistryError {
  const why = instead === undefined ? "it names no library service and has no /version" : `it answered with ${instead}`;
  return new SregistryError("UNSUPPORTED", `${front.href} is no library: ${why}`, {
    hint: oci ? `it is an OCI registry: oras://${front.host}/PATH:TAG` : `is that its address? curl -i ${front.href}`,
  });
}

interface Once<T> {
  (): Promise<T>;
  forget(): void;
}

/** Made when it is first asked for; a failure is not remembered. */
function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  const forget = (): void => {
    made = undefined;
  };
  const get = (): Promise<T> => {
    made ??= make().catch((error: unknown) => {
      forget();
      throw error;
    });
    return made;
  };
  return Object.assign(get, { forget });
}
