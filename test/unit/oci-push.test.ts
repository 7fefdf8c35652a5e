/** A file on its way to a registry: what is left after a stop, what a file that changes does, what the manifest says. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Call, Task } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseHost } from "../../src/reference/host.ts";
import { parseRepoPath, parseTag } from "../../src/reference/name.ts";
import { createApi, settleLocation } from "../../src/registry/oci/api.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import { capability, type PushRequest } from "../../src/registry/registry.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import { createUploadSessions } from "../../src/transfer/sessions.ts";
import type { Source, SourceReader } from "../../src/transfer/source.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type Client, type ClientOptions, MIB, ociClient } from "../support/oci-client.ts";
import { FIXTURES } from "../support/program.ts";
import {
  DISTRIBUTION_3,
  ECR,
  GAR,
  type Quirks,
  type QuirkyRegistry,
  REGISTRY_2,
  startQuirks,
} from "../support/quirks.ts";

const TINY = join(FIXTURES, "tiny.sif");
/** A little more than what is read into memory and sent in one request. */
const LARGE = 9 * MIB + 12_345;
const RULES = [{ host: "127.0.0.1", mode: "chunked", chunkSize: 2 * MIB }] as const;

const open: { close(): Promise<void> }[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-push-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await rm(directory, { recursive: true, force: true });
});

async function quirky(quirks: Quirks = {}): Promise<QuirkyRegistry> {
  const registry = await startQuirks(quirks);
  open.push(registry);
  return registry;
}

async function faultsBefore(upstream: URL): Promise<Faults> {
  const faults = await startFaults({ upstream });
  open.push(faults);
  return faults;
}

/** Keeps its sessions in the test's directory, as the program keeps them in the user's. */
function clientOf({ url }: { readonly url: URL }, options: ClientOptions = {}): Client {
  const client = ociClient(url, { hostRules: RULES, sessions: createUploadSessions(sessions()), ...options });
  open.push(client);
  return client;
}

const sessions = (): string => join(directory, "sessions");

/** A SIF of `LARGE` bytes. */
async function largeFile(): Promise<string> {
  const path = join(directory, "tool.sif");
  const sif = await readFile(TINY);
  await writeFile(path, Buffer.concat([sif, randomBytes(LARGE - sif.length)]));
  return path;
}

/** A file that is watched: `met` runs once, when so many bytes have been read. */
async function watchedSource(path: string, at = Number.POSITIVE_INFINITY, met: () => Promise<void> | void = () => {}) {
  const source = await openFileSource(path);
  let read = 0;
  let over = false;
  async function count(bytes: number): Promise<void> {
    read += bytes;
    if (over || read < at) return;
    over = true;
    await met();
  }
  async function* watching(body: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      yield chunk;
      await count(chunk.length);
    }
  }
  async function reader(): Promise<SourceReader> {
    const opened = await source.reader?.();
    if (opened === undefined) throw new Error("a file can be read into memory of the caller's");
    return {
      async read(into, position) {
        const bytes = await opened.read(into, position);
        await count(bytes);
        return bytes;
      },
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  }
  const open = (start: number, end?: number) => Readable.from(watching(source.open(start, end)));
  const watched: Source = { ...source, open, reader };
  return { source: watched, read: () => read };
}

function told(call: Call, note: (words: string) => void): Call {
  const task: Task = {
    at: (offset) => note(`at ${offset}`),
    state: (words) => note(`state ${words}`),
    done: () => note("done"),
    fail: () => note("fail"),
  };
  return { ...call, progress: { start: () => task } };
}

function push(client: Client, name: string, source: Source, more: Partial<PushRequest> = {}, call = client.call) {
  const reference = client.reference(name);
  const tags = reference.selector.kind === "tag" ? [parseTag(reference.selector.tag)] : [];
  const request = { reference, tags, source, title: "tool.sif", metadata: undefined, plainManifest: false };
  return capability(client.registry, "push")({ ...request, ...more }, call);
}

async function expectHeld(registry: QuirkyRegistry, path: string): Promise<void> {
  const bytes = await readFile(path);
  expect(registry.content.blobs.get(`lab/tool@${digestOf(bytes)}`)?.equals(bytes)).toBe(true);
}

