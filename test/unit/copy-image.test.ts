/** Where one side stores SIFs and not OCI documents: what is read, what is sent, and what is refused. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { type CopyOptions, copy, copyAll } from "../../src/client/copy.ts";
import { parseDestination } from "../../src/client/copy-names.ts";
import { createTransport } from "../../src/http/index.ts";
import type { Transport } from "../../src/http/transport.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { parseTag } from "../../src/reference/name.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { openStore } from "../../src/registry/local/store.ts";
import { capability, type Registry } from "../../src/registry/registry.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import { callWith, endpointOf, placed } from "../support/copying.ts";
import { cutResponse, type Faults, startFaults, wrongByte } from "../support/faults.ts";
import { FIXTURES } from "../support/program.ts";
import { type TestServer, testServer } from "../support/registry-server.ts";
import { makeSif } from "../support/sif.ts";
import { makeSignedSif } from "../support/signed-sif.ts";

const TINY = join(FIXTURES, "tiny.sif");
const ARM = join(FIXTURES, "tiny_arm64.sif");
const MIB = 1024 * 1024;
const retry = { base: 1, cap: 1 };

let source: TestServer;
let target: TestServer;
let from: Faults;
let to: Faults;
let directory: string;
let transport: Transport;
let endpoints: Map<string, Registry>;

beforeEach(async () => {
  source = await testServer();
  target = await testServer();
  from = await startFaults({ upstream: new URL(source.url) });
  to = await startFaults({ upstream: new URL(target.url) });
  directory = await mkdtemp(join(tmpdir(), "sregistry-copy-"));
  transport = createTransport({ userAgent: "sregistry-test", env: {}, log: silentLog, retry });
  endpoints = new Map();
});
afterEach(async () => {
  await transport.close();
  await Promise.all([from.close(), to.close()]);
  await Promise.all([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()]);
  await rm(directory, { recursive: true, force: true });
});

const services = {
  place: async (reference: unknown) => reference as PlacedReference,
  async open(reference: PlacedReference): Promise<Registry> {
    const key = `${reference.scheme} ${"host" in reference ? reference.host : ""}`;
    const registry = endpoints.get(key) ?? endpointOf(reference, { transport, retry, store: join(directory, "store") });
    endpoints.set(key, registry);
    return registry;
  },
};

const run = (one: string, other: string, options: CopyOptions = {}) =>
  copy(services, { source: placed(one), ...parseDestination(other, []), ...options }, callWith());
async function runAll(one: string, other: string, options: CopyOptions = {}) {
  const input = { source: placed(one), destination: placed(other), ...options };
  const entries: string[] = [];
  for await (const entry of copyAll(services, input, callWith())) {
    entries.push(`${entry.tag} ${entry.failed === undefined ? entry.outcome : entry.failed.message}`);
  }
  return entries;
}

/** At the source's server itself, past the faults. */
async function push(file: string, reference: PlacedReference, ...tags: readonly string[]) {
  await using reader = await fileReader(file);
  return await capability(await services.open(reference), "push")(
    {
      reference,
      tags: tags.map(parseTag),
      source: await openFileSource(file),
      title: "tool.sif",
      metadata: await readImageMetadata(reader),
      plainManifest: false,
    },
    callWith(),
  );
}

async function made(name: string, bytes: Buffer): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, bytes);
  return file;
}
const large = (): Buffer => makeSif([{ type: 0x4004, name: "data", content: randomBytes(9 * MIB) }]);

const library = (server: { readonly host: string }, name: string) => `library://${server.host}/lab/tools/${name}`;
const host = (server: TestServer) => ({ host: new URL(server.url).host });

async function digestAt(name: string): Promise<string | undefined> {
  const reference = placed(name);
  return (await (await services.open(reference)).resolve(reference, {}, callWith())).digest;
}
const digestOfFile = async (file: string) =>
  `sha256:${createHash("sha256")
    .update(await readFile(file))
    .digest("hex")}`;

