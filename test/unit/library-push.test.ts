/** Pushes by the library protocol: what each kind of server is asked in which order, and what must not happen on the way. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { EXIT_STATUS } from "../../src/errors.ts";
import { digestHex, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { capability } from "../../src/registry/registry.ts";
import { cutResponse, redirectTo, reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient, named } from "../support/library-caller.ts";
import { hashOf, type Kind, LIBRARY_TOKEN, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { countingSource, METADATA } from "../support/oci-client.ts";

const NAME = "lab/tools/app:1.0";
const BYTES = randomBytes(3000);
const HASH = hashOf(BYTES);
const KEY = `tools/app/${HASH}`;
const JSON_TYPE = { "content-type": "application/json" };
const HTML = { headers: { "content-type": "text/html" }, body: "<h1>Server Error (500)</h1>" };

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

interface Site {
  readonly peer: LibraryPeer;
  readonly client: LibraryClient;
}

async function site(kind: Kind, options: LibraryClientOptions = {}): Promise<Site> {
  const peer = await startLibraryPeer(kind);
  open.push(peer);
  const client = libraryClient(peer.url, options);
  open.push({ [Symbol.asyncDispose]: () => client.close() });
  return { peer, client };
}

/** `METHOD path` of the requests that change something. */
const changes = (peer: LibraryPeer): readonly string[] => peer.story().filter((line) => !line.startsWith("GET "));

const said = (body: unknown) => ({ headers: JSON_TYPE, body: JSON.stringify(body) });

