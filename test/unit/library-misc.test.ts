/** Versions of the library API, its records, more tags for an image, and a library below a path. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { containerRecord, imageRecord, namedRecord } from "../../src/registry/library/records.ts";
import { parseVersion } from "../../src/registry/library/version.ts";
import { capability } from "../../src/registry/registry.ts";
import { reply, startFaults } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient } from "../support/library-caller.ts";
import { hashOf, type Kind, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { countingSource } from "../support/oci-client.ts";

const NAME = "lab/tools/app:1.0";
const BYTES = randomBytes(3000);

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function site(
  kind: Kind,
  options: LibraryClientOptions = {},
): Promise<{ readonly peer: LibraryPeer; readonly client: LibraryClient }> {
  const peer = await startLibraryPeer(kind);
  open.push(peer);
  const client = libraryClient(peer.url, options);
  open.push({ [Symbol.asyncDispose]: () => client.close() });
  return { peer, client };
}

describe("the version of the API", () => {
  it.each([
    [undefined, "1"],
    ["", "1"],
    ["1.0.0", "1"],
    ["1.999.0", "1"],
    ["2.0.0-1", "1"],
    ["2.0.0-Alpha.3", "1"],
    ["2.0.0-alpha", "1"],
    ["2.0.0-alpha.0", "1"],
    ["2.0.0-alpha.1", "2.0.0-alpha.1"],
    ["2.0.0-alpha.1+build.7", "2.0.0-alpha.1"],
    ["2.0.0-alpha.1.9", "2.0.0-alpha.1"],
    ["2.0.0-alpha.2", "2.0.0-alpha.2"],
    ["2.0.0-alpha.10", "2.0.0-alpha.2"],
    ["2.0.0-alpha.x", "2.0.0-alpha.2"],
    ["2.0.0-alpha-1", "2.0.0-alpha.2"],
    ["2.0.0-beta", "2.0.0-alpha.2"],
    ["2.0.0", "2.0.0-alpha.2"],
    ["2.0.1-alpha.1", "2.0.0-alpha.2"],
    ["10.0.0", "2.0.0-alpha.2"],
    ["v2.0.0", "1"],
    ["2.0", "1"],
    ["02.0.0", "1"],
    ["2.0.0-alpha.02", "1"],
    ["2.0.0-alpha..2", "1"],
    ["2.0.0-", "1"],
    [" 2.0.0", "1"],
    ["2.0.0\n", "1"],
  ])("%j is read as %s", (text, version) => {
    expect(parseVersion(text)).toBe(version);
  });

  const number = fc.nat({ max: 12 });
  const preRelease = fc.option(
    fc.array(fc.oneof(number.map(String), fc.constantFrom("alpha", "beta", "a", "rc", "alpha-1", "x")), {
      minLength: 1,
      maxLength: 3,
    }),
    { nil: undefined },
  );

  it("is the newest of ours that is not above the server's, by semver's own order", () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 2, 3), number, number, preRelease, (major, minor, patch, pre) => {
        const text = `${major}.${minor % 2}.${patch % 2}${pre === undefined ? "" : `-${pre.join(".")}`}`;
        const ours = (["2.0.0-alpha.2", "2.0.0-alpha.1"] as const).find((known) => compare(known, text) <= 0);
        expect(parseVersion(text)).toBe(ours ?? "1");
      }),
      { numRuns: 2000 },
    );
  });

  it("of any text is one of three", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        expect(["1", "2.0.0-alpha.1", "2.0.0-alpha.2"]).toContain(parseVersion(text));
      }),
    );
  });

  it.each([
    ["a page", 404, "text/html", "<h1>Not Found</h1>"],
    ["a page with 200", 200, "text/html", "<h1>Welcome</h1>"],
    ["401", 401, "application/json", "{}"],
    ["403", 403, "application/json", "{}"],
    ["405", 405, "application/json", "{}"],
    ["nothing", 200, "application/json", ""],
    ["a bare number", 200, "application/json", "400"],
    ["no apiVersion", 200, "application/json", '{"data":{"version":"v1.0.0"}}'],
    ["apiVersion null", 200, "application/json", '{"data":{"apiVersion":null}}'],
    ["no semver", 200, "application/json", '{"data":{"apiVersion":"v2.0.0"}}'],
    ["a number", 200, "application/json", '{"data":{"apiVersion":2}}'],
  ])("is the first where /version answers with %s", async (_title, status, type, body) => {
    const { peer, client } = await site("legacy");
    peer.faults.on({ path: /^\/version$/ }, reply(status, { headers: { "content-type": type }, body }));
    await client.push(NAME, BYTES);
    expect(peer.story()).toContain("POST /v1/imagefile/101");
  });

  it("is not guessed while the server is down: no upload begins", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: /^\/version$/ }, reply(503));
    expect((await failureOf(client.push(NAME, BYTES))).code).toBe("SERVER_ERROR");
    expect(peer.story().filter((line) => line.includes("imagefile"))).toEqual([]);
    peer.faults.clear();
    expect((await client.push(NAME, BYTES)).transfer).toBe("uploaded");
  });

  it("is asked for once", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    await client.push("lab/tools/app:2.0", BYTES);
    expect(peer.story().filter((line) => line === "GET /version")).toHaveLength(1);
  });
});

/** Of semver 2.0.0, section 11. */
function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => {
    const [core = "", ...rest] = text.split("-");
    return { core: core.split(".").map(Number), pre: rest.length === 0 ? undefined : rest.join("-").split(".") };
  });
  if (a === undefined || b === undefined) return 0;
  for (const [index, number] of a.core.entries()) {
    if (number !== b.core[index]) return number - (b.core[index] ?? 0);
  }
  if (a.pre === undefined || b.pre === undefined) return Number(a.pre === undefined) - Number(b.pre === undefined);
  for (let index = 0; index < Math.max(a.pre.length, b.pre.length); index += 1) {
    const [x, y] = [a.pre[index], b.pre[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const numeric = [x, y].map((word) => /^\d+$/.test(word));
    if (numeric[0] && numeric[1]) return Number(x) - Number(y);
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

describe("records", () => {
  const DIGEST = digestOf(BYTES);

  it("of Sylabs, of Singularity Registry Server, and of a server that knows little", () => {
    const full = {
      id: "5f",
      hash: hashOf(BYTES),
      size: 3000,
      uploaded: true,
      arch: "arm64",
      createdAt: "2026-11-21T02:35:42.240289Z",
      tags: ["1.0", "DUMMY-1 2"],
      description: "for the lab",
      fingerprints: ["AB12"],
      entityName: "lab",
      collectionName: "tools",
      containerName: "app",
    };
    expect(imageRecord(full, "it")).toEqual({
      id: "5f",
      digest: DIGEST,
      size: 3000,
      uploaded: true,
      architecture: "arm64",
      created: "2026-11-21T02:35:42.240289Z",
      tags: ["1.0"],
      description: "for the lab",
      fingerprints: ["AB12"],
      entity: "lab",
      collection: "tools",
      container: "app",
    });
    const little = { id: 7, hash: "sif.0b16fb05-5e6f-4a5f-8d4c-0b16fb055e6f", size: null, tags: null, createdAt: "" };
    const nothing = { digest: undefined, size: undefined, uploaded: undefined, created: undefined, tags: [] };
    expect(imageRecord(little, "it")).toMatchObject({ id: "7", ...nothing });
    expect(imageRecord({ id: "1", size: 0, createdAt: "0001-01-01T00:00:00Z" }, "it")).toMatchObject(nothing);
  });

  it.each(["sha256.00", `sha256.${"A".repeat(64)}`, `md5.${"a".repeat(32)}`, "", "sha256."])(
    "hash %j is no digest",
    (hash) => {
      expect(imageRecord({ id: "1", hash }, "it").digest).toBeUndefined();
    },
  );

  it("of any shape are read or refused in words", () => {
    const decoders = [imageRecord, containerRecord, namedRecord];
    const members = ["id", "name", "hash", "size", "tags", "archTags", "imageTags", "createdAt", "fingerprints"];
    const record = fc.dictionary(fc.constantFrom(...members), fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(record, fc.jsonValue()), fc.constantFrom(...decoders), (value, decode) => {
        try {
          expect(typeof decode(value, "it").id).toBe("string");
        } catch (error) {
          if (!(error instanceof SregistryError)) throw error;
          expect(error.code).toBe("REPLY_INVALID");
        }
      }),
    );
  });
});

describe("more tags for an image", () => {
  it("are set without its bytes", async () => {
    const { peer, client } = await site("sylabs");
    await client.push(NAME, BYTES);
    peer.storage.faults.clear();
    await capability(client.registry, "tag")(await client.resolve(NAME), [parseTag("2"), parseTag("3")], client.call);
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0", "2", "3"]]);
    expect(peer.storage.faults.requests).toEqual([]);
  });

  it("are of the image's architecture, whatever this machine's is", async () => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/app", BYTES, ["1.0"], { arch: "riscv64" });
    const image = await client.resolve(NAME, "riscv64");
    await capability(client.registry, "tag")(image, [parseTag("2")], client.call);
    expect(peer.shelf.rows.map(({ tags, arch }) => [tags, arch])).toEqual([[["1.0", "2"], "riscv64"]]);
  });

  it("are a row each at Singularity Registry Server", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    peer.storage.faults.clear();
    await capability(client.registry, "tag")(await client.resolve(NAME), [parseTag("2"), parseTag("3")], client.call);
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0"], ["2"], ["3"]]);
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toEqual([]);
  });

  it("that are frozen are a conflict", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    const image = await client.resolve(NAME);
    const body = JSON.stringify({ message: "This tag exists, and is frozen." });
    const answer = { headers: { "content-type": "application/json" }, body };
    peer.faults.on({ method: "POST", path: /^\/v1\/tags/ }, reply(400, answer));
    const failure = await failureOf(capability(client.registry, "tag")(image, [parseTag("2")], client.call));
    expect(failure.code).toBe("CONFLICT");
    expect(failure.message).toContain("is frozen");
  });

  it("that are refused leave no row without a tag at Singularity Registry Server", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, BYTES);
    const image = await client.resolve(NAME);
    peer.faults.on({ method: "POST", path: /^\/v1\/tags/ }, reply(403));
    await failureOf(capability(client.registry, "tag")(image, [parseTag("2")], client.call));
    expect(peer.shelf.rows.map(({ tags }) => tags)).toEqual([["1.0"]]);
  });
});