describe("library:// to oras://", () => {
  it("has the image's metadata at once, without its title's tag", async () => {
    await push(TINY, placed(library(host(source), "tiny:1.0")), "1.0", "latest");
    const outcome = await run(library(from, "tiny:1.0"), `oras://${to.host}/lab/tiny`);
    expect(outcome).toMatchObject({ outcome: "copied", references: [`oras://${to.host}/lab/tiny:1.0`] });
    const registry = await services.open(placed(`oras://${to.host}/lab/tiny`));
    const image = await registry.resolve(placed(`oras://${to.host}/lab/tiny:1.0`), {}, callWith());
    await using reader = await fileReader(TINY);
    expect(await capability(registry, "metadata")(image, callWith())).toEqual(await readImageMetadata(reader));
    const latest = await run(library(from, "tiny:latest"), `oras://${to.host}/lab/tiny`);
    expect(latest).toMatchObject({ outcome: "copied", pinned: outcome.pinned });
  });

  it("looks for the bytes before it reads them", async () => {
    const file = await made("large.sif", large());
    await push(file, placed(library(host(source), "tool:1")), "1");
    await run(library(from, "tool:1"), `oras://${to.host}/lab/tool:1`);
    from.clear();
    to.clear();
    expect(await run(library(from, "tool:1"), `oras://${to.host}/lab/tool:2`)).toMatchObject({
      outcome: "copied",
      transferred: 0,
    });
    expect(to.requests.filter(({ bodyBytes }) => bodyBytes > MIB)).toEqual([]);
  });

  it("goes on reading where the connection broke", async () => {
    const file = await made("large.sif", large());
    await push(file, placed(library(host(source), "tool:1")), "1");
    const bytes = {
      method: "GET",
      path: /imagefile/,
      when: ({ headers }: { headers: object }) => !("range" in headers),
    };
    from.on({ ...bytes, times: 1 }, cutResponse({ after: 5 * MIB, how: "rst" }));
    await run(library(from, "tool:1"), `oras://${to.host}/lab/tool:1`);
    expect(await digestAt(`oras://${to.host}/lab/tool:1`)).toBe(await digestOfFile(file));
  });

  it.each(["oras", "local", "library"])("sets no tag at %s:// when the source's bytes are wrong", async (scheme) => {
    const file = await made("large.sif", large());
    await push(file, placed(library(host(source), "tool:1")), "1");
    // Behind the descriptors, so that only the digest can tell.
    from.on({ method: "GET", path: /imagefile/ }, wrongByte(8 * MIB));
    const there =
      { oras: `oras://${to.host}/lab/tool:1`, local: "local://lab/tool:1" }[scheme] ?? library(to, "tool:1");
    await expect(run(library(from, "tool:1"), there, { allowUnsigned: true })).rejects.toMatchObject({
      code: "INTEGRITY",
      message: expect.stringMatching(/^source: library:.*tool:1 should have the digest sha256:/),
    });
    await expect(digestAt(there)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("to a library", () => {
  it("gives a second tag to what it has, without the bytes", async () => {
    const file = await made("large.sif", large());
    await push(file, placed(`oras://${host(source).host}/lab/tool:1`), "1", "2", "3");
    const names = [`oras://${from.host}/lab/tool`, library(to, "tool")] as const;
    expect(await runAll(...names, { allowUnsigned: true })).toEqual(["1 copied", "2 copied", "3 copied"]);
    // Twice for the first: a library wants the hashes before the bytes.
    expect(from.count({ method: "GET", path: /blobs/, when: ({ headers }) => headers["range"] === undefined })).toBe(2);
    expect(await runAll(...names, { allowUnsigned: true })).toEqual(["1 same", "2 same", "3 same"]);
    expect(await digestAt(library(to, "tool:3"))).toBe(await digestOfFile(file));
  });

  it("keeps one image a tag for each architecture", async () => {
    await push(ARM, placed(`oras://${host(source).host}/lab/tool:1`), "1");
    const names = [`oras://${from.host}/lab/tool:1`, library(to, "tool:1")] as const;
    await run(...names, { allowUnsigned: true });
    const reference = placed(library(to, "tool:1"));
    const image = await (await services.open(reference)).resolve(reference, { architecture: "arm64" }, callWith());
    expect(image.digest).toBe(await digestOfFile(ARM));
    expect(await run(...names, { allowUnsigned: true })).toMatchObject({ outcome: "same", transferred: 0 });
  });

  it("takes signed images only, unless -U says otherwise; what is signed is read from the source", async () => {
    await push(TINY, placed(`oras://${host(source).host}/lab/tool:1`), "1");
    const parts = [{ type: 0x4004, name: "data", content: randomBytes(3 * MIB) }];
    const signed = makeSignedSif(parts);
    await push(await made("signed.sif", signed), placed(`oras://${host(source).host}/lab/tool:2`), "2");
    const changed = Buffer.from(signed);
    changed.writeUInt8(changed.readUInt8(2 * MIB) ^ 1, 2 * MIB);
    await push(await made("changed.sif", changed), placed(`oras://${host(source).host}/lab/tool:3`), "3");
    const way = (tag: string) => run(`oras://${from.host}/lab/tool:${tag}`, library(to, `tool:${tag}`));
    await expect(way("1")).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `source: oras://${from.host}/lab/tool:1 is not signed, and this library wants it to be`,
    });
    await expect(way("3")).rejects.toMatchObject({
      message: expect.stringContaining("was changed after it was signed"),
    });
    expect(await way("2")).toMatchObject({ outcome: "copied" });
    await expect(digestAt(library(to, "tool:3"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

it("is a conflict to move a frozen tag, and none to find it right", async () => {
  const file = await made("other.sif", large());
  await push(TINY, placed(`oras://${host(source).host}/lab/tool:1`), "1");
  await push(file, placed(`oras://${host(source).host}/lab/tool:2`), "2");
  await run(`oras://${from.host}/lab/tool:1`, `oras://${to.host}/lab/tool:1`);
  await openStore(target.root).repository("lab/tool").freeze(parseTag("1"), true);
  expect(await run(`oras://${from.host}/lab/tool:1`, `oras://${to.host}/lab/tool:1`)).toMatchObject({
    outcome: "same",
  });
  await expect(run(`oras://${from.host}/lab/tool:2`, `oras://${to.host}/lab/tool:1`)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringMatching(/^destination: .*frozen/),
  });
});

it("refuses another architecture than the one that was asked for", async () => {
  await push(TINY, placed(library(host(source), "tool:1")), "1");
  await expect(run(library(from, "tool:1"), "local://lab/tool:1", { architecture: "aarch64" })).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringMatching(/^source: /),
  });
});