describe("find or create", () => {
  it("at Sylabs: entity, collection, container, image, bytes, tag, and the tag is read back", async () => {
    const { peer, client } = await site("sylabs");
    const result = await client.push(NAME, BYTES, { description: "for the lab" });
    expect(result).toMatchObject({ digest: digestOf(BYTES), transfer: "uploaded", tags: ["1.0"] });
    expect(peer.story().filter((line) => line !== "GET /version")).toEqual([
      "GET /v1/entities/lab",
      "GET /v1/collections/lab/tools",
      "POST /v1/collections",
      "GET /v1/containers/lab/tools/app",
      "POST /v1/containers",
      `GET /v1/images/lab/tools/app:${HASH}`,
      "POST /v1/images",
      "POST /v2/imagefile/101",
      "PUT /v2/imagefile/101/_complete",
      "POST /v2/tags/3",
      "GET /v1/images/lab/tools/app:1.0",
    ]);
    expect(peer.bodies(/^(?:POST|PUT) /)).toEqual([
      { name: "tools", entity: "1", description: "No description" },
      { name: "app", collection: "2", description: "No description" },
      { hash: HASH, description: "for the lab", container: "3", uploaded: false },
      { filesize: 3000, sha256sum: HASH.slice(7), md5sum: expect.stringMatching(/^[0-9a-f]{32}$/) },
      {},
      { Arch: "amd64", Tag: "1.0", ImageID: "101" },
    ]);
    expect(peer.storage.objects.get(KEY)).toEqual(BYTES);
  });

  it("at Singularity Registry Server: neither container nor image is made, and the version is asked once", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    expect(peer.story()).toEqual([
      "GET /v1/entities/lab",
      "GET /v1/collections/lab/tools",
      "POST /v1/collections",
      "GET /v1/containers/lab/tools/app",
      `GET /v1/images/lab/tools/app:${HASH}`,
      "GET /version",
      "POST /v2/imagefile/101",
      "PUT /v2/imagefile/101/_complete",
      "POST /v1/tags/2",
      "GET /v1/images/lab/tools/app:1.0",
    ]);
    expect(peer.storage.objects.get(KEY)).toEqual(BYTES);
  });

  it("at Hinkskalle: the bytes go to the library, without the token", async () => {
    const { peer, client } = await site("hinkskalle");
    await client.push(NAME, BYTES);
    expect(peer.storage.objects.get(KEY)).toEqual(BYTES);
    expect(peer.storage.faults.requests).toEqual([]);
    const upload = peer.faults.requests.find(({ path }) => path.includes("/_upload/"));
    expect(upload).toMatchObject({ method: "PUT", status: 200 });
    expect(upload?.headers).not.toHaveProperty("authorization");
    expect(upload?.headers).not.toHaveProperty("x-amz-content-sha256");
    expect(upload?.headers["content-length"]).toBe("3000");
  });

  it("at a library of the first API: the bytes go to it with the token, and it has no end of an upload", async () => {
    const { peer, client } = await site("legacy");
    await client.push(NAME, BYTES);
    expect(changes(peer)).toEqual([
      "POST /v1/collections",
      "POST /v1/containers",
      "POST /v1/images",
      "POST /v1/imagefile/101",
      "POST /v1/tags/3",
    ]);
    const upload = peer.faults.requests.find(({ path }) => path === "/v1/imagefile/101");
    expect(upload?.headers["authorization"]).toBe(`Bearer ${LIBRARY_TOKEN}`);
    expect(upload?.headers["content-length"]).toBe("3000");
    expect(peer.storage.objects.get(KEY)).toEqual(BYTES);
  });

  it("uploads nothing that is there, and tags it", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    peer.faults.clear();
    const result = await client.push("lab/tools/app:2.0", BYTES);
    expect(result.transfer).toBe("present");
    expect(changes(peer)).toEqual(["POST /v2/tags/3"]);
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0", "2.0"]]);
  });

  it("a collection's name is taken over as the server normalised it", async () => {
    const { peer, client } = await site("srs");
    await client.push("lab/new_coll/app:1.0", BYTES);
    expect(peer.story()).toContain("GET /v1/containers/lab/new-coll/app");
    expect(peer.shelf.rows.map(({ name, tags }) => [name, tags])).toEqual([["new-coll/app", ["1.0"]]]);
    expect(client.said).toContain("info: the library calls the collection new-coll");
  });

  it.each([409, 403, 412])("another push makes the collection meanwhile (%i): it is found", async (status) => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/other", Buffer.from("other"), ["1"]);
    peer.faults.on({ path: /^\/v1\/collections\/lab\/tools$/, times: 1 }, reply(404));
    peer.faults.on({ method: "POST", path: /^\/v1\/collections$/ }, reply(status, said({ message: "exists already" })));
    expect((await client.push(NAME, BYTES)).transfer).toBe("uploaded");
  });

  it.each([409, 412])("another push makes the container meanwhile (%i): it is found", async (status) => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/app", Buffer.from("other"), ["1"]);
    peer.faults.on({ path: /^\/v1\/containers\/lab\/tools\/app$/, times: 1 }, reply(404));
    peer.faults.on({ method: "POST", path: /^\/v1\/containers$/ }, reply(status, said({ message: "exists already" })));
    expect((await client.push(NAME, BYTES)).transfer).toBe("uploaded");
  });

  it.each([409, 412])("another push makes the image meanwhile (%i): it is found", async (status) => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/app", BYTES, ["1"]);
    peer.faults.on({ path: /^\/v1\/images\/.*sha256/, times: 1 }, reply(404));
    peer.faults.on({ method: "POST", path: /^\/v1\/images$/ }, reply(status, said({ message: "exists already" })));
    expect((await client.push(NAME, BYTES)).transfer).toBe("present");
  });

  it("somebody else's collection is named as that, in the server's words", async () => {
    const { peer, client } = await site("srs");
    const message = "A collection named 'tools' exists already!";
    peer.faults.on(
      { method: "POST", path: /^\/v1\/collections$/ },
      reply(403, said({ error: { code: 403, message } })),
    );
    const failure = await failureOf(client.push(NAME, BYTES));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["FORBIDDEN", 4]);
    expect(failure.message).toContain("the collection tools belongs to somebody else");
    expect(failure.message).toContain(message);
    expect(peer.shelf.rows).toEqual([]);
  });

  it("an entity that is not shown and not to be made asks for the right login", async () => {
    const { peer, client } = await site("srs");
    const failure = await failureOf(client.push("other/tools/app:1.0", BYTES));
    expect(failure.message).toBe("the library shows no entity other to this login, and lets none be made");
    expect(changes(peer)).toEqual(["POST /v1/entities"]);
  });
});

