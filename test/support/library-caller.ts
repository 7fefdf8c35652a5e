/** The client of the library protocol against a server under test, with everything it says written down. */
import { type Call, silentProgress } from "../../src/call.ts";
import type { TransportOptions } from "../../src/http/index.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { createLibraryRegistry, type LibraryOptions } from "../../src/registry/library/index.ts";
import {
  type ByteRange,
  capability,
  type ImageInfo,
  type PushRequest,
  type PushResult,
  type Registry,
} from "../../src/registry/registry.ts";
import { Secret } from "../../src/secret.ts";
import type { Source } from "../../src/transfer/source.ts";
import { type TestClient, testClient } from "./http.ts";
import { LIBRARY_TOKEN } from "./library-kinds.ts";
import { countingSource, METADATA } from "./oci-client.ts";

export interface LibraryClient {
  readonly registry: Registry;
  readonly transport: TestClient;
  readonly call: Call;
  /** What was said: `level: text`, without the trace. */
  readonly said: string[];
  resolve(name: string, architecture?: string): Promise<ImageInfo>;
  /** The bytes of one answer. */
  read(image: ImageInfo, range: ByteRange): Promise<Buffer>;
  push(name: string, bytes: Buffer | Source, more?: Partial<PushRequest>): Promise<PushResult>;
  close(): Promise<void>;
}

export interface LibraryClientOptions
  extends Partial<Pick<LibraryOptions, "entity" | "sessions" | "multipartAbove" | "ociDirect" | "front">> {
  /** Default: the right one. */
  readonly token?: string | undefined;
  readonly transport?: Partial<TransportOptions>;
  readonly signal?: AbortSignal;
}

export function libraryClient(base: URL, options: LibraryClientOptions = {}): LibraryClient {
  const { token: _token, transport: bends, signal = new AbortController().signal, ...more } = options;
  const token = "token" in options ? options.token : LIBRARY_TOKEN;
  const transport = testClient({
    credentials: {
      async find({ host }) {
        if (token === undefined || parseHost(host) !== base.host) return undefined;
        return { kind: "bearer", from: "the test", token: new Secret(token) };
      },
    },
    ...bends,
  });
  const said: string[] = [];
  const note = (level: string) => (text: string) => void said.push(`${level}: ${text}`);
  const log = { info: note("info"), warn: note("warn"), verbose: note("verbose"), debug: () => undefined };
  const call: Call = { signal, progress: silentProgress, log };
  const retry = { base: 1, cap: 2 };
  const registry = createLibraryRegistry({ name: "the library", base, front: base, transport, retry, ...more });
  return {
    registry,
    transport,
    call,
    said,
    resolve: (name, architecture = "amd64") => registry.resolve(named(name), { architecture }, call),
    async read(image, range) {
      const chunks: Buffer[] = [];
      for await (const chunk of (await registry.read(image, range, call)).body) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    push(name, bytes, bends = {}) {
      const reference = named(name);
      const tags = reference.selector.kind === "tag" ? [parseTag(reference.selector.tag)] : [];
      const source = Buffer.isBuffer(bytes) ? countingSource(bytes) : bytes;
      const request = { reference, tags, source, title: "tool.sif", metadata: METADATA, plainManifest: false };
      return capability(registry, "push")({ ...request, ...bends }, call);
    },
    close: () => transport.close(),
  };
}

/** `lab/tools/app:1.0` -> `library://lab/tools/app:1.0` */
export function named(text: string): PlacedReference {
  const reference = parseReference(text.includes("://") ? text : `library://${text}`);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}
