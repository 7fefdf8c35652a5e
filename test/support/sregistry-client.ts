/** A client of a scripted Singularity Registry Server: logged in, with a log that is kept and a library that says what it is told. */
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { capability, type PushRequest, type PushResult, type Registry } from "../../src/registry/registry.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { createSregistryRegistry, type SregistryOptions } from "../../src/registry/sregistry/index.ts";
import { Secret } from "../../src/secret.ts";
import type { Source } from "../../src/transfer/source.ts";
import { type TestClient, testClient } from "./http.ts";
import { countingSource, METADATA } from "./oci-client.ts";
import { TOKEN, USER } from "./sregistry-peer.ts";

export interface SregistryClient {
  readonly registry: Registry;
  readonly transport: TestClient;
  readonly call: Call;
  /** What was said: `level: text`, without the trace. */
  readonly said: string[];
  push(name: string, bytes: Buffer | Source, more?: Partial<PushRequest>): Promise<PushResult>;
  close(): Promise<void>;
}

export interface SregistryClientOptions
  extends Partial<Pick<SregistryOptions, "protocol" | "readBackWaits" | "library">> {
  /** Default: the right login. */
  readonly token?: string | undefined;
}

export function sregistryClient(base: URL, options: SregistryClientOptions = {}): SregistryClient {
  const { protocol = "hmac", library = NO_LIBRARY, readBackWaits = [1, 1] } = options;
  const token = "token" in options ? options.token : TOKEN;
  const login = token === undefined ? {} : { hmac: { origin: base.origin, username: USER, token: new Secret(token) } };
  const transport = testClient({
    ...login,
    credentials: {
      async find({ host }) {
        if (token === undefined || parseHost(host) !== base.host) return undefined;
        return { kind: "bearer", from: "the test", token: new Secret(token) };
      },
    },
  });
  const said: string[] = [];
  const note = (level: string) => (text: string) => void said.push(`${level}: ${text}`);
  const log = { info: note("info"), warn: note("warn"), verbose: note("verbose"), debug: () => undefined };
  const call: Call = { signal: new AbortController().signal, progress: silentProgress, log };
  const retry = { base: 1, cap: 2 };
  const canSign = token !== undefined;
  const name = "the registry";
  const shub = createShubRegistry({ name, base, transport, hmac: canSign, retry });
  const registry = createSregistryRegistry({
    name,
    base,
    library,
    shub,
    transport,
    bearer: transport,
    canSign,
    protocol,
    retry,
    readBackWaits,
  });
  return {
    registry,
    transport,
    call,
    said,
    push(text, bytes, more = {}) {
      const reference = named(text);
      const tags = reference.selector.kind === "tag" ? [reference.selector.tag] : [];
      const source = Buffer.isBuffer(bytes) ? countingSource(bytes) : bytes;
      const request = { reference, tags, source, title: "tool.sif", metadata: METADATA, plainManifest: false };
      return capability(registry, "push")({ ...request, ...more }, call);
    },
    close: () => transport.close(),
  };
}

/** `lab/app:1` -> `library://lab/app:1` */
export function named(text: string): PlacedReference {
  const reference = parseReference(text.includes("://") ? text : `library://${text}`);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}

/** A server without the library protocol. */
export const NO_LIBRARY: Registry = {
  name: "no library",
  async resolve() {
    throw new SregistryError("NOT_FOUND", "the library has no such image");
  },
  async read() {
    throw new SregistryError("INTERNAL", "nothing was resolved here");
  },
  can: {},
};

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export const quietCall: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
