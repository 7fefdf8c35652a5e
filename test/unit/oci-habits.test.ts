/** Uploads to registries of every habit: what is asked, what is sent again, and what is read of the file for it. */
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { parseRepoPath } from "../../src/reference/name.ts";
import { startFaults, tooMany } from "../support/faults.ts";
import { basic, failureOf, knows } from "../support/http.ts";
import {
  type Client,
  type ClientOptions,
  countingSource,
  MIB,
  memorySessions,
  ociClient,
} from "../support/oci-client.ts";
import {
  DISTRIBUTION_3,
  DISTRIBUTION_3_ON_S3,
  ECR,
  GAR,
  GHCR,
  type Quirks,
  type QuirkyRegistry,
  REGISTRY_2,
  startQuirks,
} from "../support/quirks.ts";

const BIG = randomBytes(20 * MIB);
const SMALL = randomBytes(100_000);
const digest = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
/** Chunks of 8 MiB, so that 20 MiB are three parts. */
const RULES = [{ host: "127.0.0.1", mode: "chunked", chunkSize: 8 * MIB }] as const;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function quirky(quirks: Quirks = {}): Promise<QuirkyRegistry> {
  const registry = await startQuirks(quirks);
  open.push(registry);
  return registry;
}

function clientOf({ url }: { readonly url: URL }, options: ClientOptions = {}): Client {
  const client = ociClient(url, { hostRules: RULES, ...options });
  open.push(client);
  return client;
}

/** The registry holds the bytes, and a tag leads to them. */
function expectHeld(registry: QuirkyRegistry, name: string, bytes: Buffer): void {
  const [repository = ""] = name.split(":");
  expect(registry.content.blobs.get(`${repository}@${digest(bytes)}`)?.equals(bytes)).toBe(true);
  const manifest = registry.content.manifests.get(`${repository}@${registry.content.tags.get(name)}`);
  expect(JSON.parse(String(manifest?.bytes)).layers[0].digest).toBe(digest(bytes));
}

/** Of the image alone: the config and the manifest are sent alike everywhere. */
function uploadStory(registry: QuirkyRegistry): readonly string[] {
  const story = registry.story();
  return story.slice(0, story.findIndex((line) => / \d{3}$/.test(line)) - 2);
}

