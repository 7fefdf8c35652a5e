/** Pulls by the library protocol: each server's own way to the bytes, and what must never be taken for an image. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_STATUS } from "../../src/errors.ts";
import type { HttpRequest, Transport } from "../../src/http/transport.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { createLibraryRegistry } from "../../src/registry/library/index.ts";
import { downloadToFile } from "../../src/transfer/download.ts";
import { cutResponse, forgedRange, ignoreRange, redirectTo, reply, tooMany } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient, named } from "../support/library-caller.ts";
import { hashOf, type Kind, LIBRARY_TOKEN, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { quietCall } from "../support/sregistry-client.ts";

const NAME = "lab/tools/app:1.0";
const BYTES = randomBytes(3000);
const PAGE = { headers: { "content-type": "text/html" }, body: "<!doctype html><title>Sign in</title>" };
const IMAGE = /^\/v1\/images\//;
const FILE = /^\/v1\/imagefile\//;

const open: AsyncDisposable[] = [];
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-library-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

interface Site {
  readonly peer: LibraryPeer;
  readonly client: LibraryClient;
}

/** A library of one kind with one image in it. */
async function site(kind: Kind, options: LibraryClientOptions = {}): Promise<Site> {
  const peer = await startLibraryPeer(kind);
  open.push(peer);
  peer.add("tools/app", BYTES, ["1.0"]);
  const client = libraryClient(peer.url, options);
  open.push({ [Symbol.asyncDispose]: () => client.close() });
  return { peer, client };
}

async function pulled({ registry, call, resolve }: LibraryClient, name = NAME): Promise<Buffer> {
  const target = join(directory, "image.sif");
  const retry = { base: 1, cap: 2 };
  const image = await resolve(name);
  await downloadToFile({ registry, image, target, force: false, call, retry });
  return await readFile(target);
}

describe("every kind of library gives an image", () => {
  it.each(["sylabs", "srs", "hinkskalle", "legacy"] as const)("%s", async (kind) => {
    const { client } = await site(kind);
    const { size, digest } = await client.resolve(NAME);
    expect({ size, digest }).toEqual({ size: 3000, digest: digestOf(BYTES) });
    expect(await pulled(client)).toEqual(BYTES);
  });

  it.each([301, 302, 303, 307, 308])("%i leads to the storage", async (status) => {
    const { peer, client } = await site("sylabs");
    const location = peer.storage.presign({ method: "GET", key: `tools/app/${hashOf(BYTES)}` }).href;
    peer.faults.on({ path: FILE }, redirectTo(location, status));
    expect(await client.read(await client.resolve(NAME), { start: 1000, end: 2000 })).toEqual(
      BYTES.subarray(1000, 2000),
    );
  });

  it.each([
    ["/files/one", `Bearer ${LIBRARY_TOKEN}`],
    ["/files/one?arch=amd64", `Bearer ${LIBRARY_TOKEN}`],
    ["/files/one?X-Amz-Signature=00", undefined],
    ["/files/one?sig=00", undefined],
  ])("a relative Location, %s, stays at the library, with the token unless it is signed", async (location, token) => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: FILE }, redirectTo(location, 308));
    peer.faults.on({ path: /^\/files\/one/ }, reply(200, { body: BYTES }));
    expect(await client.read(await client.resolve(NAME), { start: 0 })).toEqual(BYTES);
    expect(peer.faults.requests.map(({ path, headers }) => [path, headers["authorization"]])).toEqual([
      ["/v1/images/lab/tools/app:1.0?arch=amd64", `Bearer ${LIBRARY_TOKEN}`],
      ["/v1/imagefile/lab/tools/app:1.0?arch=amd64", `Bearer ${LIBRARY_TOKEN}`],
      [location, token],
    ]);
  });
});

