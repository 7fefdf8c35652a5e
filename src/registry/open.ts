/** Reference -> Registry: the only place that chooses an endpoint's implementation. */
import { SregistryError } from "../errors.ts";
import type { Transport } from "../http/transport.ts";
import type { Host, PlacedReference } from "../reference/reference.ts";
import type { UploadSessions } from "../transfer/upload-session.ts";
import type { HostRules } from "./oci/hosts.ts";
import type { Registry } from "./registry.ts";

export interface Endpoints {
  transport(): Promise<Transport>;
  /** http or https root of an OCI host. */
  baseUrl(host: Host): Promise<URL>;
  uploadSessions(): Promise<UploadSessions>;
  readonly hostRules: HostRules;
  /** Directory of the embedded registry. */
  readonly store: string;
  readonly offline: boolean;
}

export type Opener = (reference: PlacedReference) => Promise<Registry>;

/** One Registry per endpoint for the life of the program. */
export function createOpener(endpoints: Endpoints): Opener {
  const opened = new Map<string, Promise<Registry>>();
  return (reference) => {
    const key = reference.scheme === "local" ? "local" : `${reference.scheme}://${reference.host ?? ""}`;
    const known = opened.get(key);
    if (known !== undefined) return known;
    const registry = open(reference, endpoints);
    opened.set(key, registry);
    return registry;
  };
}

async function open(reference: PlacedReference, endpoints: Endpoints): Promise<Registry> {
  if (reference.scheme === "local") {
    const { createLocalRegistry, openStore } = await import("./local/index.ts");
    return createLocalRegistry(openStore(endpoints.store));
  }
  if (reference.scheme !== "oras" && reference.scheme !== "docker") {
    throw new SregistryError("UNSUPPORTED", `this version does not speak ${reference.scheme}://`, {
      hint: "oras:// and local:// are supported",
    });
  }
  if (endpoints.offline) {
    throw new SregistryError("NETWORK", `${reference.host} cannot be asked: --offline opens no connection`, {
      hint: "run it without --offline once, so that the image is in the cache",
    });
  }
  const { createOciRegistry } = await import("./oci/index.ts");
  const [transport, baseUrl, sessions] = await Promise.all([
    endpoints.transport(),
    endpoints.baseUrl(reference.host),
    endpoints.uploadSessions(),
  ]);
  return createOciRegistry({ host: reference.host, baseUrl, transport, hostRules: endpoints.hostRules, sessions });
}