describe("a file", () => {
  it("is read once, and done only when its tag has been read back", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const client = clientOf(registry);
    const path = await largeFile();
    const { source, read } = await watchedSource(path);
    const words: string[] = [];
    const asked: string[] = [];
    const call = told(client.call, (line) => {
      words.push(line);
      if (line === "done") asked.push(...registry.story().slice(-2));
    });
    await push(client, "lab/tool:1.0", source, {}, call);
    expect(read()).toBe(LARGE);
    expect(registry.uploaded()).toBe(LARGE + 2);
    expect(words.filter((line) => line === "done")).toHaveLength(1);
    expect(words.slice(-2)).toEqual([`at ${LARGE}`, "done"]);
    expect(asked).toEqual([expect.stringMatching(/^PUT lab\/tool\/manifests\/1\.0 /), "HEAD lab/tool/manifests/1.0"]);
    await expectHeld(registry, path);
  });

  it.each([400, 415, 501])("goes in one request where a PATCH is answered %d", async (refusesPatch) => {
    const registry = await quirky({ ...GAR, refusesPatch });
    const path = await largeFile();
    await push(clientOf(registry), "lab/tool:1.0", await openFileSource(path));
    expect(registry.requests.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    expect(registry.story()).toContain(`PUT lab/tool/blobs/uploads/ID?digest ${LARGE}`);
    await expectHeld(registry, path);
  });

  it("fails, and is not sent whole, when a later chunk is refused", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const faults = await faultsBefore(registry.url);
    faults.on(
      { method: "PATCH", skip: 2 },
      reply(400, { body: '{"errors":[{"code":"SIZE_INVALID","message":"no"}]}' }),
    );
    const failure = await failureOf(push(clientOf(faults), "lab/tool:1.0", await openFileSource(await largeFile())));
    expect(failure).toMatchObject({ code: "REFUSED", message: expect.stringContaining("SIZE_INVALID: no") });
    expect(faults.count({ method: "PATCH" })).toBe(3);
    expect(faults.count({ method: "PUT" })).toBe(0);
  });

  it("begins again where ECR is out of step after a cut", async () => {
    const registry = await quirky(ECR);
    registry.arrange({ method: "PATCH", nth: 3, after: 700_000, how: "cut" });
    const path = await largeFile();
    await push(clientOf(registry), "lab/tool:1.0", await openFileSource(path));
    const starts = registry.requests
      .filter(({ method }) => method === "PATCH")
      .map(({ headers }) => headers["content-range"]?.split("-")[0]);
    expect(starts).toEqual(["0", "2097152", "4194304", "4194304", "0", "2097152", "4194304", "6291456"]);
    await expectHeld(registry, path);
  });

  it.each([
    ["keeps nothing of what it takes", DISTRIBUTION_3, { after: 0, how: "keep" }],
    ["forgets upload after upload", REGISTRY_2, { after: 100_000, how: "cut" }],
  ] as const)("is given up, in the end, where the registry %s", async (_title, quirks, mishap) => {
    const registry = await quirky(quirks);
    for (let nth = 1; nth < 60; nth += 1) registry.arrange({ method: "PATCH", nth, ...mishap });
    const client = clientOf(registry);
    const words: string[] = [];
    const call = told(client.call, (line) => words.push(line));
    const source = await openFileSource(await largeFile());
    const failure = await failureOf(push(client, "lab/tool:1.0", source, {}, call));
    expect(failure.code).toBe("NETWORK");
    expect(registry.requests.filter(({ method }) => method === "PATCH").length).toBeLessThan(10);
    expect(words.at(-1)).toBe("fail");
    expect(words).not.toContain("done");
    expect(registry.content.tags.size).toBe(0);
  });

  it("names the likely reason where a registry of several machines knows no upload of the others'", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry.url);
    faults.on({ method: "PATCH" }, reply(404, { body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' }));
    const client = clientOf(faults);
    const failure = await failureOf(push(client, "lab/tool:1.0", await openFileSource(await largeFile())));
    expect(failure).toMatchObject({ code: "NETWORK", hint: expect.stringContaining("http.secret") });
    expect(faults.count({ method: "PATCH" })).toBe(4);
  });

  it("is not said to be resumable when the registry has lost it", async () => {
    const registry = await quirky(REGISTRY_2);
    for (let nth = 2; nth < 60; nth += 2) registry.arrange({ method: "PATCH", nth, after: 100_000, how: "cut" });
    const client = clientOf(registry);
    const failure = await failureOf(push(client, "lab/tool:1.0", await openFileSource(await largeFile())));
    expect(failure).toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("lost the upload to lab/tool 4 times"),
    });
    expect(client.said.join("\n")).not.toContain("the same command goes on");
    expect(await readdir(sessions())).toEqual([]);
  });

  it("goes in chunks of the size that a rule knows when one request is too large", async () => {
    const registry = await quirky({ largestPut: 5 * MIB });
    const path = await largeFile();
    const hostRules = [{ host: "127.0.0.1", mode: "monolithic", chunkSize: 2 * MIB }] as const;
    await push(clientOf(registry, { hostRules }), "lab/tool:1.0", await openFileSource(path));
    expect(registry.requests.filter(({ method }) => method === "PATCH").map(({ bodyBytes }) => bodyBytes)).toEqual(
      Array(4).fill(2 * MIB),
    );
    await expectHeld(registry, path);
  });
});

