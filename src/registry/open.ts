/** Reference -> Registry: the only place that chooses an endpoint's implementation. */
import { SregistryError } from "../errors.ts";
import type { Transport } from "../http/transport.ts";
import type { Host, PlacedReference } from "../reference/reference.ts";
import type { UploadSessions } from "../transfer/upload-session.ts";
import type { HostRules } from "./oci/hosts.ts";
import type { Registry } from "./registry.ts";

export interface Endpoints {
  transport(host: Host): Transport;
  /** http or https root of an OCI host. */
  baseUrl(host: Host): URL;
  readonly uploadSessions: UploadSessions;
  readonly hostRules: HostRules;
  /** Directory of the embedded registry. */
  readonly store: string;
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
  const { createOciRegistry } = await import("./oci/index.ts");
  const { host } = reference;
  const { hostRules, uploadSessions: sessions } = endpoints;
  const transport = endpoints.transport(host);
  return createOciRegistry({ host, baseUrl: endpoints.baseUrl(host), transport, hostRules, sessions });
}