describe("the token and the presigned URL", () => {
  it("neither reaches the storage's log nor ours: MinIO answers 400 to two authentication types", async () => {
    const { peer, client } = await site("srs");
    expect(await pulled(client)).toEqual(BYTES);
    expect(peer.storage.faults.requests.map(({ headers }) => headers["authorization"])).not.toContain(
      `Bearer ${LIBRARY_TOKEN}`,
    );
    expect(peer.storage.faults.requests.every(({ status }) => status === 206 || status === 200)).toBe(true);
    const signature = /X-Amz-Signature=([0-9a-f]+)/.exec(peer.storage.faults.requests[0]?.path ?? "")?.[1];
    const told = [...client.transport.lines, ...client.said].join("\n");
    expect(told).toContain("debug: > GET");
    expect(told).not.toContain(LIBRARY_TOKEN);
    expect(signature).toHaveLength(32);
    expect(told).not.toContain(signature);
  });

  it("the storage is asked by GET alone: a URL is signed for one method", async () => {
    const { peer, client } = await site("srs");
    await pulled(client);
    expect(new Set(peer.storage.faults.requests.map(({ method }) => method))).toEqual(new Set(["GET"]));
  });

  it.each([
    ["https://library.example/", "http://storage.example/a", "sends the download from https to plain http"],
    ["https://library.example/", "https://169.254.169.254/latest", "an address inside a private network"],
    ["https://library.example/", "https://127.0.0.1/a", "an address inside a private network"],
    ["http://library.example/", "ftp://storage.example/a", "no http(s) URL"],
    ["http://library.example/", "http://user:word@storage.example/a", "no http(s) URL"],
  ])("%s -> %s is refused", async (base, location, words) => {
    const asked: string[] = [];
    const registry = createLibraryRegistry({
      base: new URL(base),
      front: new URL(base),
      transport: sends(asked, location),
    });
    const image = await registry.resolve(named(NAME), {}, quietCall);
    const failure = await failureOf(registry.read(image, { start: 0 }, quietCall));
    expect(failure).toMatchObject({ code: "REPLY_INVALID", message: expect.stringContaining(words) });
    expect(asked.filter((href) => !href.startsWith(base))).toEqual([]);
  });
});

/** A library under a name that no test can listen at: one image, whose bytes are at `location`. */
function sends(asked: string[], location: string): Transport {
  return {
    async send({ url }: HttpRequest) {
      asked.push(url.href);
      const data = { id: "1", hash: hashOf(BYTES), size: 3000, uploaded: true };
      const found = url.pathname.startsWith("/v1/images/");
      const body = Readable.from([Buffer.from(found ? JSON.stringify({ data }) : "")]);
      const headers = new Map([
        ["content-type", "application/json"],
        ...(found ? [] : [["location", location] as const]),
      ]);
      return { status: found ? 200 : 303, headers, url, body };
    },
    close: async () => undefined,
  };
}

describe("a URL that has run out", () => {
  it("is asked for anew, once, when it had worked before", async () => {
    const { peer, client } = await site("sylabs");
    const image = await client.resolve(NAME);
    await client.read(image, { start: 0, end: 10 });
    for (const permit of peer.storage.permits) permit.expired = true;
    peer.faults.clear();
    expect(await client.read(image, { start: 10, end: 20 })).toEqual(BYTES.subarray(10, 20));
    expect(peer.story()).toEqual(["GET /v1/imagefile/lab/tools/app:1.0"]);
    expect(peer.storage.permits).toHaveLength(2);
  });

  it("is an error when the new one does not open either, never the error page's bytes", async () => {
    const { peer, client } = await site("sylabs");
    const image = await client.resolve(NAME);
    await client.read(image, { start: 0, end: 10 });
    peer.storage.faults.on({}, reply(403, { body: "<Error><Message>Request has expired</Message></Error>" }));
    const failure = await failureOf(client.read(image, { start: 10, end: 20 }));
    expect(failure).toMatchObject({ code: "FORBIDDEN", message: expect.stringContaining("storage of the library") });
    expect(peer.storage.permits).toHaveLength(2);
  });

  it("runs out in the middle of a download, which goes on with a new one", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ times: 1 }, cutResponse({ after: 1000, how: "fin" }));
    peer.storage.faults.on({ times: 1 }, (exchange) => {
      for (const permit of peer.storage.permits) permit.expired = true;
      return exchange.forward();
    });
    expect(await pulled(client)).toEqual(BYTES);
    expect(peer.storage.faults.requests.map(({ status }) => status)).toEqual([200, 403, 206]);
  });
});

describe("answers to a range", () => {
  it("200 to a range is the whole from its start, and a download takes it as that", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({}, ignoreRange);
    const part = await client.registry.read(await client.resolve(NAME), { start: 1000 }, client.call);
    part.body.destroy();
    expect([part.start, part.total]).toEqual([0, 3000]);
    expect(await pulled(client)).toEqual(BYTES);
  });

  it.each(["bytes 0-999/3000", "bytes 1000-1998/3000", "bytes 1000-1999/2999", "bytes */3000", "1000-1999", ""])(
    "Content-Range %j is not the range asked for",
    async (text) => {
      const { peer, client } = await site("sylabs");
      const image = await client.resolve(NAME);
      peer.storage.faults.on({}, forgedRange(text));
      const failure = await failureOf(client.registry.read(image, { start: 1000, end: 2000 }, client.call));
      expect(failure).toMatchObject({ code: "REPLY_INVALID", message: expect.stringContaining("bytes 1000-1999") });
    },
  );

  it("an answer cut short is gone on with, not a short file", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ times: 1 }, cutResponse({ after: 700, how: "fin" }));
    expect(await pulled(client)).toEqual(BYTES);
  });

  it("a storage that announces another length than the record has is damaged", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.objects.set(`tools/app/${hashOf(BYTES)}`, BYTES.subarray(0, 2000));
    const failure = await failureOf(client.registry.read(await client.resolve(NAME), { start: 0 }, client.call));
    expect(failure.code).toBe("INTEGRITY");
    expect(failure.message).toContain("should have 3000 bytes");
  });

  it("other bytes under the name end in exit 6, and leave no file", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.objects.set(`tools/app/${hashOf(BYTES)}`, randomBytes(3000));
    const { code } = await failureOf(pulled(client));
    expect([code, EXIT_STATUS[code]]).toEqual(["INTEGRITY", 6]);
    expect(await readdir(directory)).not.toContain("image.sif");
  });
});

