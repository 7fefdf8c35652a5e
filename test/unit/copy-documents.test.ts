/** Between OCI registries: images in layers, indexes, signatures; every byte and every digest stays. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { type CopyAllInput, type CopyOptions, copy, copyAll } from "../../src/client/copy.ts";
import { SregistryError } from "../../src/errors.ts";
import { createTransport } from "../../src/http/index.ts";
import type { Transport } from "../../src/http/transport.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { createLocalRegistry } from "../../src/registry/local/index.ts";
import { openStore } from "../../src/registry/local/store.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { callWith, endpointOf, hostOf, placed } from "../support/copying.ts";
import { cutRequest, cutResponse, type Faults, ignoreRange, reply, startFaults, wrongByte } from "../support/faults.ts";
import { pushBlob, type TestServer, testServer } from "../support/registry-server.ts";

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const MIB = 1024 * 1024;

let source: TestServer;
let target: TestServer;
let from: Faults;
let to: Faults;
let store: string;
let transport: Transport;
const retry = { base: 1, cap: 1 };

beforeEach(async () => {
  source = await testServer();
  target = await testServer();
  from = await startFaults({ upstream: new URL(source.url) });
  to = await startFaults({ upstream: new URL(target.url) });
  store = await mkdtemp(join(tmpdir(), "sregistry-copy-"));
  transport = createTransport({ userAgent: "sregistry-test", env: {}, log: silentLog, retry });
});
afterEach(async () => {
  await transport.close();
  await Promise.all([from.close(), to.close()]);
  await Promise.all([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()]);
  await rm(store, { recursive: true, force: true });
});

const opened = new Map<string, Registry>();
const services = {
  place: async (reference: unknown) => reference as PlacedReference,
  open: async (reference: PlacedReference) =>
    opened.get(hostOf(reference)) ?? endpointOf(reference, { transport, retry, store }),
};

type Options = CopyOptions & { readonly tags?: readonly string[] };

function input(one: string, other: string, { tags, ...options }: Options): CopyAllInput {
  const named = tags === undefined ? {} : { tags: tags.map(parseTag) };
  return { source: placed(one), destination: placed(other), ...options, ...named };
}
const run = (one: string, other: string, options: Options = {}, signal?: AbortSignal) =>
  copy(services, input(one, other, options), callWith(signal));
async function runAll(one: string, other: string, options: Options = {}) {
  const entries: string[] = [];
  for await (const entry of copyAll(services, input(one, other, options), callWith())) {
    entries.push(`${entry.tag} ${entry.failed === undefined ? entry.outcome : entry.failed.message}`);
  }
  return entries;
}

interface Made {
  readonly digest: string;
  readonly body: string;
  readonly layers: readonly string[];
}

async function put(server: TestServer, name: string, tag: string, body: string, type: string): Promise<void> {
  const headers = { "content-type": type };
  const { status } = await server.ask("PUT", `/v2/${name}/manifests/${tag}`, { body, headers });
  if (status !== 201) throw new Error(`manifest not taken: ${status}`);
}

/** An image in layers, with white space that only a copy byte for byte keeps. */
async function pushImage(name: string, tag: string, contents: readonly Uint8Array[], more: object = {}): Promise<Made> {
  const configText = JSON.stringify({ architecture: "amd64", os: "linux", marker: tag });
  const config = await pushBlob(source, name, configText);
  const layers: { mediaType: string; size: number; digest: string }[] = [];
  for (const content of contents) {
    layers.push({ mediaType: LAYER, size: content.length, digest: await pushBlob(source, name, content) });
  }
  const body = JSON.stringify(
    {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.docker.container.image.v1+json", size: configText.length, digest: config },
      layers: [...layers, { mediaType: FOREIGN, size: 10, digest: digestOf("not here"), urls: ["http://192.0.2.1/x"] }],
      ...more,
    },
    null,
    3,
  );
  await put(source, name, tag, body, MANIFEST);
  return { digest: digestOf(body), body, layers: layers.map(({ digest }) => digest) };
}

const manifestAt = async (server: TestServer, name: string, tag: string): Promise<string> =>
  (
    await server.ask("GET", `/v2/${name}/manifests/${tag}`, {
      headers: { accept: [MANIFEST, LIST, OCI_MANIFEST].join(", ") },
    })
  ).body.toString();
const blobAt = async (server: TestServer, name: string, digest: string): Promise<Buffer> =>
  (await server.ask("GET", `/v2/${name}/blobs/${digest}`)).body;
const uploads = (): number => to.requests.filter(({ bodyBytes, path }) => bodyBytes > 0 && /blobs/.test(path)).length;

