/** An endpoint of its own for one round: an embedded registry on a fresh store behind the faults proxy, and clients of it. */
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { silentLog } from "../../src/call.ts";
import { createTransport } from "../../src/http/index.ts";
import type { Transport } from "../../src/http/transport.ts";
import { parseHost } from "../../src/reference/host.ts";
import { createLibraryRegistry } from "../../src/registry/library/index.ts";
import { createLocalRegistry, openStore } from "../../src/registry/local/index.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { createRegistryServer } from "../../src/server/server.ts";
import { createUploadSessions } from "../../src/transfer/sessions.ts";
import { type Faults, startFaults } from "../support/faults.ts";
import { Broken, within } from "./invariants.ts";
import { misbehave } from "./misbehave.ts";
import type { Kind, Plan } from "./plan.ts";

export const RETRY = { base: 1, cap: 2 };
/** Milliseconds. */
const HASTY = { connect: 2_000, headers: 300, idle: 300 };
const PATIENT = { connect: 20_000, headers: 20_000, idle: 20_000 };
/** Bytes: the border is tried from both sides by images of at most 40 MiB. */
const PART = 1024 * 1024;
/** Milliseconds after which nothing of a settled promise is on its way to the server any more, and after which no Retry-After is left. */
const ON_ITS_WAY = 60;
const LATE = 1_300;

/** The name of an image in the store, however it came there. */
export function storedName(tag: string, path = "lab/image"): string {
  return `local://${path}:${tag}`;
}

/** A closing request may wait for a quarter of an hour, and nobody soaks that long. */
function hurried(transport: Transport): Transport {
  return {
    send: ({ headersTimeout: _longer, ...request }) => transport.send(request),
    close: () => transport.close(),
  };
}

/** What one try is made with; it is let go of when the try is over. */
export interface Client {
  registry(kind: Kind, place?: Place): Registry;
}

export class Place {
  readonly root: string;
  readonly faults: Faults;
  #server: Awaited<ReturnType<typeof createRegistryServer>>;
  #calm = false;
  readonly #watches: Promise<void>[] = [];
  #clients = 0;

  private constructor(root: string, server: Awaited<ReturnType<typeof createRegistryServer>>, faults: Faults) {
    this.root = root;
    this.#server = server;
    this.faults = faults;
  }

  static async open(root: string): Promise<Place> {
    const server = await createRegistryServer({
      store: openStore(root),
      listen: { host: "127.0.0.1", port: 0 },
      multipartPartSize: PART,
      log: silentLog,
    });
    return new Place(root, server, await startFaults({ upstream: new URL(server.url) }));
  }

  misbehave(plan: Plan): void {
    misbehave(this.faults, this.#server.url, plan, () => !this.#calm);
  }

  /** From now on everything goes well. */
  calm(): void {
    this.#calm = true;
  }

  /** What the store holds, whatever the network does. */
  get store(): Registry {
    return createLocalRegistry(openStore(this.root));
  }

  /** The name of an image for a client; local:// is the store itself. */
  nameOf(kind: Kind, tag: string, path = "lab/image"): string {
    if (kind === "local") return storedName(tag, path);
    const { host } = this.faults;
    if (kind === "oras" || kind === "shub") return `${kind}://${host}/${path}:${tag}`;
    // The embedded registry is one entity, whatever it is called.
    return `library://${host}/soak/${path}:${tag}`;
  }

  /** When the place is closed, requests of this client that went out after `work` has settled are told. */
  async client<T>(sessions: string, work: (client: Client) => Promise<T>, others: readonly Place[] = []): Promise<T> {
    this.#clients += 1;
    const userAgent = `soak/${this.#clients}`;
    const timeouts = this.#calm ? PATIENT : HASTY;
    const transport = hurried(createTransport({ userAgent, retry: RETRY, timeouts }));
    const registry = (kind: Kind, place: Place = this): Registry => place.#registry(kind, transport, sessions);
    try {
      return await work({ registry });
    } finally {
      const places = [this, ...others];
      const count = (): number =>
        places.reduce(
          (sum, { faults }) => sum + faults.count({ when: ({ headers }) => headers["user-agent"] === userAgent }),
          0,
        );
      this.#watches.push(
        this.#watchLate(count).finally(() => within(10_000, "a transport does not close", transport.close())),
      );
    }
  }

  async #watchLate(count: () => number): Promise<void> {
    await sleep(ON_ITS_WAY);
    for (let turns = 0; turns < 3; turns += 1) await turn();
    const before = count();
    await sleep(LATE);
    const late = count() - before;
    if (late > 0) throw new Broken(`${late} requests went out after all was over`);
  }

  #registry(kind: Kind, transport: Transport, sessionDirectory: string): Registry {
    const base = this.faults.url;
    const sessions = createUploadSessions(join(sessionDirectory, "sessions"));
    if (kind === "local") return this.store;
    if (kind === "shub") return createShubRegistry({ base, transport, retry: RETRY });
    if (kind === "oras") {
      return createOciRegistry({ host: parseHost(this.faults.host), baseUrl: base, transport, sessions, retry: RETRY });
    }
    const multipartAbove = kind === "parts" ? PART : Number.MAX_SAFE_INTEGER;
    return createLibraryRegistry({ base, front: base, transport, sessions, multipartAbove, retry: RETRY });
  }

  /** @throws Broken where a client did not leave it alone when its work had settled. */
  async close(): Promise<void> {
    try {
      await Promise.all(this.#watches);
    } finally {
      await Promise.allSettled(this.#watches);
      await this.faults.close();
      await this.#server.close(0);
    }
  }
}