describe("names", () => {
  it.each([
    ["srs", ["GET /v1/entities"]],
    ["sylabs", ["GET /v1/entities", "GET /v1/rbac/users/current"]],
    ["hinkskalle", ["GET /v1/entities", "GET /v1/rbac/users/current", "GET /v1/token-status"]],
  ] as const)("%s is asked whose the token is when the path has two components", async (kind, asked) => {
    const { peer, client } = await site(kind);
    await client.push("tools/app:1.0", BYTES);
    expect(peer.story().slice(0, asked.length)).toEqual(asked);
    expect(peer.story()).toContain("GET /v1/collections/lab/tools");
  });

  it("an entity that is known is not asked for", async () => {
    const { peer, client } = await site("sylabs", { entity: "lab" });
    await client.push("tools/app:1.0", BYTES);
    expect(peer.story()[0]).toBe("GET /v1/entities/lab");
  });

  it.each([
    ["a page with 403", 403, { headers: { "content-type": "text/html" }, body: "<h1>403 Forbidden</h1>" }],
    ["429", 429, said({ detail: "Request was throttled." })],
  ])(
    "a server that has reached its limit (%s) does not stay silent on whose it is: try later",
    async (_, status, body) => {
      const { peer, client } = await site("srs");
      peer.faults.on({ path: /\/v1\/entities$/ }, reply(status, body));
      const { code } = await failureOf(client.push("tools/app:1.0", BYTES));
      expect([code, EXIT_STATUS.RATE_LIMITED]).toEqual(["RATE_LIMITED", 75]);
      expect(new Set(peer.story())).toEqual(new Set(["GET /v1/entities"]));
    },
  );

  it("an empty 403 that calls itself a page is a login that is not known", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ path: /\/v1\/entities$/ }, reply(403, { headers: { "content-type": "text/html" } }));
    expect(await failureOf(client.push("tools/app:1.0", BYTES))).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("when nobody says, the entity is to be written out", async () => {
    const { client } = await site("legacy");
    expect(await failureOf(client.push("tools/app:1.0", BYTES))).toEqual({
      code: "UNAUTHORIZED",
      message: "the library does not say whose the token is, so tools/app lacks an entity",
      hint: expect.stringMatching(
        /^sregistry remote add --insecure NAME 127\.0\.0\.1:\d+, which asks for the token; or write it out: library:\/\/ENTITY\/tools\/app$/,
      ),
    });
  });

  it.each(["lab/tools/app.sif:1.0", "lab/tools.img/app:1.0", "lab/tools/app.simg.old:1.0"])(
    "%s is refused before anything is asked: a file's ending is cut out of what is pulled",
    async (name) => {
      const { peer, client } = await site("srs");
      expect((await failureOf(client.push(name, BYTES))).code).toBe("REFERENCE_INVALID");
      expect(peer.story()).toEqual([]);
    },
  );

  it.each(["V1", "1.0.sif"])("tag %s is refused at alpha.1, which would never find it again", async (tag) => {
    const { peer, client } = await site("srs");
    expect((await failureOf(client.push(`lab/tools/app:${tag}`, BYTES))).code).toBe("REFERENCE_INVALID");
    expect(peer.story()).toEqual(["GET /version"]);
  });

  it("tag V1 is taken elsewhere", async () => {
    const { client } = await site("sylabs");
    expect((await client.push("lab/tools/app:V1", BYTES)).tags).toEqual(["V1"]);
  });

  it("a digest that is not the file's is refused before anything is made", async () => {
    const { peer, client } = await site("sylabs");
    const other = hashOf(Buffer.from("other"));
    expect((await failureOf(client.push(`lab/tools/app:${other}`, BYTES))).code).toBe("INTEGRITY");
    expect(peer.story()).toEqual(["GET /v1/entities/lab"]);
  });
});

it("whoever is not logged in is told so before a large file is read", async () => {
  const { peer, client } = await site("sylabs");
  peer.faults.on({ path: /\/v1\/entities\/lab$/ }, reply(401, said({ error: { code: 401, message: "no token" } })));
  const source = countingSource(BYTES);
  const request = { reference: named(NAME), tags: [parseTag("1.0")], source, title: "tool.sif" };
  const push = capability(client.registry, "push");
  const failed = await failureOf(push({ ...request, metadata: METADATA, plainManifest: false }, client.call));
  expect([failed.code, source.read()]).toEqual(["UNAUTHORIZED", 0]);
});

