/** Two endpoints and a copy between them: names below `from/` are at the one, all others at the other. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import {
  type CopyAllInput,
  type CopyEntry,
  type CopyOptions,
  type CopyOutcome,
  copy,
  copyAll,
} from "../../src/client/copy.ts";
import type { RetryLimits } from "../../src/http/retry-policy.ts";
import type { Transport } from "../../src/http/transport.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { createLibraryRegistry } from "../../src/registry/library/index.ts";
import { createLocalRegistry } from "../../src/registry/local/index.ts";
import { openStore } from "../../src/registry/local/store.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import { capability, type ImageInfo, type PushResult, type Registry } from "../../src/registry/registry.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import type { Endpoint, EndpointKind } from "./endpoints.ts";
import { makeSif } from "./sif.ts";

export interface EndpointOptions {
  readonly transport: Transport;
  readonly retry: Partial<RetryLimits>;
  /** Directory of the local store. */
  readonly store: string;
}

/** The endpoint that a reference with a host names, by plain http. */
export function endpointOf(reference: PlacedReference, { transport, retry, store }: EndpointOptions): Registry {
  const { scheme } = reference;
  if (scheme === "local") return createLocalRegistry(openStore(store));
  const host = parseHost(hostOf(reference));
  const baseUrl = new URL(`http://${host}/`);
  if (scheme === "library") return createLibraryRegistry({ base: baseUrl, front: baseUrl, transport, retry });
  if (scheme === "shub") return createShubRegistry({ base: baseUrl, transport, retry });
  return createOciRegistry({ host, baseUrl, transport, retry });
}

export function hostOf(reference: PlacedReference): string {
  return "host" in reference ? (reference.host ?? "") : "";
}

export interface Copying extends AsyncDisposable {
  readonly directory: string;
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** `name` as the source's `from/name`. */
  push(file: string, name: string, ...tags: readonly string[]): Promise<PushResult>;
  copy(source: string, destination: string, options?: TestOptions): Promise<CopyOutcome>;
  copyAll(source: string, destination: string, options?: TestOptions): Promise<readonly CopyEntry[]>;
  /** At the destination. */
  resolve(name: string): Promise<ImageInfo>;
  bytes(name: string): Promise<Buffer>;
  /** A SIF of about so many bytes. */
  file(name: string, size: number): Promise<string>;
}

export interface TestOptions extends CopyOptions {
  readonly tags?: readonly string[];
  readonly signal?: AbortSignal;
}

export function placed(text: string): PlacedReference {
  const reference = parseReference(text);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}

export function callWith(signal: AbortSignal = new AbortController().signal): Call {
  return { signal, progress: silentProgress, log: silentLog };
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export async function copying(source: EndpointKind, destination: EndpointKind): Promise<Copying> {
  const directory = await mkdtemp(join(tmpdir(), "sregistry-copy-"));
  const from = await source.open(join(directory, "from"));
  const to = await destination.open(join(directory, "to"));
  const services = {
    place: async (reference: ReturnType<typeof parseReference>) => placed(textOf(reference)),
    open: async ({ path }: PlacedReference) => (path.startsWith("from/") ? from.registry : to.registry),
  };
  const call = callWith();
  const input = ({ signal: _signal, tags, ...options }: TestOptions, one: string, other: string): CopyAllInput => ({
    source: placed(`${from.prefix}from/${one}`),
    destination: placed(`${to.prefix}${other}`),
    ...options,
    ...(tags === undefined ? {} : { tags: tags.map(parseTag) }),
  });
  return {
    directory,
    from,
    to,
    async push(file, name, ...tags) {
      const { registry, prefix } = from.writer ?? from;
      const reference = placed(`${prefix}from/${name}`);
      await using reader = await fileReader(file);
      const request = {
        reference,
        tags: tags.map(parseTag),
        source: await openFileSource(file),
        title: "tiny.sif",
        metadata: await readImageMetadata(reader),
        plainManifest: false,
      };
      return await capability(registry, "push")(request, call);
    },
    copy: (one, other, options = {}) =>
      copy(services, { allowUnsigned: true, ...input(options, one, other) }, callWith(options.signal)),
    async copyAll(one, other, options = {}) {
      const entries: CopyEntry[] = [];
      const all = copyAll(services, { allowUnsigned: true, ...input(options, one, other) }, callWith(options.signal));
      for await (const entry of all) entries.push(entry);
      return entries;
    },
    resolve: (name) => to.registry.resolve(placed(`${to.prefix}${name}`), {}, call),
    async bytes(name) {
      const image = await to.registry.resolve(placed(`${to.prefix}${name}`), {}, call);
      const chunks: Buffer[] = [];
      for await (const chunk of (await to.registry.read(image, { start: 0 }, call)).body) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    async file(name, size) {
      const path = join(directory, name);
      await writeFile(path, makeSif([{ type: 0x4004, name: "data", content: randomBytes(size) }]));
      return path;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([from.close(), to.close()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function textOf(reference: ReturnType<typeof parseReference>): string {
  const { scheme, path, selector } = reference;
  const host = scheme !== "local" && scheme !== undefined && reference.host !== undefined ? `${reference.host}/` : "";
  const end = selector.kind === "tag" ? `:${selector.tag}` : selector.kind === "digest" ? `@${selector.digest}` : "";
  return `${scheme}://${host}${path}${end}`;
}