describe("an upload", () => {
  it("of a small image is one request, after looking whether it is there", async () => {
    const registry = await quirky();
    const result = await clientOf(registry).push("lab/tool:1.0", countingSource(SMALL));
    const manifest = registry.content.tags.get("lab/tool:1.0");
    expect(result).toMatchObject({ digest: digest(SMALL), manifest, transfer: "uploaded", tags: ["1.0"] });
    expectHeld(registry, "lab/tool:1.0", SMALL);
    expect(registry.story()).toEqual([
      "HEAD lab/tool/blobs/DIGEST",
      "POST lab/tool/blobs/uploads/",
      "PUT lab/tool/blobs/uploads/ID?digest 100000",
      "HEAD lab/tool/blobs/DIGEST",
      "POST lab/tool/blobs/uploads/",
      expect.stringMatching(/^PUT lab\/tool\/blobs\/uploads\/ID\?digest \d+$/),
      expect.stringMatching(/^PUT lab\/tool\/manifests\/1\.0 \d+$/),
      "HEAD lab/tool/manifests/1.0",
    ]);
  });

  it("of a large image goes in chunks, the last with the closing request, and reads it once", async () => {
    const registry = await quirky();
    const source = countingSource(BIG);
    expect(await clientOf(registry).push("lab/tool:1.0", source)).toMatchObject({ transfer: "uploaded" });
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(source.read()).toBe(BIG.length);
    expect(uploadStory(registry)).toEqual([
      "GET lab/tool/manifests/1.0",
      "POST lab/tool/blobs/uploads/",
      `PATCH lab/tool/blobs/uploads/ID ${8 * MIB}`,
      `PATCH lab/tool/blobs/uploads/ID ${8 * MIB}`,
      `PUT lab/tool/blobs/uploads/ID?digest ${4 * MIB}`,
    ]);
    const ranges = registry.requests.map(({ headers }) => headers["content-range"]).filter(Boolean);
    expect(ranges).toEqual(["0-8388607", "8388608-16777215", "16777216-20971519"]);
  });

  it("is not made for what the tag holds already", async () => {
    const registry = await quirky();
    const client = clientOf(registry);
    const first = await client.push("lab/tool:1.0", countingSource(BIG));
    registry.forget();
    const source = countingSource(BIG);
    const again = await client.push("lab/tool:1.0", source);
    expect(again).toEqual({ ...first, transfer: "present" });
    expect(source.read()).toBe(BIG.length);
    expect(registry.story()).toEqual([
      "GET lab/tool/manifests/1.0",
      "HEAD lab/tool/blobs/DIGEST",
      "HEAD lab/tool/blobs/DIGEST",
      expect.stringMatching(/^PUT lab\/tool\/manifests\/1\.0 \d+$/),
      "HEAD lab/tool/manifests/1.0",
    ]);
  });

  it("takes the bytes from another repository where that is allowed", async () => {
    for (const [mounts, transfer] of [
      ["yes", "mounted"],
      ["no", "uploaded"],
      ["forbidden", "uploaded"],
    ] as const) {
      const registry = await quirky({ mounts });
      registry.content.putBlob("lab/base", BIG);
      const result = await clientOf(registry).push("lab/tool:1.0", countingSource(BIG), {
        from: parseRepoPath("lab/base"),
      });
      expect(result).toMatchObject({ transfer });
      expectHeld(registry, "lab/tool:1.0", BIG);
      if (mounts === "yes") expect(registry.uploaded()).toBeLessThan(MIB);
    }
  });

  it("sets each tag and reads each back", async () => {
    const registry = await quirky({ digestUntold: true });
    const client = clientOf(registry);
    const tags = ["1.0", "latest"].map((tag) => tag as never);
    const { manifest } = await client.push("lab/tool:1.0", countingSource(SMALL), { tags });
    expect([...registry.content.tags]).toEqual([
      ["lab/tool:1.0", manifest],
      ["lab/tool:latest", manifest],
    ]);
    expect(registry.story().slice(-6)).toEqual([
      expect.stringMatching(/^PUT lab\/tool\/manifests\/1\.0 \d+$/),
      "HEAD lab/tool/manifests/1.0",
      "GET lab/tool/manifests/1.0",
      expect.stringMatching(/^PUT lab\/tool\/manifests\/latest \d+$/),
      "HEAD lab/tool/manifests/latest",
      "GET lab/tool/manifests/latest",
    ]);
  });

  it("is no success when the tag names something else afterwards", async () => {
    const registry = await quirky();
    const faults = await startFaults({ upstream: registry.url });
    open.push(faults);
    const other = `sha256:${"0".repeat(64)}`;
    faults.on({ method: "HEAD", path: /manifests/ }, (exchange) =>
      exchange.forward({
        head: ({ headers }) => {
          headers["docker-content-digest"] = other;
        },
      }),
    );
    const failure = await failureOf(clientOf(faults).push("lab/tool:1.0", countingSource(SMALL)));
    expect(failure).toMatchObject({ code: "CONFLICT", message: expect.stringContaining(other) });
  });

  it("tags nothing when the file changed", async () => {
    const registry = await quirky();
    const failure = await failureOf(clientOf(registry).push("lab/tool:1.0", countingSource(BIG, { changed: true })));
    expect(failure.code).toBe("INTEGRITY");
    expect([...registry.content.tags]).toEqual([]);
  });

  it("fails when the registry received other bytes, and tags nothing", async () => {
    const registry = await quirky();
    const source = countingSource(BIG);
    // What is sent last is not what was hashed first.
    let opened = 0;
    const lying = {
      ...source,
      open: (start: number, end?: number) => {
        opened += 1;
        return countingSource(opened > 1 ? randomBytes(BIG.length) : BIG).open(start, end);
      },
    };
    const rules = [{ host: "127.0.0.1", mode: "monolithic", chunkSize: 8 * MIB }] as const;
    const failure = await failureOf(clientOf(registry, { hostRules: rules }).push("lab/tool:1.0", lying));
    expect(failure).toMatchObject({ code: "INTEGRITY", message: expect.stringContaining("DIGEST_INVALID") });
    expect([...registry.content.tags]).toEqual([]);
  });
});

