/** One image in an embedded registry behind the faults proxy, and a directory to pull it into. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { type Call, type Progress, silentLog, silentProgress } from "../../src/call.ts";
import { createTransport } from "../../src/http/index.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { createLocalRegistry, openStore } from "../../src/registry/local/index.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import { capability, type ImageInfo, type Registry } from "../../src/registry/registry.ts";
import { createRegistryServer } from "../../src/server/server.ts";
import { type Download, type DownloadResult, downloadToFile } from "../../src/transfer/download.ts";
import { journalPath, readJournal } from "../../src/transfer/journal.ts";
import { ownPath, partialPath } from "../../src/transfer/partial.ts";
import { type Faults, type SeenRequest, startFaults } from "./faults.ts";
import { makeSif } from "./sif.ts";

export const BLOB = { method: "GET", path: /\/blobs\// } as const;

export interface DownloadSite extends AsyncDisposable {
  readonly faults: Faults;
  readonly registry: Registry;
  readonly image: ImageInfo;
  readonly bytes: Buffer;
  readonly directory: string;
  /** `image.sif` in the directory. */
  readonly target: string;
  /** Log lines and states of the progress, in order. */
  readonly story: string[];
  pull(more?: Partial<Download>): Promise<DownloadResult>;
  /** Range headers of the blob requests, in order; undefined for one without. */
  ranges(): readonly (string | undefined)[];
  /** Names in the directory. */
  files(): Promise<readonly string[]>;
  content(name?: string): Promise<Buffer>;
  /** What an interrupted pull left: nothing but the partial and its journal, which tells no byte that is not there. */
  kept(): Promise<Kept>;
}

export interface Kept {
  /** How many are there. */
  readonly bytes: number;
  /** Range headers for what is missing. */
  readonly rest: readonly string[];
}

/** A SIF of somewhat more than `size` bytes, all of them different from image to image. */
export function madeImage(size: number): Buffer {
  return makeSif([{ type: 0x4004, content: randomBytes(size) }]);
}

const RETRY = { base: 1, cap: 2 };

export async function downloadSite(bytes = madeImage(3 * 1024 * 1024)): Promise<DownloadSite> {
  const root = await mkdtemp(join(tmpdir(), "sregistry-download-"));
  const directory = await mkdtemp(join(tmpdir(), "sregistry-target-"));
  const store = openStore(root);
  await pushBytes(createLocalRegistry(store), bytes);
  const server = await createRegistryServer({ store, listen: { host: "127.0.0.1", port: 0 }, log: silentLog });
  const faults = await startFaults({ upstream: new URL(server.url) });
  const transport = createTransport({
    userAgent: "sregistry-test",
    retry: RETRY,
    timeouts: { connect: 5000, headers: 1500, idle: 1500 },
  });
  const registry = createOciRegistry({ host: parseHost(faults.host), baseUrl: faults.url, transport, retry: RETRY });
  const story: string[] = [];
  const call = callThatTells(story);
  const image = await registry.resolve(placed(`oras://${faults.host}/lab/image:1`), {}, call);
  faults.clear();
  const target = join(directory, "image.sif");
  return {
    faults,
    registry,
    image,
    bytes,
    directory,
    target,
    story,
    pull: (more = {}) => downloadToFile({ registry, image, target, force: false, call, retry: RETRY, ...more }),
    ranges: () => blobRequests(faults).map(({ headers }) => headers["range"]),
    files: async () => (await readdir(directory)).sort(),
    content: (name = "image.sif") => readFile(join(directory, name)),
    kept: () => keptBeside(target, image, bytes),
    async [Symbol.asyncDispose]() {
      await faults.close();
      await transport.close();
      await server.close(0);
      await rm(root, { recursive: true, force: true });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function keptBeside(target: string, image: ImageInfo, bytes: Buffer): Promise<Kept> {
  const path = partialPath(target, image.digest);
  // A killed process leaves its lock, too.
  const names = (await readdir(dirname(target))).filter((name) => !name.includes(".lock")).sort();
  const journal = await readJournal(path);
  if (journal?.digest !== image.digest || journal?.size !== bytes.length) throw new Error("a journal of another image");
  const own = ownPath(path, journal.id);
  if (
    names.join() !==
    [own, journalPath(path)]
      .map((name) => basename(name))
      .sort()
      .join()
  ) {
    throw new Error(`left: ${names.join()}`);
  }
  const file = await readFile(own);
  for (const [start, end] of journal.done.toJSON()) {
    if (!file.subarray(start, end).equals(bytes.subarray(start, end))) throw new Error(`wrong: ${start} to ${end}`);
  }
  const rest = journal.done.gaps(0, bytes.length).map(([start, end]) => `bytes=${start}-${end - 1}`);
  return { bytes: journal.done.bytes, rest };
}

function blobRequests(faults: Faults): readonly SeenRequest[] {
  return faults.requests.filter(({ method, path }) => method === BLOB.method && BLOB.path.test(path));
}

export function callThatTells(story: string[], signal = new AbortController().signal): Call {
  const tell = (level: string) => (text: string) => void story.push(`${level}: ${text}`);
  const progress: Progress = {
    start: () => ({
      at() {},
      state: tell("state"),
      done: () => tell("task")("done"),
      fail: () => tell("task")("fail"),
    }),
  };
  return { signal, progress, log: { ...silentLog, info: tell("info"), warn: tell("warn") } };
}

export function placed(text: string): PlacedReference {
  const reference = parseReference(text);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}

export async function pushBytes(registry: Registry, bytes: Buffer, name = "lab/image:1"): Promise<void> {
  const reference = placed(`local://${name}`);
  if (reference.selector.kind !== "tag") throw new Error(`${name} has no tag`);
  const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
  await capability(registry, "push")(
    {
      reference,
      tags: [reference.selector.tag],
      source: {
        size: bytes.length,
        identity: digestOf(bytes),
        open: (start, end = bytes.length) => Readable.from([bytes.subarray(start, end)]),
        unchanged: async () => undefined,
      },
      title: "image.sif",
      metadata: undefined,
      plainManifest: false,
    },
    call,
  );
}