describe("a library below a path", () => {
  it.each(["library", "library/"])("%s keeps it in every request", async (path) => {
    const peer = await startLibraryPeer("sylabs");
    open.push(peer);
    const outer = await startFaults();
    open.push({ [Symbol.asyncDispose]: () => outer.close() });
    outer.on({}, async ({ seen, request, response }) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const url = new URL(seen.path.replace(/^\/library\//, "/"), peer.url);
      const { host: _host, "content-length": _length, connection: _connection, ...headers } = seen.headers;
      const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) };
      const answer = await fetch(url, { method: seen.method, headers, redirect: "manual", ...body });
      const location = answer.headers.get("location");
      response.writeHead(answer.status, location === null ? {} : { location });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    const client = libraryClient(new URL(path, outer.url), {
      token: undefined,
      transport: { credentials: { find: async () => undefined } },
    });
    open.push({ [Symbol.asyncDispose]: () => client.close() });
    peer.add("tools/app", BYTES, ["1.0"]);
    expect(await client.read(await client.resolve(NAME), { start: 0 })).toEqual(BYTES);
    expect(outer.requests.map((request) => request.path)).toEqual([
      "/library/v1/images/lab/tools/app:1.0?arch=amd64",
      "/library/v1/imagefile/lab/tools/app:1.0?arch=amd64",
    ]);
  });
});

describe("a token that is not valid", () => {
  it("ends a push before its bytes at every kind of server", async () => {
    for (const kind of ["srs", "sylabs", "hinkskalle"] as const) {
      const { peer, client } = await site(kind, { token: "not the one" });
      const { code } = await failureOf(client.push(NAME, countingSource(BYTES)));
      expect(["UNAUTHORIZED", "FORBIDDEN", "UNSUPPORTED", "NOT_FOUND"], kind).toContain(code);
      expect(peer.storage.faults.requests, kind).toEqual([]);
    }
  });
});
