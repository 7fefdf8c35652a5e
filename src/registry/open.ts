/** Reference -> Registry: the only place that chooses an endpoint's implementation. */
import { SregistryError } from "../errors.ts";
import type { Transport } from "../http/transport.ts";
import { parseHost } from "../reference/host.ts";
import type { Host, PlacedReference } from "../reference/reference.ts";
import type { Secret } from "../secret.ts";
import type { UploadSessions } from "../transfer/upload-session.ts";
import { namingMissing } from "./missing.ts";
import type { HostRules } from "./oci/hosts.ts";
import type { Registry } from "./registry.ts";

/** A library as it was found: where its API is, and what else the server speaks. */
export interface LibraryEndpoint {
  /** For messages. */
  readonly name: string;
  /** What the user named: pages for people are there. */
  readonly front: URL;
  /** Root of the library API. */
  readonly base: URL;
  /** What to type for a login there. */
  readonly login: string;
  /** Carries the token of the endpoint, if there is one, to the library API alone. */
  readonly transport: Transport;
  /** A Singularity Registry Server: its other protocols. */
  readonly sregistry: SregistryEndpoint | undefined;
}

export interface SregistryEndpoint {
  readonly root: URL;
  /** Signs for the old client's protocol when a login is known. */
  readonly signing: Transport;
  readonly canSign: boolean;
}

export type Protocol = "auto" | "library" | "hmac";

export interface Endpoints {
  transport(host: Host): Transport;
  /** For a registry that a library names, with the token it gives. */
  bearerTransport(host: Host, token: Secret): Transport;
  anonymousTransport(host: Host): Transport;
  /** http or https root of an OCI host. */
  baseUrl(host: Host): URL;
  /** Without a host: the library that library:// stands for. */
  library(host: Host | undefined): Promise<LibraryEndpoint>;
  /** A Singularity Registry Server among the known endpoints, for private images; undefined for any other host. */
  shub(host: Host): Promise<SregistryEndpoint | undefined>;
  /** How a Singularity Registry Server is spoken to. */
  protocol(): Promise<Protocol>;
  /** What the user asked for by name: an endpoint that cannot do it is refused. Undefined: nothing. */
  readonly protocolAsked?: Protocol | undefined;
  /** Of downloads in parallel ranges, where the user says: connections and bytes. */
  readonly parallel: { readonly concurrency?: number; readonly partSize?: number };
  readonly uploadSessions: UploadSessions;
  readonly hostRules: HostRules;
  /** Directory of the embedded registry. */
  readonly store: string;
}

/** `oneOfTwo`: another endpoint takes part, so that what the user asked for by name may be meant for that one. */
export type Opener = (reference: PlacedReference, oneOfTwo?: "one of two") => Promise<Registry>;

/** One Registry per endpoint for the life of the program. */
export function createOpener(endpoints: Endpoints): Opener {
  const opened = new Map<string, Promise<Registry>>();
  return (reference, oneOfTwo) => {
    const place = reference.scheme === "local" ? "local" : `${reference.scheme}://${reference.host ?? ""}`;
    const key = `${oneOfTwo ?? ""} ${place}`;
    const known = opened.get(key);
    if (known !== undefined) return known;
    const registry = open(reference, oneOfTwo === undefined ? endpoints : { ...endpoints, protocolAsked: undefined });
    opened.set(key, registry);
    // An endpoint that did not answer now may do so the next time it is asked for.
    registry.catch(() => opened.delete(key));
    return registry;
  };
}

async function open(reference: PlacedReference, endpoints: Endpoints): Promise<Registry> {
  const registry = await choose(reference, endpoints);
  requireProtocol(registry, reference, endpoints);
  return { ...namingMissing(registry, reference), parallel: { ...registry.parallel, ...endpoints.parallel } };
}

/** `--protocol` chooses among those of a Singularity Registry Server. @throws SregistryError UNSUPPORTED at anything else. */
function requireProtocol({ name }: Registry, { scheme }: PlacedReference, { protocolAsked }: Endpoints): void {
  const other = scheme === "local" || scheme === "oras" || scheme === "docker";
  if (!other || protocolAsked === undefined || protocolAsked === "auto") return;
  throw noProtocol(name, protocolAsked);
}

function noProtocol(name: string, protocol: Protocol): SregistryError {
  return new SregistryError(
    "UNSUPPORTED",
    `${name} is no Singularity Registry Server: it cannot be spoken to with --protocol ${protocol}`,
    { hint: "leave --protocol out, or name such a server with --registry" },
  );
}

async function choose(reference: PlacedReference, endpoints: Endpoints): Promise<Registry> {
  switch (reference.scheme) {
    case "local": {
      const { createLocalRegistry, openStore } = await import("./local/index.ts");
      return createLocalRegistry(openStore(endpoints.store));
    }
    case "oras":
    case "docker":
      return openOci(reference.host, endpoints.baseUrl(reference.host), endpoints.transport(reference.host), endpoints);
    case "library":
      return openLibrary(await endpoints.library(reference.host), endpoints);
    case "shub":
      return openShub(reference.host ?? SINGULARITY_HUB, endpoints);
  }
}

async function openOci(host: Host, baseUrl: URL, transport: Transport, endpoints: Endpoints): Promise<Registry> {
  const { createOciRegistry } = await import("./oci/index.ts");
  const { hostRules, uploadSessions: sessions } = endpoints;
  return createOciRegistry({ host, baseUrl, transport, hostRules, sessions });
}

async function openLibrary(endpoint: LibraryEndpoint, endpoints: Endpoints): Promise<Registry> {
  const { createLibraryRegistry } = await import("./library/index.ts");
  const { name, base, front, login, transport, sregistry } = endpoint;
  if (sregistry === undefined && endpoints.protocolAsked === "hmac") throw noProtocol(name, "hmac");
  const { createOciRegistry } = await import("./oci/index.ts");
  const library = createLibraryRegistry({
    name,
    base,
    front,
    login,
    transport,
    sessions: endpoints.uploadSessions,
    ociDirect(url, token) {
      const host = parseHost(url.host);
      const direct = endpoints.bearerTransport(host, token);
      return createOciRegistry({ host, baseUrl: url, transport: direct, hostRules: endpoints.hostRules });
    },
  });
  if (sregistry === undefined) return library;
  const [{ createSregistryRegistry }, { createShubRegistry }] = await Promise.all([
    import("./sregistry/index.ts"),
    import("./shub/index.ts"),
  ]);
  const { root, signing, canSign } = sregistry;
  const shub = createShubRegistry({ name, base: root, transport: signing, hmac: canSign });
  return createSregistryRegistry({
    name,
    base: root,
    login,
    library,
    shub,
    transport: signing,
    bearer: transport,
    canSign,
    protocol: await endpoints.protocol(),
  });
}

/** Where shub:// names went before others served that protocol too; archived since 2021. */
const SINGULARITY_HUB = parseHost("singularity-hub.org");

async function openShub(host: Host, endpoints: Endpoints): Promise<Registry> {
  const { createShubRegistry } = await import("./shub/index.ts");
  const known = await endpoints.shub(host);
  return createShubRegistry({
    base: known?.root ?? endpoints.baseUrl(host),
    transport: known?.signing ?? endpoints.anonymousTransport(host),
    hmac: known?.canSign === true,
  });
}