describe("a file that changes meanwhile", () => {
  it.each([
    ["rewritten", async (path: string) => writeFile(path, randomBytes(LARGE))],
    ["cut short", async (path: string) => truncate(path, 5 * MIB)],
    ["touched", async (path: string) => utimes(path, new Date(1e12), new Date(1e12))],
  ])("(%s) is never named", async (_title, change) => {
    const registry = await quirky(DISTRIBUTION_3);
    const client = clientOf(registry);
    const path = await largeFile();
    const { source } = await watchedSource(path, 3 * MIB, () => change(path));
    const failure = await failureOf(push(client, "lab/tool:1.0", source));
    expect(failure).toMatchObject({
      code: "INTEGRITY",
      message: `${path} changed while it was being pushed; nothing was tagged`,
    });
    expect(registry.story().filter((line) => line.startsWith("PUT lab/tool/manifests"))).toEqual([]);
    expect(registry.content.tags.size).toBe(0);
  });

  it("(gone) says so and names it", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const path = await largeFile();
    const { source } = await watchedSource(path, 3 * MIB, () => unlink(path));
    const failure = await failureOf(push(clientOf(registry), "lab/tool:1.0", source));
    expect(failure).toMatchObject({ code: "NOT_FOUND", message: `there is no file ${path}` });
    expect(registry.content.tags.size).toBe(0);
  });
});

describe("a push that was stopped", () => {
  /** Stops when 5 MiB have been read: two chunks are confirmed. Returns the file. */
  async function stopped(registry: QuirkyRegistry): Promise<string> {
    const path = await largeFile();
    const stop = new AbortController();
    const { source } = await watchedSource(path, 5 * MIB, () =>
      stop.abort(new SregistryError("INTERRUPTED", "told to stop")),
    );
    const client = clientOf(registry, { signal: stop.signal });
    expect((await failureOf(push(client, "lab/tool:1.0", source))).code).toBe("INTERRUPTED");
    const [name = ""] = await readdir(sessions());
    expect((await stat(join(sessions(), name))).mode & 0o777).toBe(0o600);
    registry.forget();
    return path;
  }

  it("is gone on with by the next one, and leaves nothing", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const path = await stopped(registry);
    const client = clientOf(registry);
    const { source, read } = await watchedSource(path);
    expect(await push(client, "lab/tool:1.0", source)).toMatchObject({ transfer: "resumed" });
    expect(registry.story()[1]).toBe("GET lab/tool/blobs/uploads/ID");
    expect(registry.uploaded()).toBeLessThanOrEqual(LARGE - 4 * MIB + 2);
    expect(read()).toBe(LARGE);
    expect(client.said.join("\n")).toMatch(/holds \d+ bytes of an interrupted push; going on from there/);
    expect(await readdir(sessions())).toEqual([]);
    await expectHeld(registry, path);
  });

  it("begins again where the registry was restarted", async () => {
    const registry = await quirky(REGISTRY_2);
    const path = await stopped(registry);
    registry.restart();
    expect(await push(clientOf(registry), "lab/tool:1.0", await openFileSource(path))).toMatchObject({
      transfer: "uploaded",
    });
    expect(registry.story().slice(0, 4)).toEqual([
      "GET lab/tool/manifests/1.0",
      "GET lab/tool/blobs/uploads/ID",
      "POST lab/tool/blobs/uploads/",
      `PATCH lab/tool/blobs/uploads/ID ${2 * MIB}`,
    ]);
    expect(await readdir(sessions())).toEqual([]);
    await expectHeld(registry, path);
  });

  it("is nothing to a push to another repository, or of a file that was touched", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const path = await stopped(registry);
    await push(clientOf(registry), "lab/other:1.0", await openFileSource(path));
    expect(registry.story()[1]).toBe("POST lab/other/blobs/uploads/");
    registry.forget();
    await utimes(path, new Date(1e12), new Date(1e12));
    await push(clientOf(registry), "lab/tool:1.0", await openFileSource(path));
    expect(registry.story()[1]).toBe("POST lab/tool/blobs/uploads/");
  });

  it("costs a later one nothing but the resume when its session cannot be read", async () => {
    const registry = await quirky(DISTRIBUTION_3);
    const path = await stopped(registry);
    const [name = ""] = await readdir(sessions());
    await unlink(join(sessions(), name));
    await mkdir(join(sessions(), name));
    const client = clientOf(registry);
    expect(await push(client, "lab/tool:1.0", await openFileSource(path))).toMatchObject({ transfer: "uploaded" });
    expect(client.said.filter((line) => line.includes("could not be resumed"))).toHaveLength(1);
    await expectHeld(registry, path);
  });
});