describe("an image in layers", () => {
  it("is copied with every layer, byte for byte, and under the same digest", async () => {
    const contents = [randomBytes(9 * MIB), randomBytes(100), Buffer.from("third")];
    const made = await pushImage("hub/app", "1", contents);
    const outcome = await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`);
    expect(outcome).toEqual({
      source: `docker://${from.host}/hub/app:1`,
      references: [`docker://${to.host}/mirror/app:1`],
      pinned: `docker://${to.host}/mirror/app@${made.digest}`,
      outcome: "copied",
      transferred: 9 * MIB + 105 + JSON.stringify({ architecture: "amd64", os: "linux", marker: "1" }).length,
    });
    expect(await manifestAt(target, "mirror/app", "1")).toBe(made.body);
    for (const [index, digest] of made.layers.entries()) {
      expect((await blobAt(target, "mirror/app", digest)).equals(contents[index] ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it("moves no blob when it is copied again, nor one that another tag brought", async () => {
    const shared = randomBytes(MIB);
    await pushImage("hub/app", "1", [shared]);
    await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`);
    from.clear();
    to.clear();
    expect(await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`)).toMatchObject({
      outcome: "same",
      transferred: 0,
    });
    // One question to each side.
    expect([...from.requests, ...to.requests].map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/hub/app/manifests/1",
      "HEAD /v2/mirror/app/manifests/1",
    ]);
    await pushImage("hub/app", "2", [shared, Buffer.from("more")]);
    to.clear();
    await run(`docker://${from.host}/hub/app:2`, `docker://${to.host}/mirror/app:2`);
    expect(uploads()).toBe(2);
  });

  it("goes to the local store and back to a registry unchanged", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(MIB), randomBytes(10)]);
    expect(await run(`docker://${from.host}/hub/app:1`, "local://lab/app:1")).toMatchObject({
      pinned: `local://lab/app@${made.digest}`,
    });
    await run("local://lab/app:1", `docker://${to.host}/mirror/app:1`);
    expect(await manifestAt(target, "mirror/app", "1")).toBe(made.body);
  });

  it("is named by digest alone when the source is, and no tag is asked for", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(10)]);
    const source = `docker://${from.host}/hub/app@${made.digest}`;
    expect(await run(source, `docker://${to.host}/mirror/app`)).toMatchObject({ references: [], outcome: "copied" });
    expect(await manifestAt(target, "mirror/app", made.digest)).toBe(made.body);
  });

  it("is no SIF, so a library cannot have it: the source is named", async () => {
    await pushImage("hub/app", "1", [randomBytes(10)]);
    const { content: _content, ...plain } = createLocalRegistry(openStore(store));
    opened.set(to.host, plain);
    await expect(run(`docker://${from.host}/hub/app:1`, `oras://${to.host}/lab/app:1`)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/^source: this is no SIF but 2 layers/),
    });
    opened.delete(to.host);
  });

  it("is mounted from another repository of its registry", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(MIB)]);
    const outcome = await run(`docker://${from.host}/hub/app:1`, `docker://${from.host}/hub/other:1`);
    expect(outcome).toMatchObject({ outcome: "copied", transferred: 0 });
    expect(from.count({ method: "GET", path: /blobs/ })).toBe(0);
    expect(await manifestAt(source, "hub/other", "1")).toBe(made.body);
  });

  it("is sent where the registry does not mount", async () => {
    await pushImage("hub/app", "1", [randomBytes(1000)]);
    from.on({ method: "POST", path: /mount=/ }, reply(405));
    const outcome = await run(`docker://${from.host}/hub/app:1`, `docker://${from.host}/hub/other:1`);
    expect(outcome.transferred).toBeGreaterThan(1000);
  });
});