describe("an upload in one piece", () => {
  it("carries x-amz-content-sha256 where the URL signs it", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    const [upload] = peer.storage.faults.requests;
    expect(upload?.headers).toMatchObject({
      "x-amz-content-sha256": digestHex(digestOf(BYTES)),
      "content-length": "3000",
    });
    expect(upload?.headers).not.toHaveProperty("authorization");
    expect(upload?.headers).not.toHaveProperty("transfer-encoding");
  });

  it("and does not where it does not: MinIO refuses an unsigned one", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    expect(peer.storage.faults.requests.map(({ method }) => method)).toContain("PUT");
    const [upload] = peer.storage.faults.requests;
    expect(upload?.headers).not.toHaveProperty("x-amz-content-sha256");
    expect(upload?.headers).not.toHaveProperty("authorization");
  });

  it("tells neither the token nor the signature", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    const signature = /X-Amz-Signature=([0-9a-f]+)/.exec(peer.storage.faults.requests[0]?.path ?? "")?.[1];
    const told = [...client.transport.lines, ...client.said].join("\n");
    expect(told).toContain("debug: > PUT");
    expect(told).not.toContain(LIBRARY_TOKEN);
    expect(signature).toHaveLength(32);
    expect(told).not.toContain(signature);
  });

  it("that the storage got otherwise is seen by its ETag: exit 6, and nothing is tagged", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on({ method: "PUT" }, reply(200, { headers: { etag: `"${"0".repeat(32)}"` } }));
    const { code } = await failureOf(client.push(NAME, BYTES));
    expect([code, EXIT_STATUS[code]]).toEqual(["INTEGRITY", 6]);
    expect(changes(peer).filter((line) => /tags|_complete/.test(line))).toEqual([]);
  });

  it.each([
    ["aws:kms", { "x-amz-server-side-encryption": "aws:kms" }],
    ["SSE-C AES256", { "x-amz-server-side-encryption-customer-algorithm": "AES256" }],
  ])("to a storage that encrypts (%s) is no damage: its ETag of 32 digits is no md5", async (word, encryption) => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on({ method: "PUT" }, reply(200, { headers: { etag: `"${"0".repeat(32)}"`, ...encryption } }));
    await client.push(NAME, BYTES);
    expect(client.said).toContain(
      `verbose: the storage of the library encrypts (${word}): its ETag says nothing of the bytes`,
    );
  });

  it("to a storage that encrypts by SSE-S3 is held to its ETag, which is an md5 there", async () => {
    const { peer, client } = await site("srs");
    const headers = { etag: `"${"0".repeat(32)}"`, "x-amz-server-side-encryption": "AES256" };
    peer.storage.faults.on({ method: "PUT" }, reply(200, { headers }));
    expect((await failureOf(client.push(NAME, BYTES))).code).toBe("INTEGRITY");
  });

  it("counts the bytes that are sent, and none while hashing", async () => {
    const { client } = await site("sylabs");
    const told: (string | number)[] = [];
    const task = {
      at: (bytes: number) => void told.push(bytes),
      state: (words: string) => void told.push(words),
      done: () => void told.push("done"),
      fail: () => void told.push("fail"),
    };
    const call = { ...client.call, progress: { start: () => task } };
    const reference = named(NAME);
    const request = { reference, tags: [parseTag("1.0")], source: countingSource(BYTES), title: "tool.sif" };
    await capability(client.registry, "push")({ ...request, metadata: METADATA, plainManifest: false }, call);
    expect(told).toEqual(["hashing", BYTES.length, BYTES.length, "done"]);
  });

  it("whose URL runs out meanwhile gets a new one", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ times: 1 }, (exchange) => {
      for (const permit of peer.storage.permits) permit.expired = true;
      return exchange.forward();
    });
    await client.push(NAME, BYTES);
    expect(peer.storage.faults.requests.map(({ status }) => status)).toEqual([403, 200]);
    expect(peer.storage.permits).toHaveLength(2);
    expect(peer.storage.objects.get(KEY)).toEqual(BYTES);
  });

  it("is sent again to a new URL when the storage is busy", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ times: 2 }, reply(503));
    await client.push(NAME, BYTES);
    expect(peer.storage.permits).toHaveLength(3);
    expect(new Set(peer.storage.faults.requests.map(({ path }) => path)).size).toBe(3);
  });

  it("that the storage refuses is an error, and is not tried again", async () => {
    const { peer, client } = await site("sylabs");
    const body = "<Error><Code>SignatureDoesNotMatch</Code><Message>signature not correct</Message></Error>";
    peer.storage.faults.on({}, reply(403, { headers: { "content-type": "application/xml" }, body }));
    const failure = await failureOf(client.push(NAME, BYTES));
    expect(failure).toMatchObject({ code: "FORBIDDEN", message: expect.stringContaining("signature not correct") });
    expect(peer.storage.permits).toHaveLength(1);
  });

  it("follows no redirect of the storage", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({}, redirectTo("/elsewhere", 307));
    expect((await failureOf(client.push(NAME, BYTES))).code).toMatch(/REFUSED|REPLY_INVALID/);
    expect(peer.storage.faults.requests).toHaveLength(1);
  });

  it.each(["", "ftp://storage.example/a", "http://user:word@127.0.0.1/a", "http://["])(
    "to %j is not sent",
    async (uploadURL) => {
      const { peer, client } = await site("sylabs");
      peer.faults.on({ method: "POST", path: /^\/v2\/imagefile\/\d+$/ }, reply(200, said({ data: { uploadURL } })));
      expect((await failureOf(client.push(NAME, BYTES))).code).toBe("REPLY_INVALID");
    },
  );

  it("422 of a server that looks at the bytes is damage on the way", async () => {
    const { peer, client } = await site("hinkskalle");
    peer.faults.on({ path: /_upload/ }, reply(422, said({ message: "Invalid hash" })));
    const failure = await failureOf(client.push(NAME, BYTES));
    expect(failure).toMatchObject({ code: "INTEGRITY", message: expect.stringContaining("Invalid hash") });
  });

  it("413 is a quota that is full: exit 7", async () => {
    const { peer, client } = await site("hinkskalle");
    const path = /^\/v2\/imagefile\/\d+$/;
    peer.faults.on({ path }, reply(413, said({ message: "Quota exceeded" })));
    const failure = await failureOf(client.push(NAME, BYTES));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["DISK", 7]);
    expect(failure.message).toContain("Quota exceeded");
  });

  it("whose end is lost on the way is not ended twice when the image is there", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: /_complete$/, times: 1 }, cutResponse({ after: 0, how: "rst" }));
    expect((await client.push(NAME, BYTES)).transfer).toBe("uploaded");
    expect(changes(peer).filter((line) => line.endsWith("_complete"))).toHaveLength(1);
  });

  it("whose end fails is ended again when the image is not there", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: /_complete$/, times: 1 }, reply(502));
    expect((await client.push(NAME, BYTES)).transfer).toBe("uploaded");
    expect(changes(peer).filter((line) => line.endsWith("_complete"))).toHaveLength(2);
  });

  it.each(["", "{}", "200", "<h1>done</h1>", '{"data":{}}'])("may end with %j", async (body) => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: /_complete$/ }, (exchange) => {
      for (const row of peer.shelf.rows) row.uploaded = true;
      return reply(200, { body })(exchange);
    });
    const result = await client.push(NAME, BYTES);
    expect([result.quota, result.page]).toEqual([undefined, undefined]);
  });

  it("ends with the quota and the page of the container", async () => {
    const { peer, client } = await site("sylabs");
    const result = await client.push(NAME, BYTES);
    expect(result.quota).toEqual({ used: 3000, total: undefined });
    expect(result.page).toBe(`${peer.url.origin}/library/lab/tools/app`);
  });

  it("that is given up takes its row away at Singularity Registry Server, which would list it until night", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on({ method: "PUT" }, reply(403));
    await failureOf(client.push(NAME, BYTES));
    expect(changes(peer).at(-1)).toBe("PUT /v2/imagefile/101/_multipart_abort");
    expect(peer.shelf.rows).toEqual([]);
  });

  it("of a file that changes meanwhile is tagged nowhere", async () => {
    const { peer, client } = await site("srs");
    const { code } = await failureOf(client.push(NAME, countingSource(BYTES, { changed: true })));
    expect(code).toBe("INTEGRITY");
    expect(changes(peer).filter((line) => line.includes("/tags/"))).toEqual([]);
    expect(peer.shelf.rows).toEqual([]);
  });
});

