/** What is read at an OCI registry: names, ranges, lists, what refers to what; and what is deleted. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { goArchitecture } from "../../src/image/architecture.ts";
import { MEDIA_TYPES } from "../../src/image/document.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseRepoPath, parseTag } from "../../src/reference/name.ts";
import { capability, type ImageInfo } from "../../src/registry/registry.ts";
import { forgedRange, ignoreRange, reply, startFaults, wrongByte, wrongLength } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type Client, countingSource, METADATA, ociClient } from "../support/oci-client.ts";
import { DISTRIBUTION_3, type Quirks, type QuirkyRegistry, REGISTRY_2, startQuirks } from "../support/quirks.ts";
import { makeSif } from "../support/sif.ts";

const SIF = makeSif([{ type: 0x4001, content: randomBytes(5000) }]);
const ARM64 = await readFile(join(import.meta.dirname, "../fixtures/tiny_arm64.sif"));
const PATH = parseRepoPath("lab/tool");

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function quirky(quirks: Quirks = {}): Promise<QuirkyRegistry> {
  const registry = await startQuirks(quirks);
  open.push(registry);
  return registry;
}

async function faultsBefore({ url }: QuirkyRegistry) {
  const faults = await startFaults({ upstream: url });
  open.push(faults);
  return faults;
}

function clientOf({ url }: { readonly url: URL }): Client {
  const client = ociClient(url);
  open.push(client);
  return client;
}

async function bytesOf(client: Client, image: ImageInfo, start: number, end?: number): Promise<Buffer> {
  const part = await client.registry.read(image, end === undefined ? { start } : { start, end }, client.call);
  const chunks: Buffer[] = [];
  for await (const chunk of part.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const resolve = (client: Client, name: string, architecture?: string): Promise<ImageInfo> =>
  client.registry.resolve(client.reference(name), architecture === undefined ? {} : { architecture }, client.call);

interface Shape {
  readonly tag?: string;
  readonly layerType?: string;
  readonly config?: { readonly mediaType: string; readonly bytes: Buffer };
  readonly subject?: string;
  readonly type?: string;
  readonly artifactType?: string;
}

/** An image as some client has pushed it. Returns the manifest's digest. */
function put(registry: QuirkyRegistry, sif: Buffer, shape: Shape = {}): string {
  const { tag, layerType = MEDIA_TYPES.sifLayer, config, subject, artifactType, type = MEDIA_TYPES.manifest } = shape;
  const { mediaType = MEDIA_TYPES.sifConfig, bytes = Buffer.from("{}") } = config ?? {};
  const descriptor = (of: string, content: Buffer) => ({
    mediaType: of,
    size: content.length,
    digest: registry.content.putBlob("lab/tool", content),
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: type,
    artifactType,
    config: descriptor(mediaType, bytes),
    layers: [descriptor(layerType, sif)],
    subject: subject === undefined ? undefined : { mediaType: MEDIA_TYPES.manifest, digest: subject, size: 1 },
  };
  return registry.content.putManifest("lab/tool", tag, manifest, type);
}

describe("a name", () => {
  it("is resolved by one request", async () => {
    const registry = await quirky();
    const manifest = put(registry, SIF, { tag: "1.0" });
    const client = clientOf(registry);
    expect(await resolve(client, "lab/tool:1.0")).toMatchObject({
      size: SIF.length,
      digest: digestOf(SIF),
      manifest,
      mediaType: MEDIA_TYPES.sifLayer,
      annotations: {},
    });
    expect(registry.story()).toEqual(["GET lab/tool/manifests/1.0"]);
  });

  it.each([
    ["a zero-byte config", { config: { mediaType: "application/vnd.sylabs.sif.config.v1", bytes: Buffer.alloc(0) } }],
    ["Singularity's old misspelling", { layerType: "appliciation/vnd.sylabs.sif.layer.tar" }],
    ["a docker manifest", { type: MEDIA_TYPES.dockerManifest }],
    ["a layer of no particular type", { layerType: "application/vnd.oci.image.layer.v1.tar" }],
  ])("leads to a SIF with %s", async (_what, shape) => {
    const registry = await quirky();
    put(registry, SIF, { tag: "1.0", ...shape });
    const client = clientOf(registry);
    const image = await resolve(client, "lab/tool:1.0");
    expect((await bytesOf(client, image, 0)).equals(SIF)).toBe(true);
  });

  it("of a layer that is no SIF is refused, by its first bytes alone", async () => {
    const registry = await quirky();
    put(registry, randomBytes(50_000), { tag: "1.0", layerType: "application/octet-stream" });
    expect(await failureOf(resolve(clientOf(registry), "lab/tool:1.0"))).toMatchObject({ code: "IMAGE_INVALID" });
    expect(registry.requests.at(-1)?.headers.range).toBe("bytes=0-127");
  });

  it("of an index leads to the image for the architecture", async () => {
    const registry = await quirky();
    const own = goArchitecture(process.arch);
    const entries = [own, "riscv64"].map((architecture) => {
      const sif = makeSif([{ type: 0x4001, content: architecture }]);
      const digest = put(registry, sif);
      const platform = { os: "linux", architecture };
      return { sif, digest, entry: { mediaType: MEDIA_TYPES.manifest, digest, size: 1, platform } };
    });
    const manifests = entries.map(({ entry }) => entry);
    registry.content.putManifest(
      "lab/tool",
      "all",
      { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests },
      MEDIA_TYPES.index,
    );
    const client = clientOf(registry);
    const [first, second] = entries;
    expect(await resolve(client, "lab/tool:all")).toMatchObject({ manifest: first?.digest, architecture: own });
    const other = await resolve(client, "lab/tool:all", "riscv64");
    expect(other).toMatchObject({ manifest: second?.digest, architecture: "riscv64" });
    expect((await bytesOf(client, other, 0)).equals(second?.sif ?? Buffer.alloc(0))).toBe(true);
    expect(await failureOf(resolve(client, "lab/tool:all", "s390x"))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("of a manifest alone says which architecture its image is for, when one was asked for", async () => {
    const registry = await quirky();
    put(registry, ARM64, { tag: "1.0" });
    put(registry, randomBytes(50_000), { tag: "any-file" });
    const client = clientOf(registry);
    expect(await resolve(client, "lab/tool:1.0")).toMatchObject({ architecture: undefined });
    expect(registry.requests.at(-1)?.path).toContain("/manifests/");
    expect(await resolve(client, "lab/tool:1.0", "amd64")).toMatchObject({ architecture: "arm64" });
    expect(registry.requests.at(-1)?.headers.range).toBe("bytes=0-127");
    expect(await resolve(client, "lab/tool:any-file", "amd64")).toMatchObject({ architecture: undefined });
  });

  it("that is not there may be one that is not for you", async () => {
    const registry = await quirky();
    expect(await failureOf(resolve(clientOf(registry), "lab/tool:9.9"))).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining(`oras://${registry.host}/lab/tool:9.9 is not there, or not for you`),
      hint: `sregistry list oras://${registry.host}/lab/tool, or sregistry login ${registry.host}`,
    });
  });

  it("whose manifest was changed on the way is refused", async () => {
    const registry = await quirky();
    const manifest = put(registry, SIF, { tag: "1.0" });
    const faults = await faultsBefore(registry);
    faults.on({ path: /manifests/ }, wrongByte(20));
    for (const name of ["lab/tool:1.0", `lab/tool@${manifest}`]) {
      expect(await failureOf(resolve(clientOf(faults), name))).toMatchObject({
        code: "INTEGRITY",
        message: expect.stringContaining(manifest),
      });
    }
  });

  it("is asked for again when its manifest breaks off", async () => {
    const registry = await quirky();
    const manifest = put(registry, SIF, { tag: "1.0" });
    const faults = await faultsBefore(registry);
    faults.on({ path: /manifests/, times: 2 }, wrongLength(10));
    expect(await resolve(clientOf(faults), "lab/tool:1.0")).toMatchObject({ manifest });
    expect(faults.count({ path: /manifests/ })).toBe(3);
  });

  it("gives an image's metadata from the config that a push left", async () => {
    const registry = await quirky();
    const client = clientOf(registry);
    await client.push("lab/tool:1.0", countingSource(SIF));
    const image = await resolve(client, "lab/tool:1.0");
    expect(await capability(client.registry, "metadata")(image, client.call)).toEqual(METADATA);
    put(registry, SIF, { tag: "other" });
    const other = await resolve(client, "lab/tool:other");
    expect(await capability(client.registry, "metadata")(other, client.call)).toBeUndefined();
  });
});

describe("a range", () => {
  async function imageAt(registry: QuirkyRegistry, at: { readonly url: URL } = registry) {
    put(registry, SIF, { tag: "1.0" });
    const client = clientOf(at);
    return { client, image: await resolve(client, "lab/tool:1.0") };
  }

  it("is exactly the bytes asked for, and at the end nothing is asked (registry:2 answers 416 with a wrong length)", async () => {
    const registry = await quirky();
    const { client, image } = await imageAt(registry);
    expect((await bytesOf(client, image, 100, 228)).equals(SIF.subarray(100, 228))).toBe(true);
    expect((await bytesOf(client, image, SIF.length - 1)).equals(SIF.subarray(-1))).toBe(true);
    registry.forget();
    expect(await bytesOf(client, image, SIF.length)).toEqual(Buffer.alloc(0));
    expect(registry.story()).toEqual([]);
  });

  it("that the server ignores begins at 0, and says so", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry);
    faults.on({ path: /blobs/ }, ignoreRange);
    const { client, image } = await imageAt(registry, faults);
    const part = await client.registry.read(image, { start: 100 }, client.call);
    part.body.destroy();
    expect({ start: part.start, total: part.total }).toEqual({ start: 0, total: SIF.length });
  });

  it.each([
    ["another range than the one asked for", forgedRange(`bytes 0-99/${SIF.length}`), "REPLY_INVALID"],
    ["a range of something larger", forgedRange(`bytes 100-${SIF.length - 1}/${SIF.length + 1}`), "REPLY_INVALID"],
    ["another length than its range has", wrongLength(-1), "INTEGRITY"],
    ["no range at all", reply(206, { body: "x" }), "REPLY_INVALID"],
  ])("that comes as %s is refused", async (_what, fault, code) => {
    const registry = await quirky();
    const faults = await faultsBefore(registry);
    faults.on({ path: /blobs/ }, fault);
    const { client, image } = await imageAt(registry, faults);
    const failure = await failureOf(client.registry.read(image, { start: 100 }, client.call));
    expect(failure.code).toBe(code);
  });

  it("that comes unasked is refused without its bytes in the message", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry);
    faults.on({ path: /blobs/ }, forgedRange(`bytes 100-${SIF.length - 1}/${SIF.length}`));
    const { client, image } = await imageAt(registry, faults);
    const failure = await failureOf(client.registry.read(image, { start: 0 }, client.call));
    expect(failure.code).toBe("REPLY_INVALID");
    expect(failure.message).toMatch(/^127\.0\.0\.1:\d+ was asked for bytes 0-\d+ of .* and sent bytes 100-\d+\/\d+$/);
  });
});