describe("a connection that is cut", () => {
  it("in a chunk costs nothing where the registry keeps what it got (distribution v3)", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    registry.arrange({ method: "PATCH", nth: 2, after: 3 * MIB, how: "cut" });
    const source = countingSource(BIG);
    await clientOf(registry).push("lab/tool:1.0", source);
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).map((line) => line.replace(/ \d+$/, ""))).toEqual([
      "GET lab/tool/manifests/1.0",
      "POST lab/tool/blobs/uploads/",
      "PATCH lab/tool/blobs/uploads/ID",
      "PATCH lab/tool/blobs/uploads/ID",
      "GET lab/tool/blobs/uploads/ID",
      "PATCH lab/tool/blobs/uploads/ID",
      "PUT lab/tool/blobs/uploads/ID?digest",
    ]);
    const resumed = registry.requests.filter(({ method }) => method === "PATCH").at(-1);
    expect(resumed?.headers["content-range"]).toBe(`${11 * MIB}-${19 * MIB - 1}`);
  });

  it("goes back to the whole parts that the registry keeps (distribution v3 on S3)", async () => {
    const registry = await quirky(DISTRIBUTION_3_ON_S3);
    registry.arrange({ method: "PATCH", nth: 2, after: 3 * MIB, how: "cut" });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    const resumed = registry.requests.filter(({ method }) => method === "PATCH")[2];
    expect(resumed?.headers["content-range"]).toBe(`${10 * MIB}-${18 * MIB - 1}`);
  });

  it("begins again where the registry loses the upload, and says so (registry:2)", async () => {
    const registry = await quirky(REGISTRY_2);
    registry.arrange({ method: "PATCH", nth: 2, after: 3 * MIB, how: "cut" });
    const client = clientOf(registry);
    await client.push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(registry.story().filter((line) => line.startsWith("POST"))).toHaveLength(3);
    expect(client.said).toContain(`info: ${registry.host} has lost the upload at byte ${8 * MIB}; it begins again`);
  });

  it("in the closing request is no reason to send everything again", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    registry.arrange({ method: "PUT", nth: 1, after: MIB, how: "cut" });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).slice(4)).toEqual([
      expect.stringMatching(/^PUT lab\/tool\/blobs\/uploads\/ID\?digest \d+$/),
      "HEAD lab/tool/blobs/DIGEST",
      "GET lab/tool/blobs/uploads/ID",
      `PUT lab/tool/blobs/uploads/ID?digest ${3 * MIB}`,
    ]);
  });

  it("after the closing request worked is found out by looking", async () => {
    const registry = await quirky(REGISTRY_2);
    const faults = await startFaults({ upstream: registry.url });
    open.push(faults);
    faults.on({ method: "PUT", path: /uploads/, times: 1 }, (exchange) =>
      exchange.forward({ head: () => exchange.cut("rst") }),
    );
    await clientOf(faults).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(registry.story().filter((line) => line.startsWith("PATCH"))).toHaveLength(2);
  });

  it("again and again ends the push with what can be done", async () => {
    const registry = await quirky(REGISTRY_2);
    for (let nth = 1; nth < 10; nth += 1) registry.arrange({ method: "PATCH", nth, after: MIB, how: "cut" });
    const failure = await failureOf(clientOf(registry).push("lab/tool:1.0", countingSource(BIG)));
    expect(failure).toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("lost the upload to lab/tool 4 times"),
      hint: `a smaller chunk-size for ${registry.host} under hosts in config.yaml may get through`,
    });
    expect([...registry.content.tags]).toEqual([]);
  });

  it("sends a chunk of which nothing was kept again", async () => {
    const registry = await quirky();
    registry.arrange({ method: "PATCH", nth: 1, after: 0, how: "keep" });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
  });

  it("goes on behind what was kept of a chunk", async () => {
    const registry = await quirky();
    registry.arrange({ method: "PATCH", nth: 1, after: 5 * MIB, how: "keep" });
    const source = countingSource(BIG);
    await clientOf(registry).push("lab/tool:1.0", source);
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(source.opened.slice(0, 2)).toEqual([
      [0, 8 * MIB],
      [5 * MIB, 13 * MIB],
    ]);
  });
});