describe("the artifact", () => {
  async function pushTiny(more: Partial<PushRequest> = {}, quirks: Quirks = {}) {
    const registry = await quirky(quirks);
    await using reader = await fileReader(TINY);
    const metadata = await readImageMetadata(reader);
    const request = { metadata, title: "tiny.sif", ...more };
    const result = await push(clientOf(registry), "lab/tool:1.0", await openFileSource(TINY), request);
    const stored = registry.content.manifests.get(`lab/tool@${result.manifest}`);
    return { registry, metadata, result, manifest: JSON.parse(String(stored?.bytes)) };
  }

  it("carries the image's metadata in its config", async () => {
    const { registry, metadata, manifest } = await pushTiny({ description: "a tiny one" });
    expect(manifest.annotations).toMatchObject({ "org.opencontainers.image.description": "a tiny one" });
    const config = registry.content.blobs.get(`lab/tool@${manifest.config.digest}`);
    expect(config?.length).toBe(manifest.config.size);
    expect(String(config)).toContain(JSON.stringify(metadata.runscript).slice(1, 20));
  });

  it("is exactly Singularity's with --plain-manifest", async () => {
    const { manifest } = await pushTiny({ plainManifest: true });
    const bytes = await readFile(TINY);
    expect(JSON.stringify(manifest)).toBe(
      `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.sylabs.sif.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[{"mediaType":"application/vnd.sylabs.sif.layer.v1.sif","size":${bytes.length},"digest":"${digestOf(bytes)}","annotations":{"org.opencontainers.image.title":"tiny.sif"}}]}`,
    );
  });

  it("without a tag is put and read back by its digest", async () => {
    const { registry, result } = await pushTiny({ tags: [] });
    expect(registry.content.tags.size).toBe(0);
    expect(registry.requests.slice(-2).map(({ method, path }) => `${method} ${path}`)).toEqual([
      `PUT /v2/lab/tool/manifests/${result.manifest}`,
      `HEAD /v2/lab/tool/manifests/${result.manifest}`,
    ]);
  });

  it("is read whole where the registry does not tell its digest", async () => {
    const { registry, result } = await pushTiny({}, { digestUntold: true });
    expect(registry.story().slice(-2)).toEqual(["HEAD lab/tool/manifests/1.0", "GET lab/tool/manifests/1.0"]);
    expect(registry.content.tags.get("lab/tool:1.0")).toBe(result.manifest);
  });
});

describe("bytes that another repository holds", () => {
  it.each([
    ["yes", "mounted"],
    ["no", "uploaded"],
    ["forbidden", "uploaded"],
  ] as const)("where mounting is answered %s: %s", async (mounts, transfer) => {
    const registry = await quirky({ mounts });
    const path = await largeFile();
    registry.content.putBlob("lab/source", await readFile(path));
    const source = await openFileSource(path);
    const from = parseRepoPath("lab/source");
    expect(await push(clientOf(registry), "lab/tool:1.0", source, { from })).toMatchObject({ transfer });
    expect(registry.uploaded()).toBe(transfer === "mounted" ? 2 : LARGE + 2);
    await expectHeld(registry, path);
  });
});