describe("a list", () => {
  async function stocked(quirks: Quirks): Promise<QuirkyRegistry> {
    const registry = await quirky(quirks);
    for (const tag of ["1.0", "2.0", "3.0", `sha256-${"a".repeat(64)}`, `sha256-${"b".repeat(64)}.sig`, "latest"]) {
      put(registry, SIF, { tag });
    }
    return registry;
  }

  it.each(["relative", "absolute"] as const)(
    "of tags goes over pages with %s links, without those of the referrers",
    async (links) => {
      const registry = await stocked({ pageSize: 2, links });
      const client = clientOf(registry);
      expect(await all(capability(client.registry, "tags")(PATH, client.call))).toEqual([
        "1.0",
        "2.0",
        "3.0",
        "latest",
      ]);
      expect(registry.story()).toEqual([
        "GET lab/tool/tags/list?n=1000",
        "GET lab/tool/tags/list?start=2",
        "GET lab/tool/tags/list?start=4",
      ]);
    },
  );

  it("whose consumer has enough asks for no more pages", async () => {
    const registry = await stocked({ pageSize: 2 });
    const client = clientOf(registry);
    for await (const tag of capability(client.registry, "tags")(PATH, client.call)) if (tag === "1.0") break;
    expect(registry.requests).toHaveLength(1);
  });

  it.each([
    ["loop", "never ends"],
    ["foreign", "names a next page that is not its own"],
  ] as const)("with a %s link ends with an error", async (links, words) => {
    const client = clientOf(await stocked({ pageSize: 2, links }));
    const failure = await failureOf(all(capability(client.registry, "tags")(PATH, client.call)));
    expect(failure).toMatchObject({ code: "REPLY_INVALID", message: expect.stringContaining(words) });
  });

  it("of tags that are none leaves those out", async () => {
    const registry = await quirky();
    put(registry, SIF, { tag: "1.0" });
    registry.content.tags.set("lab/tool:not a tag", "");
    const client = clientOf(registry);
    expect(await all(capability(client.registry, "tags")(PATH, client.call))).toEqual(["1.0"]);
    expect(client.said.join("\n")).toContain('"not a tag"');
  });

  it("of repositories", async () => {
    const registry = await stocked({ pageSize: 1 });
    registry.content.putManifest("dinosaur/avocado", "1.0", {});
    const client = clientOf(registry);
    expect(await all(capability(client.registry, "repositories")(client.call))).toEqual([
      "dinosaur/avocado",
      "lab/tool",
    ]);
  });

  it.each([401, 403, 404, 405])("of repositories that nobody gets (%i) is not supported", async (status) => {
    const registry = await quirky();
    const faults = await faultsBefore(registry);
    faults.on({ path: /_catalog/ }, reply(status));
    faults.on({ path: /^\/v2\/$/ }, reply(200, { body: "{}" }));
    const client = clientOf(faults);
    expect(await failureOf(all(capability(client.registry, "repositories")(client.call)))).toEqual({
      code: "UNSUPPORTED",
      message: `${faults.host} does not list its repositories`,
      hint: `name one: sregistry list oras://${faults.host}/PATH`,
    });
  });

  it("of repositories at a registry that lets nobody in without login needs one", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry);
    faults.on({}, reply(401));
    const client = clientOf(faults);
    expect(await failureOf(all(capability(client.registry, "repositories")(client.call)))).toMatchObject({
      code: "UNAUTHORIZED",
    });
  });
});