describe("a registry with habits of its own", () => {
  it("ECR: answers 201, and its Range stays at the first chunk", async () => {
    const registry = await quirky(ECR);
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).slice(2)).toEqual([
      `PATCH lab/tool/blobs/uploads/ID ${8 * MIB}`,
      `PATCH lab/tool/blobs/uploads/ID ${8 * MIB}`,
      `PUT lab/tool/blobs/uploads/ID?digest ${4 * MIB}`,
    ]);
  });

  it("GHCR: chunks of at most 4 MiB", async () => {
    const registry = await quirky(GHCR);
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).slice(-5)).toEqual([
      `PATCH lab/tool/blobs/uploads/ID ${4 * MIB}`,
      `PATCH lab/tool/blobs/uploads/ID ${4 * MIB}`,
      `PATCH lab/tool/blobs/uploads/ID ${4 * MIB}`,
      `PATCH lab/tool/blobs/uploads/ID ${4 * MIB}`,
      `PUT lab/tool/blobs/uploads/ID?digest ${4 * MIB}`,
    ]);
  });

  it("Google Artifact Registry: no chunks at all, so the file is read twice, which is said", async () => {
    const registry = await quirky(GAR);
    const client = clientOf(registry);
    const source = countingSource(BIG);
    await client.push("lab/tool:1.0", source);
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).slice(-3)).toEqual([
      "HEAD lab/tool/blobs/DIGEST",
      "POST lab/tool/blobs/uploads/",
      `PUT lab/tool/blobs/uploads/ID?digest ${20 * MIB}`,
    ]);
    expect(client.said).toContain(
      `info: ${registry.host} takes no chunks: the file is read for its digest, then sent in one request`,
    );
  });

  it("by rule in one request: nothing is tried before", async () => {
    const registry = await quirky();
    const rules = [{ host: "127.0.0.1", mode: "monolithic", chunkSize: 4 * MIB }] as const;
    await clientOf(registry, { hostRules: rules }).push("lab/tool:1.0", countingSource(BIG));
    expect(uploadStory(registry)).toEqual([
      "GET lab/tool/manifests/1.0",
      "HEAD lab/tool/blobs/DIGEST",
      "POST lab/tool/blobs/uploads/",
      `PUT lab/tool/blobs/uploads/ID?digest ${20 * MIB}`,
    ]);
  });

  it("a proxy that limits requests: chunks instead of one request", async () => {
    const registry = await quirky({ largestPut: 5 * MIB });
    const rules = [{ host: "127.0.0.1", mode: "monolithic", chunkSize: 64 * MIB }] as const;
    await clientOf(registry, { hostRules: rules }).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).at(-1)).toBe(`PUT lab/tool/blobs/uploads/ID?digest ${4 * MIB}`);
  });

  it("one that takes neither chunks nor so large a request: its own words", async () => {
    const registry = await quirky({ refusesPatch: 405, largestPut: MIB });
    const failure = await failureOf(clientOf(registry).push("lab/tool:1.0", countingSource(BIG)));
    expect(failure.message).toContain("413 Request Entity Too Large");
    expect([...registry.content.tags]).toEqual([]);
  });

  it("OCI-Chunk-Min-Length: chunks as large as it wants them", async () => {
    const registry = await quirky({ chunkMinLength: 12 * MIB });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(uploadStory(registry).slice(2)).toEqual([
      `PATCH lab/tool/blobs/uploads/ID ${12 * MIB}`,
      `PUT lab/tool/blobs/uploads/ID?digest ${8 * MIB}`,
    ]);
  });

  it("zot: a relative Location", async () => {
    const registry = await quirky({ location: "relative" });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
  });

  it("a Location at another origin: followed, and never with the login", async () => {
    const registry = await quirky({ location: "elsewhere", tokenUses: 1000 });
    const credentials = knows(registry.host, basic("vanessa", "dinosaur-secret"));
    const client = clientOf(registry, { transport: { credentials } });
    await client.push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    const there = registry.requests.filter(({ elsewhere }) => elsewhere);
    expect(there.map(({ method }) => method)).toEqual(["PATCH", "PATCH", "PUT", "PUT"]);
    expect(there.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    const begun = registry.requests.filter(({ method, status }) => method === "POST" && status === 202);
    expect(begun.map(({ headers }) => headers.authorization)).toEqual([
      expect.stringMatching(/^Bearer token-/),
      expect.stringMatching(/^Bearer token-/),
    ]);
  });

  it("tokens that end between chunks: a new one, and the chunk again", async () => {
    const registry = await quirky({ tokenUses: 2 });
    await clientOf(registry).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
    const patches = registry.requests.filter(({ method, status }) => method === "PATCH" && status === 202);
    expect(patches).toHaveLength(2);
  });

  it("Quay without SIF on its list: its words, and nothing tagged", async () => {
    const registry = await quirky({ configTypes: ["application/vnd.oci.image.config.v1+json"] });
    const failure = await failureOf(clientOf(registry).push("lab/tool:1.0", countingSource(SMALL)));
    expect(failure).toMatchObject({ code: "REFUSED", message: expect.stringContaining("MANIFEST_INVALID") });
    expect(failure.hint).toContain("--plain-manifest");
  });

  it("a busy one: bursts of 503 and 429 are waited out", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const faults = await startFaults({ upstream: registry.url });
    open.push(faults);
    const busy = tooMany(0, 503);
    faults.on({ method: "PATCH", times: 2 }, busy);
    faults.on({ method: "POST", times: 2 }, tooMany(0));
    faults.on({ method: "PUT", times: 2 }, busy);
    await clientOf(faults).push("lab/tool:1.0", countingSource(BIG));
    expectHeld(registry, "lab/tool:1.0", BIG);
  });
});