describe("tags", () => {
  it("carry no Content-Type: Singularity Registry Server answers 415 to any", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    const tag = peer.faults.requests.find(({ path }) => path.startsWith("/v1/tags/"));
    expect(tag).toMatchObject({ method: "POST", status: 200 });
    expect(tag?.headers).not.toHaveProperty("content-type");
  });

  it("several at Singularity Registry Server are a row each, and one upload", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES, { tags: [parseTag("1.0"), parseTag("1"), parseTag("latest")] });
    expect(peer.shelf.rows.map(({ id, tags }) => [id, tags])).toEqual([
      ["101", ["1.0"]],
      ["102", ["1"]],
      ["103", ["latest"]],
    ]);
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
    for (const tag of ["1.0", "1", "latest"]) {
      expect((await client.resolve(`lab/tools/app:${tag}`)).digest).toBe(digestOf(BYTES));
    }
  });

  it("several elsewhere are of one image", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES, { tags: [parseTag("1.0"), parseTag("latest")] });
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0", "latest"]]);
    expect(peer.bodies(/^POST \/v2\/tags/)).toEqual([
      { Arch: "amd64", Tag: "1.0", ImageID: "101" },
      { Arch: "amd64", Tag: "latest", ImageID: "101" },
    ]);
  });

  it("belong to the image's architecture, not the host's", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES, { metadata: { ...METADATA, architecture: "riscv64" } });
    expect(peer.bodies(/^POST \/v2\/tags/)).toEqual([{ Arch: "riscv64", Tag: "1.0", ImageID: "101" }]);
    expect((await client.resolve(NAME, "riscv64")).digest).toBe(digestOf(BYTES));
  });

  it("a frozen one is a conflict in the server's words: exit 5", async () => {
    const { peer, client } = await site("srs");
    const body = said({ message: "This tag exists, and is frozen." });
    peer.faults.on({ method: "POST", path: /^\/v1\/tags/ }, reply(400, body));
    const failure = await failureOf(client.push(NAME, BYTES));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["CONFLICT", 5]);
    expect(failure.message).toContain("This tag exists, and is frozen.");
  });

  it("one that names another image afterwards is a conflict", async () => {
    const { peer, client } = await site("srs");
    const data = { id: "9", hash: hashOf(Buffer.from("other")), size: null };
    peer.faults.on({ method: "GET", path: /^\/v1\/images\/.*:1\.0/ }, reply(200, said({ data })));
    const failure = await failureOf(client.push(NAME, BYTES));
    expect(failure).toMatchObject({ code: "CONFLICT", hint: expect.stringContaining("at the same time") });
  });

  it("one that is not there afterwards is a failure", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ method: "GET", path: /^\/v1\/images\/.*:1\.0/ }, reply(404));
    expect((await failureOf(client.push(NAME, BYTES))).code).toBe("NOT_FOUND");
  });

  it("500 to a tag is not taken for done, nor for not done: the row stays", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ method: "POST", path: /^\/v1\/tags/ }, reply(500, HTML));
    expect((await failureOf(client.push(NAME, BYTES))).code).toBe("SERVER_ERROR");
    expect(peer.shelf.rows).toHaveLength(1);
  });

  it("one that is refused leaves no row without a tag at Singularity Registry Server", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ method: "POST", path: /^\/v1\/tags/ }, reply(403));
    expect((await failureOf(client.push(NAME, BYTES))).code).toBe("FORBIDDEN");
    expect(peer.shelf.rows).toEqual([]);
  });

  it("one that is refused takes away no image that was there before", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    peer.faults.on({ method: "POST", path: /^\/v2\/tags/ }, reply(403));
    expect((await failureOf(client.push("lab/tools/app:2.0", BYTES))).code).toBe("FORBIDDEN");
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0"]]);
  });
});