describe("an index", () => {
  async function pushIndex(): Promise<{ readonly body: string; readonly children: readonly Made[] }> {
    const children = [
      await pushImage("hub/app", "amd", [randomBytes(1000)]),
      await pushImage("hub/app", "arm", [randomBytes(2000)]),
    ];
    const [amd, arm] = children;
    const entry = (made: Made | undefined, architecture: string) => ({
      mediaType: MANIFEST,
      digest: made?.digest,
      size: made?.body.length,
      platform: { os: "linux", architecture },
    });
    const manifests = [entry(amd, "amd64"), entry(arm, "arm64")];
    const body = JSON.stringify({ schemaVersion: 2, mediaType: LIST, manifests }, null, 2);
    await put(source, "hub/app", "1", body, LIST);
    return { body, children };
  }

  it("is copied with all that it names", async () => {
    const { body, children } = await pushIndex();
    expect(await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`)).toMatchObject({
      pinned: `docker://${to.host}/mirror/app@${digestOf(body)}`,
    });
    expect(await manifestAt(target, "mirror/app", "1")).toBe(body);
    for (const { digest, body: child } of children) {
      expect(await manifestAt(target, "mirror/app", digest)).toBe(child);
    }
  });

  it("gives the one image that --arch asks for", async () => {
    const { children } = await pushIndex();
    const outcome = await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`, {
      architecture: "aarch64",
    });
    expect(await manifestAt(target, "mirror/app", "1")).toBe(children[1]?.body);
    expect(outcome.pinned).toBe(`docker://${to.host}/mirror/app@${children[1]?.digest}`);
    await expect(
      run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:2`, { architecture: "s390x" }),
    ).rejects.toMatchObject({ code: "NOT_FOUND", message: expect.stringMatching(/^source: .*only: amd64, arm64/) });
  });
});

describe("what is attached", () => {
  it("goes with its image when --referrers asks for it, and later too", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(10)]);
    const config = await pushBlob(source, "hub/app", "{}");
    const signature = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: "application/vnd.example.signature",
      config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2, digest: config },
      layers: [],
      subject: { mediaType: MANIFEST, digest: made.digest, size: made.body.length },
    });
    await put(source, "hub/app", digestOf(signature), signature, OCI_MANIFEST);
    const attached = async () =>
      JSON.parse((await target.ask("GET", `/v2/mirror/app/referrers/${made.digest}`)).body.toString()).manifests;
    const names = [`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`] as const;
    await run(...names);
    expect(await attached()).toEqual([]);
    expect(await run(...names, { referrers: true })).toMatchObject({ outcome: "same" });
    expect(await attached()).toMatchObject([{ digest: digestOf(signature) }]);
  });
});

describe("broken connections and wrong bytes", () => {
  it("goes on reading where a connection broke, and reads nothing twice", async () => {
    const layer = randomBytes(9 * MIB);
    const made = await pushImage("hub/app", "1", [layer]);
    const path = new RegExp(made.layers[0] ?? "");
    from.on({ method: "GET", path, times: 1 }, cutResponse({ after: 2 * MIB, how: "rst" }));
    from.on({ method: "GET", path, times: 1, skip: 0 }, cutResponse({ after: 3 * MIB }));
    await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`);
    const ranges = from.requests.filter((one) => one.method === "GET" && path.test(one.path));
    expect(ranges.map(({ headers }) => headers["range"] === undefined)).toEqual([true, false, false]);
    expect((await blobAt(target, "mirror/app", made.layers[0] ?? "")).equals(layer)).toBe(true);
  });

  it("passes over what a server without ranges sends again", async () => {
    const layer = randomBytes(3 * MIB);
    const made = await pushImage("hub/app", "1", [layer]);
    const path = new RegExp(made.layers[0] ?? "");
    from.on({ method: "GET", path, times: 1 }, cutResponse({ after: MIB }));
    from.on({ method: "GET", path }, ignoreRange);
    await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`);
    expect((await blobAt(target, "mirror/app", made.layers[0] ?? "")).equals(layer)).toBe(true);
  });

  it.each([100, 9 * MIB])("sets no tag for %d bytes of which one is wrong, and names the source", async (size) => {
    const made = await pushImage("hub/app", "1", [randomBytes(size)]);
    from.on({ method: "GET", path: new RegExp(made.layers[0] ?? "") }, wrongByte(50));
    await expect(run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`)).rejects.toMatchObject({
      code: "INTEGRITY",
      message: expect.stringMatching(/^source: blob sha256:\w+ of docker.*hub\/app should have the digest/),
    });
    expect((await target.ask("GET", "/v2/mirror/app/manifests/1")).status).toBe(404);
    expect((await target.ask("HEAD", `/v2/mirror/app/blobs/${made.layers[0]}`)).status).toBe(404);
  });

  it.each(["PATCH", "PUT"])(
    "sends on from where the destination broke off a %s, and holds it to the digest",
    async (method) => {
      const layer = randomBytes(70 * MIB);
      const made = await pushImage("hub/app", "1", [layer]);
      to.on(
        { method, path: /uploads/, when: ({ headers }) => Number(headers["content-length"]) > MIB, times: 1 },
        cutRequest({ after: MIB }),
      );
      await run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`);
      expect((await blobAt(target, "mirror/app", made.layers[0] ?? "")).equals(layer)).toBe(true);
    },
  );

  it("sets no tag in the local store either", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(MIB)]);
    from.on({ method: "GET", path: new RegExp(made.layers[0] ?? "") }, wrongByte(50));
    await expect(run(`docker://${from.host}/hub/app:1`, "local://lab/app:1")).rejects.toMatchObject({
      code: "INTEGRITY",
      message: expect.stringMatching(/^source: /),
    });
    const local = createLocalRegistry(openStore(store));
    expect(await local.content?.digestOf(placed("local://lab/app:1"), callWith())).toBeUndefined();
  });

  it("says which side is out of order", async () => {
    const names = () => [`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`] as const;
    await pushImage("hub/app", "1", [randomBytes(MIB)]);
    from.on({ method: "GET", path: /blobs/ }, reply(503));
    await expect(run(...names())).rejects.toMatchObject({
      code: "SERVER_ERROR",
      message: expect.stringMatching(/^source: /),
    });
    from.clear();
    to.on({ method: "POST" }, reply(403));
    await expect(run(...names())).rejects.toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringMatching(/^destination: /),
    });
    await expect(run(`docker://${from.host}/hub/none:1`, names()[1])).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/^source: docker:.*none:1 is not there/),
    });
  });

  it("stops when it is told to, with the reason it was told", async () => {
    const made = await pushImage("hub/app", "1", [randomBytes(9 * MIB)]);
    const stop = new AbortController();
    const path = new RegExp(made.layers[0] ?? "");
    from.on({ method: "GET", path }, ({ response }) => {
      response.writeHead(200, { "content-length": String(9 * MIB) });
      response.write(randomBytes(1000));
      setTimeout(() => stop.abort(new SregistryError("INTERRUPTED", "interrupted")), 20);
    });
    await expect(
      run(`docker://${from.host}/hub/app:1`, `docker://${to.host}/mirror/app:1`, {}, stop.signal),
    ).rejects.toMatchObject({ code: "INTERRUPTED", message: "interrupted" });
  });
});