describe("an interrupted push", () => {
  const sessions = memorySessions();
  beforeEach(() => sessions.kept.clear());

  /** Stops in the middle of the second chunk; returns what was sent until then. */
  async function interrupted(registry: QuirkyRegistry): Promise<number> {
    const stop = new AbortController();
    const reason = new SregistryError("TERMINATED", "told to stop");
    const source = countingSource(BIG, { at: { bytes: 11 * MIB, act: () => stop.abort(reason) } });
    const client = clientOf(registry, { sessions, signal: stop.signal });
    expect(await failureOf(client.push("lab/tool:1.0", source))).toMatchObject({ code: "TERMINATED" });
    expect(client.said.at(-1)).toBe(
      `info: ${registry.host} holds ${8 * MIB} bytes; the same command goes on from there`,
    );
    expect([...sessions.kept.values()]).toEqual([
      { location: expect.stringContaining(`${registry.host}/v2/lab/tool/blobs/uploads/`), offset: 8 * MIB },
    ]);
    const sent = registry.uploaded();
    registry.forget();
    return sent;
  }

  it("goes on in a later process, and the file's beginning is read from the disk alone", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    await interrupted(registry);
    const source = countingSource(BIG);
    const client = clientOf(registry, { sessions });
    expect(await client.push("lab/tool:1.0", source)).toMatchObject({ transfer: "resumed", digest: digest(BIG) });
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(source.read()).toBe(BIG.length);
    expect(registry.uploaded()).toBeLessThanOrEqual(12 * MIB + 2000);
    expect(sessions.kept.size).toBe(0);
  });

  it("begins again where the registry has forgotten the upload, and says so", async () => {
    const registry = await quirky(REGISTRY_2);
    await interrupted(registry);
    registry.restart();
    const client = clientOf(registry, { sessions });
    expect(await client.push("lab/tool:1.0", countingSource(BIG))).toMatchObject({ transfer: "uploaded" });
    expectHeld(registry, "lab/tool:1.0", BIG);
    expect(client.said).toContain(`info: ${registry.host} has forgotten the interrupted upload; it begins again`);
    expect(sessions.kept.size).toBe(0);
  });

  it("of another file begins at its beginning", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    await interrupted(registry);
    const other = randomBytes(20 * MIB);
    const result = await clientOf(registry, { sessions }).push("lab/tool:1.0", countingSource(other));
    expect(result).toMatchObject({ transfer: "uploaded", digest: digest(other) });
    expectHeld(registry, "lab/tool:1.0", other);
  });

  it("whose registry kept other bytes is sent anew, once", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    await interrupted(registry);
    const [[key, session]] = [...sessions.kept] as [[string, { location: string; offset: number }]];
    // The bytes at the registry are those of another upload.
    const foreign = await fetch(new URL("/v2/lab/tool/blobs/uploads/", registry.url), { method: "POST" });
    const location = foreign.headers.get("location") ?? "";
    const patched = await fetch(location, { method: "PATCH", body: randomBytes(8 * MIB) });
    sessions.kept.set(key, { ...session, location: patched.headers.get("location") ?? "" });
    const client = clientOf(registry, { sessions });
    expect(await client.push("lab/tool:1.0", countingSource(BIG))).toMatchObject({ transfer: "uploaded" });
    expectHeld(registry, "lab/tool:1.0", BIG);
  });

  it("is not worth failing for when it cannot be written down", async () => {
    const registry = await quirky();
    const full = {
      ...sessions,
      save: async () => {
        throw new SregistryError("DISK", "the disk is full");
      },
    };
    const client = clientOf(registry, { sessions: full });
    expect(await client.push("lab/tool:1.0", countingSource(BIG))).toMatchObject({ transfer: "uploaded" });
    expect(client.said.filter((line) => line.includes("the disk is full"))).toHaveLength(1);
  });
});
