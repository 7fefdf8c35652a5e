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
import { createSregistryRegistry } from "../../src/registry/sregistry/index.ts";
import { createRegistryServer } from "../../src/server/server.ts";
import { openUsers } from "../../src/server/users.ts";

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
  /** The protocol cannot name bytes that are there already: each tag is an upload. */
  readonly sendsAgain?: boolean;
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
  { title: "the embedded registry by all that it speaks, nobody logged in", lacks: ["metadata"], open: openEverything },
  {
    title: "the embedded registry by signed pushes",
    lacks: ["metadata", "tag"],
    sendsAgain: true,
    open: openSigned,
  },
];

async function openLocal(directory: string): Promise<Endpoint> {
  return { registry: createLocalRegistry(openStore(directory)), prefix: "local://", close: async () => undefined };
}

async function openLibrary(directory: string): Promise<Endpoint> {
  const { base, transport, close } = await serve(directory);
  return { registry: createLibraryRegistry({ base, front: base, transport }), prefix: "library://", close };
}

async function openEverything(directory: string): Promise<Endpoint> {
  const { base, transport, close } = await serve(directory);
  const library = createLibraryRegistry({ base, front: base, transport });
  const shub = createShubRegistry({ base, transport });
  const options = { base, library, shub, transport, bearer: transport, canSign: false, protocol: "auto" } as const;
  return { registry: createSregistryRegistry(options), prefix: "library://", close };
}

async function openSigned(directory: string): Promise<Endpoint> {
  const { name: username, token } = await openUsers(directory).add("vanessa");
  const { base, close } = await serve(directory);
  const credentials = { find: async () => ({ kind: "bearer", token, from: "the test" }) as const };
  const bearer = createTransport({ userAgent: "sregistry-test", env: {}, credentials });
  const transport = createTransport({
    userAgent: "sregistry-test",
    env: {},
    credentials,
    hmac: { origin: base.origin, username, token },
  });
  const library = createLibraryRegistry({ base, front: base, transport: bearer });
  const shub = createShubRegistry({ base, transport, hmac: true });
  const options = { base, library, shub, transport, bearer, canSign: true, protocol: "hmac" } as const;
  return {
    registry: createSregistryRegistry(options),
    prefix: "library://",
    async close() {
      await Promise.all([bearer.close(), transport.close()]);
      await close();
    },
  };
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
