/** Every endpoint behind the contract suite, each on a fresh store. */
import { silentLog } from "../../src/call.ts";
import { createTransport } from "../../src/http/index.ts";
import { parseHost } from "../../src/reference/host.ts";
import { createLibraryRegistry } from "../../src/registry/library/index.ts";
import { createLocalRegistry } from "../../src/registry/local/index.ts";
import { openStore } from "../../src/registry/local/store.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import type { Capabilities, Registry } from "../../src/registry/registry.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { createRegistryServer } from "../../src/server/server.ts";

export interface Endpoint {
  readonly registry: Registry;
  /** What a name of this endpoint begins with: `local://`, `oras://127.0.0.1:40123/`. */
  readonly prefix: string;
  /** For an endpoint that is only read: where the images for it are pushed. */
  readonly writer?: { readonly registry: Registry; readonly prefix: string };
  close(): Promise<void>;
}

export interface EndpointKind {
  readonly title: string;
  /** Powers of the port that the protocol does not have. */
  readonly lacks?: readonly (keyof Capabilities)[];
  open(storeDirectory: string): Promise<Endpoint>;
}

export const ENDPOINTS: readonly EndpointKind[] = [
  { title: "local:// on a store", open: openLocal },
  { title: "oras:// at the embedded registry", open: openOci },
  { title: "library:// at the embedded registry", lacks: ["metadata"], open: openLibrary },
  {
    title: "shub:// at the embedded registry",
    lacks: ["push", "tags", "repositories", "tag", "delete"],
    open: openShub,
  },
];

async function openLocal(directory: string): Promise<Endpoint> {
  return { registry: createLocalRegistry(openStore(directory)), prefix: "local://", close: async () => undefined };
}

async function openLibrary(directory: string): Promise<Endpoint> {
  const { base, transport, close } = await serve(directory);
  return { registry: createLibraryRegistry({ base, front: base, transport }), prefix: "library://", close };
}

async function openShub(directory: string): Promise<Endpoint> {
  const { base, transport, close } = await serve(directory);
  const writer = { registry: createLocalRegistry(openStore(directory)), prefix: "local://" };
  return { registry: createShubRegistry({ base, transport }), prefix: "shub://", writer, close };
}

async function openOci(directory: string): Promise<Endpoint> {
  const { base, transport, close } = await serve(directory);
  const registry = createOciRegistry({ host: parseHost(base.host), baseUrl: base, transport });
  return { registry, prefix: `oras://${base.host}/`, close };
}

/** The embedded registry, and an anonymous transport to it. */
async function serve(directory: string) {
  const server = await createRegistryServer({
    store: openStore(directory),
    listen: { host: "127.0.0.1", port: 0 },
    log: silentLog,
  });
  const transport = createTransport({ userAgent: "sregistry-test", env: {}, log: silentLog });
  return {
    base: new URL(server.url),
    transport,
    async close() {
      await transport.close();
      await server.close();
    },
  };
}