describe("a refusal", () => {
  /** Pushes to the registry that the user calls `host`. */
  async function failureAt(host: string, registry: { readonly url: URL }) {
    const client = clientOf(registry);
    const named = createOciRegistry({ host: parseHost(host), baseUrl: registry.url, transport: client.transport });
    const reference = { ...client.reference("lab/tool:1.0"), host: parseHost(host) };
    const source = await openFileSource(TINY);
    const request = { reference, tags: [parseTag("1.0")], source, title: "tool.sif", plainManifest: false };
    return failureOf(capability(named, "push")({ ...request, metadata: undefined }, client.call));
  }

  it("of Quay says what its administrator has to allow", async () => {
    const registry = await quirky({ configTypes: ["application/vnd.oci.image.config.v1+json"] });
    expect(await failureAt("quay.io", registry)).toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("MANIFEST_INVALID: manifest schema version not supported"),
      hint: "the administrator must allow SIF: ALLOWED_OCI_ARTIFACT_TYPES: {application/vnd.sylabs.sif.config.v1+json: [application/vnd.sylabs.sif.layer.v1.sif]}",
    });
    expect(registry.content.tags.size).toBe(0);
  });

  it("of ECR says that the repository must be made", async () => {
    const faults = await faultsBefore((await quirky()).url);
    const body = '{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist"}]}';
    faults.on({ method: "POST" }, reply(404, { body }));
    expect(await failureAt("1.dkr.ecr.eu-west-1.amazonaws.com", faults)).toMatchObject({
      code: "NOT_FOUND",
      hint: "ECR repositories must be made first: aws ecr create-repository",
    });
  });

  it.each([
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
  ] as const)("with %d names the login to use, and nothing is sent", async (status, code) => {
    const faults = await faultsBefore((await quirky()).url);
    faults.on({}, reply(status, { headers: { "www-authenticate": 'Basic realm="x"' } }));
    expect(await failureAt(faults.host, faults)).toMatchObject({
      code,
      hint: expect.stringContaining(`sregistry login ${faults.host}`),
    });
    expect(faults.requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0)).toBe(0);
  });
});

describe("a Location", () => {
  const auth = { kind: "registry", scopes: [] } as const;
  const transport = ociClient(new URL("http://127.0.0.1:9/")).transport;
  const settle = (base: string, location: string) =>
    settleLocation(createApi(parseHost(new URL(base).host), new URL(base), transport), new URL(location), auth);

  it("at the registry's own host is never less than https, though a proxy before it says so", () => {
    const { url, auth: given } = settle("https://example.org/", "http://example.org/v2/up/1?_state=a%2Fb");
    expect(url.href).toBe("https://example.org/v2/up/1?_state=a%2Fb");
    expect(given).toBe(auth);
  });

  it.each([
    ["https://example.org/", "https://example.org:443/up", auth],
    ["https://example.org/", "https://example.org:8443/up", { kind: "none" }],
    ["https://example.org/", "https://storage.example.net/up", { kind: "none" }],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:5001/up", { kind: "none" }],
    ["http://127.0.0.1:5000/", "http://10.0.0.1/up", { kind: "none" }],
  ])("from %s to %s gets the login only at home", (base, location, given) => {
    expect(settle(base, location).auth).toEqual(given);
  });

  it.each([
    ["https://example.org/", "http://storage.example.net/up"],
    ["https://example.org/", "https://127.0.0.1/up"],
    ["https://example.org/", "https://[::1]/up"],
    ["https://example.org/", "https://169.254.169.254/latest/meta-data"],
    ["http://203.0.113.5/", "http://10.0.0.1/up"],
    ["http://127.0.0.1:5000/", "file:///etc/passwd"],
    ["https://example.org/", "https://user:password@example.org/up"],
  ])("from %s to %s is refused", (base, location) => {
    expect(() => settle(base, location)).toThrow(
      expect.objectContaining({ code: "REFUSED", message: expect.stringContaining("not followed") }),
    );
  });
});