describe("pages, numbers and nothing, where an image or its record was expected", () => {
  it.each([
    ["a login page at the library", FILE, 200],
    ["a login page with a 206", FILE, 206],
  ])("%s", async (_title, path, status) => {
    const { peer, client } = await site("hinkskalle");
    const image = await client.resolve(NAME);
    peer.faults.on({ path }, reply(status, PAGE));
    const failure = await failureOf(client.read(image, { start: 0 }));
    expect(failure).toMatchObject({ code: "REPLY_INVALID", message: expect.stringContaining("sent a web page") });
  });

  it("a login page of just the image's length where the storage should be", async () => {
    const { peer, client } = await site("sylabs");
    const image = await client.resolve(NAME);
    peer.storage.faults.on({}, reply(200, { ...PAGE, body: PAGE.body.padEnd(3000) }));
    const failure = await failureOf(client.read(image, { start: 0 }));
    expect(failure).toMatchObject({ code: "REPLY_INVALID", message: expect.stringContaining("sent a web page") });
  });

  it.each([
    ["a bare number", "application/json", "429"],
    ["nothing", "application/json", ""],
    ["no data", "application/json", "{}"],
    ["data null", "application/json", '{"data":null}'],
    ["a list", "application/json", '{"data":[]}'],
    ["no id", "application/json", '{"data":{"hash":"sha256.00"}}'],
    ["half an object", "application/json", '{"data":{'],
    ["a page", "text/html; charset=utf-8", PAGE.body],
    ["a negative size", "application/json", '{"data":{"id":"1","size":-1}}'],
  ])("%s in place of a record", async (_title, type, body) => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: IMAGE }, reply(200, { headers: { "content-type": type }, body }));
    expect((await failureOf(client.resolve(NAME))).code).toBe("REPLY_INVALID");
  });

  it("JSON under another content type is a record, ids may be numbers, updatedAt may be empty", async () => {
    const { peer, client } = await site("sylabs");
    const data = { id: 7, hash: hashOf(BYTES), size: 3000, uploaded: true, updatedAt: "", createdAt: "" };
    const headers = { "content-type": "text/plain" };
    peer.faults.on({ path: IMAGE }, reply(200, { headers, body: JSON.stringify({ data }) }));
    expect(await client.resolve(NAME)).toMatchObject({ digest: digestOf(BYTES), size: 3000 });
  });
});