describe("a repository", () => {
  it("is mirrored: new, changed and same tags are told apart, and one that fails stops no other", async () => {
    for (const tag of ["1", "2", "3"]) await pushImage("hub/app", tag, [randomBytes(100)]);
    const names = [`docker://${from.host}/hub/app`, `docker://${to.host}/mirror/app`] as const;
    expect(await runAll(...names)).toEqual(["1 copied", "2 copied", "3 copied"]);
    const moved = await pushImage("hub/app", "2", [randomBytes(100)]);
    await pushImage("hub/app", "4", [randomBytes(100)]);
    const lost = await pushImage("hub/app", "5", [randomBytes(100)]);
    await pushImage("hub/app", "6", [randomBytes(100)]);
    from.on({ path: new RegExp(lost.layers[0] ?? "") }, reply(404));
    to.clear();
    expect(await runAll(...names)).toEqual([
      "1 same",
      "2 updated",
      "3 same",
      "4 copied",
      expect.stringMatching(/^5 source: .* is not there/),
      "6 copied",
    ]);
    expect(await manifestAt(target, "mirror/app", "2")).toBe(moved.body);
    expect((await target.ask("GET", "/v2/mirror/app/manifests/5")).status).toBe(404);
  });

  it("gives the tags that were asked for alone, and says which are not there", async () => {
    for (const tag of ["1", "2", "3"]) await pushImage("hub/app", tag, [randomBytes(100)]);
    const names = [`docker://${from.host}/hub/app`, `docker://${to.host}/mirror/app`] as const;
    expect(await runAll(...names, { tags: ["3", "9", "3"] })).toEqual([
      "3 copied",
      expect.stringMatching(/^9 source: .*app:9 is not there/),
    ]);
    const { body } = await target.ask("GET", "/v2/mirror/app/tags/list");
    expect(JSON.parse(body.toString()).tags).toEqual(["3"]);
  });

  it("costs two requests a tag when nothing changed", async () => {
    for (const tag of ["1", "2", "3"]) await pushImage("hub/app", tag, [randomBytes(100)]);
    const names = [`docker://${from.host}/hub/app`, `docker://${to.host}/mirror/app`] as const;
    await runAll(...names);
    from.clear();
    to.clear();
    expect(await runAll(...names)).toEqual(["1 same", "2 same", "3 same"]);
    expect([from.requests.length, to.requests.length]).toEqual([4, 3]);
  });

  it("is not touched by a dry run, which says what would become of it", async () => {
    await pushImage("hub/app", "1", [randomBytes(100)]);
    const names = [`docker://${from.host}/hub/app`, `docker://${to.host}/mirror/app`] as const;
    expect(await runAll(...names, { dryRun: true })).toEqual(["1 copied"]);
    expect(to.requests.filter(({ method }) => method !== "HEAD")).toEqual([]);
  });
});