describe("a deletion", () => {
  async function stocked(quirks: Quirks) {
    const registry = await quirky(quirks);
    const manifest = put(registry, SIF, { tag: "1.0" });
    put(registry, SIF, { tag: "2.0" });
    put(registry, randomBytes(100), { tag: "other" });
    return { registry, manifest, client: clientOf(registry) };
  }
  const remove = (client: Client, name: string) =>
    capability(client.registry, "delete")(client.reference(name), client.call);
  const planned = (client: Client, name: string) =>
    capability(client.registry, "deletable")(client.reference(name), client.call);

  it.each([
    ["distribution v3, which deletes tags", DISTRIBUTION_3],
    ["registry:2, which deletes by digest only", REGISTRY_2],
  ])("of a tag leaves the others at %s", async (_what, quirks) => {
    const { registry, client } = await stocked(quirks);
    const name = `oras://${registry.host}/lab/tool:2.0`;
    expect(await planned(client, "lab/tool:2.0")).toEqual({ deleted: [name] });
    expect(await remove(client, "lab/tool:2.0")).toEqual({ deleted: [name] });
    expect([...registry.content.tags.keys()]).toEqual(["lab/tool:1.0", "lab/tool:other"]);
    expect(await resolve(client, "lab/tool:1.0")).toMatchObject({ digest: digestOf(SIF) });
  });

  it("of a digest takes all its tags along, and tells them before", async () => {
    const { registry, manifest, client } = await stocked(REGISTRY_2);
    const at = `oras://${registry.host}/lab/tool`;
    const deleted = [`${at}:1.0`, `${at}:2.0`, `${at}@${manifest}`];
    expect(await planned(client, `lab/tool@${manifest}`)).toEqual({ deleted });
    expect(registry.content.tags.size).toBe(3);
    expect(await remove(client, `lab/tool@${manifest}`)).toEqual({ deleted });
    expect([...registry.content.tags.keys()]).toEqual(["lab/tool:other"]);
  });

  it("where nothing is deleted says what would turn it on, and leaves nothing behind", async () => {
    const { registry, client } = await stocked({ deletes: "nothing" });
    const before = registry.content.manifests.size;
    expect(await failureOf(remove(client, "lab/tool:2.0"))).toEqual({
      code: "UNSUPPORTED",
      message: `${registry.host} does not delete (status 405)`,
      hint: "deletion may be turned off at this registry: REGISTRY_STORAGE_DELETE_ENABLED=true turns it on at distribution",
    });
    expect(registry.content.tags.size).toBe(3);
    expect(registry.content.manifests.size).toBe(before);
  });

  it("of what is not there is NOT_FOUND", async () => {
    const { client } = await stocked({});
    expect(await failureOf(remove(client, "lab/tool:9.9"))).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("what refers to an image", () => {
  const SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json";

  async function signed(quirks: Quirks) {
    const registry = await quirky(quirks);
    const manifest = put(registry, SIF, { tag: "1.0" });
    const signatures = [1, 2, 3].map((size) =>
      put(registry, randomBytes(size), { subject: manifest, artifactType: SIGNATURE }),
    );
    const client = clientOf(registry);
    const referrers = async () =>
      capability(client.registry, "referrers")(await resolve(client, "lab/tool:1.0"), client.call);
    return { registry, manifest, signatures, client, referrers };
  }

  it("is told by the API, page by page", async () => {
    const { signatures, referrers } = await signed({ referrersApi: true, pageSize: 2 });
    const found = await referrers();
    expect(found.map(({ digest, type }) => ({ digest, type }))).toEqual(
      signatures.map((digest) => ({ digest, type: SIGNATURE })),
    );
  });

  it("is kept under a tag where there is no API: noted by a tag, forgotten by a deletion, other entries untouched", async () => {
    const { registry, manifest, signatures, client, referrers } = await signed(REGISTRY_2);
    expect(await referrers()).toEqual([]);
    const foreign = {
      mediaType: MEDIA_TYPES.manifest,
      digest: `sha256:${"f".repeat(64)}`,
      size: 7,
      artifactType: "application/x-other",
      "x-note": "kept",
    };
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [foreign] };
    const fallback = manifest.replace(":", "-");
    registry.content.putManifest("lab/tool", fallback, index, MEDIA_TYPES.index);
    const [first = ""] = signatures;
    const reference = client.reference(`lab/tool@${first}`);
    const image = { reference, manifest: first as never, size: 1, digest: undefined, architecture: undefined };
    const signature: ImageInfo = { ...image, mediaType: undefined, annotations: {} };
    await capability(client.registry, "tag")(signature, [parseTag("signature")], client.call);
    expect((await referrers()).map(({ digest }) => digest)).toEqual([foreign.digest, first]);
    await capability(client.registry, "delete")(reference, client.call);
    expect((await referrers()).map(({ digest }) => digest)).toEqual([foreign.digest]);
    const kept = registry.content.manifests.get(`lab/tool@${registry.content.tags.get(`lab/tool:${fallback}`)}`);
    expect(JSON.parse(String(kept?.bytes)).manifests).toEqual([foreign]);
  });
});