describe("records", () => {
  it("size null is learnt from the storage", async () => {
    const { peer, client } = await site("srs");
    expect((await client.resolve(NAME)).size).toBe(3000);
    expect(peer.storage.faults.requests.map(({ headers }) => headers["range"])).toEqual(["bytes=0-0"]);
  });

  it("a sif.<uuid> hash is no digest, and the image comes all the same", async () => {
    const { peer, client } = await site("legacy");
    const row = peer.add("tools/old", BYTES, ["1"], { hash: "sif.0b16fb05-5e6f-4a5f-8d4c-0b16fb055e6f" });
    peer.storage.objects.set(`tools/old/${row.hash}`, BYTES);
    expect((await client.resolve("lab/tools/old:1")).digest).toBeUndefined();
    expect(await pulled(client, "lab/tools/old:1")).toEqual(BYTES);
  });

  it("an upload that was not finished is not there", async () => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/half", BYTES, ["1"], { uploaded: false });
    expect((await failureOf(client.resolve("lab/tools/half:1"))).code).toBe("NOT_FOUND");
  });

  it("a record without bytes says so, and where they may be", async () => {
    const { peer, client } = await site("srs");
    peer.storage.objects.clear();
    expect(await failureOf(client.resolve(NAME))).toEqual({
      code: "NOT_FOUND",
      message: "the library has a record of library://lab/tools/app:1.0 and not its bytes",
      hint: "its upload was not finished; at a Singularity Registry Server it may be there as shub://",
    });
  });

  it("another image than the pinned one is not taken", async () => {
    const { peer, client } = await site("sylabs");
    const data = { id: "1", hash: hashOf(BYTES), size: 3000, uploaded: true };
    const headers = { "content-type": "application/json" };
    peer.faults.on({ path: IMAGE }, reply(200, { headers, body: JSON.stringify({ data }) }));
    const other = hashOf(Buffer.from("other"));
    expect((await failureOf(client.resolve(`lab/tools/app:${other}`))).code).toBe("INTEGRITY");
  });

  it("a digest of three components is never asked for at alpha.1: the GET would make a row", async () => {
    const { peer, client } = await site("srs");
    const rows = peer.shelf.rows.length;
    expect((await client.resolve(`lab/tools/app:${hashOf(BYTES)}`)).digest).toBe(digestOf(BYTES));
    expect(await pulled(client, `lab/tools/app:${hashOf(BYTES)}`)).toEqual(BYTES);
    expect(peer.shelf.rows).toHaveLength(rows);
    const asked = peer.faults.requests.filter(({ path }) => IMAGE.test(path));
    expect(new Set(asked.map(({ path }) => path))).toEqual(
      new Set([`/v1/images/tools/app:${hashOf(BYTES)}?arch=amd64`]),
    );
  });

  it("the architecture goes along, and one that is not there is named", async () => {
    const { client } = await site("sylabs");
    expect(await failureOf(client.resolve(NAME, "arm64"))).toEqual({
      code: "NOT_FOUND",
      message: "library://lab/tools/app:1.0 is not at the library for arm64, or not yours to see",
      hint: "check the name and --arch; a private image needs a login: sregistry remote status",
    });
  });

  it("a server that says amd64 of every image is not believed", async () => {
    const srs = await site("srs");
    expect((await srs.client.resolve(NAME, "arm64")).architecture).toBeUndefined();
    const sylabs = await site("sylabs");
    expect((await sylabs.client.resolve(NAME)).architecture).toBe("amd64");
  });
});

describe("refusals", () => {
  it("500 HTML for a private image asks for a login", async () => {
    const { peer, client } = await site("srs", { token: undefined });
    peer.faults.on({ path: IMAGE }, reply(500, { ...PAGE, body: "<h1>Server Error (500)</h1>" }));
    expect(await failureOf(client.resolve(NAME))).toEqual({
      code: "UNAUTHORIZED",
      message:
        "the library failed to say what library://lab/tools/app:1.0 is: it may be private, and the token missing or wrong",
      hint: expect.stringMatching(/^sregistry remote add --insecure NAME 127\.0\.0\.1:\d+, which asks for the token$/),
    });
    expect(peer.story()).toEqual(["GET /v1/images/lab/tools/app:1.0"]);
  });

  it("500 that is no page is the server's failure", async () => {
    const { peer, client } = await site("sylabs");
    const headers = { "content-type": "application/json" };
    peer.faults.on(
      { path: IMAGE },
      reply(500, { headers, body: '{"error":{"code":500,"message":"database is down"}}' }),
    );
    const failure = await failureOf(client.resolve(NAME));
    expect(failure.code).toBe("SERVER_ERROR");
    expect(failure.message).toContain("database is down");
  });

  it("403 HTML is the limit of a day, to be tried later: exit 75, and no page in the words", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ path: IMAGE }, reply(403, { ...PAGE, body: "<h1>403 Forbidden</h1>" }));
    const failure = await failureOf(client.resolve(NAME));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["RATE_LIMITED", 75]);
    expect(failure.message).not.toContain("<h1>");
    expect(peer.story()).toHaveLength(1);
  });

  it("429 with a long Retry-After is not tried again", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ path: IMAGE }, tooMany(86_398));
    const failure = await failureOf(client.resolve(NAME));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["RATE_LIMITED", 75]);
    expect(failure.message).toContain("86398 s");
    expect(peer.story()).toHaveLength(1);
  });

  it("429 with a short one is", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: IMAGE, times: 1 }, tooMany(0));
    expect((await client.resolve(NAME)).size).toBe(3000);
    expect(peer.story()).toHaveLength(2);
  });

  it("401 with a challenge of its own is not answered with the token at another address", async () => {
    const { peer, client } = await site("hinkskalle", { token: "wrong" });
    const headers = { "www-authenticate": 'bearer realm="http://registry.invalid/v2/"' };
    peer.faults.on({ path: IMAGE }, reply(401, { headers, body: "" }));
    const failure = await failureOf(client.resolve(NAME));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["UNAUTHORIZED", 4]);
  });

  it("403 and 404 with an empty body", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ path: IMAGE, times: 1 }, reply(403));
    expect((await failureOf(client.resolve(NAME))).code).toBe("FORBIDDEN");
    peer.faults.on({ path: IMAGE, times: 1 }, reply(404));
    expect((await failureOf(client.resolve(NAME))).code).toBe("NOT_FOUND");
  });
});
