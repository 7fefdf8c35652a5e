/** Pushing to a registry under test: a source that counts what is read, sessions in memory, a log that is kept. */
import { Readable } from "node:stream";
import { type Call, silentProgress } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import type { TransportOptions } from "../../src/http/index.ts";
import type { ImageMetadata } from "../../src/image/metadata.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { OciReference } from "../../src/reference/reference.ts";
import { createOciRegistry, type OciOptions } from "../../src/registry/oci/index.ts";
import { capability, type PushRequest, type PushResult, type Registry } from "../../src/registry/registry.ts";
import type { Source } from "../../src/transfer/source.ts";
import type { UploadKey, UploadSession, UploadSessions } from "../../src/transfer/upload-session.ts";
import { type TestClient, testClient } from "./http.ts";

export const MIB = 1024 * 1024;

export interface CountingSource extends Source {
  /** Bytes handed out so far. */
  read(): number;
  /** Every `[start, end)` that was opened. */
  readonly opened: (readonly [number, number])[];
}

export interface SourceOptions {
  /** Called when so many bytes have been handed out; then nothing more comes until it is done. */
  readonly at?: { readonly bytes: number; readonly act: () => void };
  readonly changed?: boolean;
  readonly anonymous?: boolean;
}

const BLOCK = 256 * 1024;

export function countingSource(bytes: Buffer, options: SourceOptions = {}): CountingSource {
  const opened: (readonly [number, number])[] = [];
  let read = 0;
  let met = false;
  async function* blocks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += BLOCK) {
      const block = bytes.subarray(at, Math.min(end, at + BLOCK));
      read += block.length;
      yield block;
      if (options.at === undefined || met || read < options.at.bytes) continue;
      met = true;
      // Time for what was handed out to reach the server.
      await new Promise((done) => setTimeout(done, 50));
      options.at.act();
    }
  }
  return {
    size: bytes.length,
    opened,
    ...(options.anonymous === true ? {} : { identity: digestOf(bytes) }),
    read: () => read,
    open(start, end = bytes.length) {
      opened.push([start, end]);
      return Readable.from(blocks(start, end));
    },
    async unchanged() {
      if (options.changed === true) throw new SregistryError("INTEGRITY", "the file changed while it was being pushed");
    },
  };
}

export interface MemorySessions extends UploadSessions {
  readonly kept: Map<string, UploadSession>;
}

export function memorySessions(): MemorySessions {
  const kept = new Map<string, UploadSession>();
  const name = ({ origin, repository, source }: UploadKey): string => [origin, repository, source].join(" ");
  return {
    kept,
    load: async (key) => kept.get(name(key)),
    save: async (key, session) => void kept.set(name(key), session),
    forget: async (key) => void kept.delete(name(key)),
  };
}

export interface Client {
  readonly registry: Registry;
  readonly transport: TestClient;
  readonly call: Call;
  /** What was said: `level: text`, without the trace. */
  readonly said: string[];
  reference(name: string): OciReference;
  push(name: string, source: Source, more?: Partial<PushRequest>): Promise<PushResult>;
  close(): Promise<void>;
}

export interface ClientOptions extends Partial<Pick<OciOptions, "hostRules" | "sessions">> {
  readonly transport?: Partial<TransportOptions>;
  readonly signal?: AbortSignal;
}

/** A client of the registry at `url`, which it knows as `host` (default: that of the URL). */
export function ociClient(url: URL, options: ClientOptions = {}): Client {
  const transport = testClient(options.transport);
  const said: string[] = [];
  const note = (level: string) => (text: string) => void said.push(`${level}: ${text}`);
  const log = { info: note("info"), warn: note("warn"), verbose: note("verbose"), debug: () => undefined };
  const call: Call = { signal: options.signal ?? new AbortController().signal, progress: silentProgress, log };
  const { hostRules = [], sessions } = options;
  const registry = createOciRegistry({
    host: parseHost(url.host),
    baseUrl: url,
    transport,
    hostRules,
    retry: { base: 1, cap: 2 },
    ...(sessions === undefined ? {} : { sessions }),
  });
  const reference = (name: string): OciReference => {
    const parsed = parseReference(`oras://${url.host}/${name}`);
    if (parsed.scheme !== "oras") throw new Error(`${name} is not at an OCI registry`);
    return parsed;
  };
  return {
    registry,
    transport,
    call,
    said,
    reference,
    push(name, source, more = {}) {
      const named = reference(name);
      const tags = named.selector.kind === "tag" ? [parseTag(named.selector.tag)] : [];
      const request = { reference: named, tags, source, title: "tool.sif", metadata: METADATA, plainManifest: false };
      return capability(registry, "push")({ ...request, ...more }, call);
    },
    close: () => transport.close(),
  };
}

export const METADATA: ImageMetadata = {
  architecture: "amd64",
  labels: { maintainer: "vanessasaur" },
  environment: {},
  runscript: "#!/bin/sh\necho hello\n",
  test: undefined,
  help: undefined,
  deffile: "bootstrap: docker\nfrom: busybox\n",
  startscript: undefined,
  signed: false,
  encrypted: false,
  format: "sif",
};
