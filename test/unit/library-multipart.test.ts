/** Uploads in parts: what is said of each part, which headers its URL wants, and what a later process has to send. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import { capability } from "../../src/registry/registry.ts";
import { createUploadSessions } from "../../src/transfer/sessions.ts";
import { delay, reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient } from "../support/library-caller.ts";
import { hashOf, type Kind, LIBRARY_TOKEN, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { countingSource, METADATA } from "../support/oci-client.ts";

/** Three parts of 1000 bytes and one of 500. */
const IMAGE = randomBytes(3_500);
const NAME = "lab/tools/app:1.0";
const PARTS = [0, 1000, 2000, 3000].map((start) => IMAGE.subarray(start, start + 1000));
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const etag = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`;

const open: AsyncDisposable[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-parts-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

interface Site {
  readonly peer: LibraryPeer;
  readonly client: LibraryClient;
  /** As another process would begin: with what the first left on disk. */
  later(options?: LibraryClientOptions): LibraryClient;
}

async function site(kind: Kind): Promise<Site> {
  const peer = await startLibraryPeer(kind);
  open.push(peer);
  const later = (options: LibraryClientOptions = {}): LibraryClient => {
    const sessions = createUploadSessions(directory);
    const client = libraryClient(peer.url, { sessions, multipartAbove: 1_000, ...options });
    open.push({ [Symbol.asyncDispose]: () => client.close() });
    return client;
  };
  return { peer, client: later(), later };
}

const stored = ({ storage }: LibraryPeer, bytes = IMAGE): Buffer | undefined =>
  storage.objects.get(`tools/app/${hashOf(bytes)}`);

/** Number of each part that was sent, with the answer's status. */
const sent = ({ storage }: LibraryPeer): readonly string[] =>
  storage.faults.requests
    .filter(({ method }) => method === "PUT")
    .map(({ path, status }) => `${/parts\/\d+\/(\d+)/.exec(path)?.[1]} ${status}`)
    .sort();

const partFault = (number: number) => ({ method: "PUT", path: new RegExp(`parts/\\d+/${number}\\?`) });

describe("parts", () => {
  it("are as many and as large as the server says, each with its hash, and closed in the order of their numbers", async () => {
    const { peer, client } = await site("sylabs");
    expect(await client.push(NAME, IMAGE)).toMatchObject({ transfer: "uploaded", quota: { used: 3_500 } });
    const steps = peer.story().filter((line) => line.includes("multipart"));
    expect(steps).toEqual([
      "POST /v2/imagefile/101/_multipart",
      ...PARTS.map(() => "PUT /v2/imagefile/101/_multipart"),
      "PUT /v2/imagefile/101/_multipart_complete",
    ]);
    expect(peer.bodies(/^POST .*_multipart$/)).toEqual([{ filesize: 3_500 }]);
    const asked = peer.bodies(/^PUT .*_multipart$/);
    expect(asked).toHaveLength(4);
    expect(asked).toEqual(
      expect.arrayContaining(
        PARTS.map((part, index) => ({
          partSize: part.length,
          uploadID: "upload-1",
          partNumber: index + 1,
          sha256sum: sha256(part),
        })),
      ),
    );
    expect(peer.bodies(/_multipart_complete$/)).toEqual([
      {
        uploadID: "upload-1",
        completedParts: PARTS.map((part, index) => ({ partNumber: index + 1, token: etag(part) })),
      },
    ]);
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("may end out of order", async () => {
    const { peer, client } = await site("sylabs");
    const ended: string[] = [];
    peer.storage.faults.on(partFault(1), async (exchange) => {
      await delay(60)(exchange);
      ended.push("1");
    });
    peer.storage.faults.on({ method: "PUT" }, async (exchange) => {
      await exchange.forward();
      ended.push("other");
    });
    await client.push(NAME, IMAGE);
    expect(ended.at(0)).toBe("other");
    const [close] = peer.bodies(/_multipart_complete$/);
    expect(close).toMatchObject({ completedParts: PARTS.map((_, index) => ({ partNumber: index + 1 })) });
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("carry their hash and their length, and no token", async () => {
    const { peer, client } = await site("srs");
    await client.push(NAME, IMAGE);
    const puts = peer.storage.faults.requests.filter(({ method }) => method === "PUT");
    expect(puts.map(({ headers }) => headers["x-amz-content-sha256"]).sort()).toEqual(PARTS.map(sha256).sort());
    expect(puts.map(({ headers }) => headers["content-length"]).sort()).toEqual(["1000", "1000", "1000", "500"]);
    for (const { headers } of puts) {
      expect(headers).not.toHaveProperty("authorization");
      expect(headers).not.toHaveProperty("transfer-encoding");
    }
    const told = [...client.transport.lines, ...client.said].join("\n");
    expect(told).not.toContain(LIBRARY_TOKEN);
    expect(told).not.toMatch(/X-Amz-Signature=[0-9a-f]/);
  });

  it.each(["true", undefined])("have a signed hash where s3compliant is %j", async (compliant) => {
    const { peer, client } = await site("sylabs");
    peer.s3compliant = compliant;
    await client.push(NAME, IMAGE);
    expect(peer.storage.faults.requests.every(({ headers }) => headers["x-amz-content-sha256"] !== undefined)).toBe(
      true,
    );
  });

  it('have none where s3compliant is "false"', async () => {
    const { peer, client } = await site("sylabs");
    peer.s3compliant = "false";
    await client.push(NAME, IMAGE);
    expect(peer.storage.faults.requests.map(({ headers }) => headers["x-amz-content-sha256"])).toEqual(
      PARTS.map(() => undefined),
    );
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("of an exact multiple end with an empty one of Content-Length 0, which MinIO would else refuse with 411", async () => {
    const { peer, client } = await site("srs");
    const bytes = IMAGE.subarray(0, 3_000);
    await client.push(NAME, bytes);
    expect(sent(peer)).toEqual(["1 200", "2 200", "3 200", "4 200"]);
    const last = peer.storage.faults.requests.find(({ path }) => path.includes("/4?"));
    expect(last?.headers["content-length"]).toBe("0");
    expect(stored(peer, bytes)).toEqual(bytes);
  });

  it("that fail are sent again, to a URL of their own", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ ...partFault(2), times: 2 }, reply(503));
    expect((await client.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(sent(peer)).toEqual(["1 200", "2 200", "2 503", "2 503", "3 200", "4 200"]);
    const urls = peer.storage.faults.requests.map(({ path }) => path).filter((path) => path.includes("/2?"));
    expect(new Set(urls).size).toBe(3);
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("whose URL ran out get a new one", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on({ ...partFault(3), times: 1 }, (exchange) => {
      for (const permit of peer.storage.permits) if (permit.key.endsWith("/3")) permit.expired = true;
      return exchange.forward();
    });
    await client.push(NAME, IMAGE);
    expect(sent(peer)).toEqual(["1 200", "2 200", "3 200", "3 403", "4 200"]);
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("that are confirmed without an ETag are not confirmed", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on(partFault(1), reply(200));
    expect(await failureOf(client.push(NAME, IMAGE))).toMatchObject({
      code: "REPLY_INVALID",
      message: "the storage of the library confirms part 1 without an ETag",
    });
    expect(peer.story().filter((line) => line.includes("multipart_"))).toEqual([
      "PUT /v2/imagefile/101/_multipart_abort",
    ]);
  });

  it.each([404, 405])("are not tried where the library answers %i: the image goes in one piece", async (status) => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ method: "POST", path: /_multipart$/ }, reply(status));
    expect((await client.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(peer.story()).toContain("PUT /v2/imagefile/101/_complete");
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("are not tried for an image that is small enough, or by the first API", async () => {
    const one = await site("sylabs");
    await one.later({ multipartAbove: 3_500 }).push(NAME, IMAGE);
    const other = await site("legacy");
    await other.client.push(NAME, IMAGE);
    expect([...one.peer.story(), ...other.peer.story()].filter((line) => line.includes("multipart"))).toEqual([]);
  });

  it.each([
    { uploadID: "u", totalParts: 0, partSize: 1000 },
    { uploadID: "u", totalParts: 3, partSize: 1000 },
    { uploadID: "u", totalParts: 6, partSize: 1000 },
    { uploadID: "u", totalParts: 4, partSize: 0 },
    { uploadID: "u", totalParts: 20_000, partSize: 1 },
    { uploadID: "u", totalParts: -4, partSize: -1000 },
    { uploadID: "u", totalParts: "4", partSize: 1000 },
    { totalParts: 4, partSize: 1000 },
    429,
  ])("of a plan like %j are not sent", async (plan) => {
    const { peer, client } = await site("sylabs");
    const answer = { headers: { "content-type": "application/json" }, body: JSON.stringify({ data: plan }) };
    peer.faults.on({ method: "POST", path: /_multipart$/ }, reply(200, answer));
    expect((await failureOf(client.push(NAME, IMAGE))).code).toBe("REPLY_INVALID");
    expect(peer.storage.faults.requests).toEqual([]);
  });
});

describe("a second process", () => {
  it.each(["sylabs", "srs"] as const)("sends the missing parts alone (%s)", async (kind) => {
    const { peer, client, later } = await site(kind);
    peer.storage.faults.on(partFault(3), reply(503));
    const failure = await failureOf(client.push(NAME, IMAGE));
    expect(failure.code).toBe("SERVER_ERROR");
    expect(client.said.at(-1)).toMatch(
      /^info: [23] of 4 parts are at the library; the same command goes on from there$/,
    );
    const before = new Set(sent(peer).filter((line) => line.endsWith("200")));
    expect(peer.story().filter((line) => line.endsWith("_abort"))).toEqual([]);
    peer.storage.faults.clear();
    peer.faults.clear();
    const second = later();
    expect((await second.push(NAME, IMAGE)).transfer).toBe("resumed");
    expect(sent(peer)).toEqual(["1 200", "2 200", "3 200", "4 200"].filter((line) => !before.has(line)));
    expect(peer.story().filter((line) => line.startsWith("POST /v2/imagefile"))).toEqual([]);
    expect(stored(peer)).toEqual(IMAGE);
    expect(await readdir(directory)).toEqual([]);
  });

  it("(by SIGTERM) ends the parts that are on their way, and begins no other", async () => {
    const { peer, client, later } = await site("sylabs");
    peer.storage.faults.on({ method: "PUT" }, delay(100));
    let begun = 0;
    const finishing = async <T>(step: () => Promise<T>): Promise<T> => {
      begun += 1;
      if (begun > 3) throw new SregistryError("TERMINATED", "terminated");
      return await step();
    };
    const request = { tags: [parseTag("1.0")], source: countingSource(IMAGE), title: "app.sif", metadata: METADATA };
    const reference = parseReference(`library://${NAME}`);
    if (reference.scheme !== "library") throw new Error(`${NAME} is at no library`);
    const pushed = capability(client.registry, "push")(
      { ...request, reference, plainManifest: false },
      { ...client.call, finishing },
    );
    expect((await failureOf(pushed)).code).toBe("TERMINATED");
    expect(sent(peer)).toEqual(["1 200", "2 200", "3 200"]);
    expect((await later().push(NAME, IMAGE)).transfer).toBe("resumed");
    expect(sent(peer)).toEqual(["1 200", "2 200", "3 200", "4 200"]);
  });

  it("begins anew at a server that has forgotten the upload", async () => {
    const { peer, client, later } = await site("sylabs");
    peer.storage.faults.on(partFault(3), reply(503));
    await failureOf(client.push(NAME, IMAGE));
    peer.storage.faults.clear();
    for (const row of peer.shelf.rows) delete row.uploadId;
    const second = later();
    expect((await second.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(second.said).toContain("info: the library has forgotten the interrupted upload; it begins again");
    expect(stored(peer)).toEqual(IMAGE);
  });

  it("is left nothing of an upload that cannot be gone on with: it is aborted", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on(partFault(3), reply(503));
    await failureOf(client.push(NAME, countingSource(IMAGE, { anonymous: true })));
    expect(peer.bodies(/_multipart_abort$/)).toEqual([{ uploadID: "upload-1" }]);
    expect(peer.shelf.rows).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("is left nothing of an upload that the storage refuses for good: it is aborted", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on(partFault(3), reply(403));
    expect((await failureOf(client.push(NAME, IMAGE))).code).toBe("FORBIDDEN");
    expect(peer.bodies(/_multipart_abort$/)).toEqual([{ uploadID: "upload-1" }]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("with the whole image there meanwhile sends nothing", async () => {
    const { peer, client, later } = await site("sylabs");
    await client.push(NAME, IMAGE);
    peer.storage.faults.clear();
    expect((await later().push("lab/tools/app:2.0", IMAGE)).transfer).toBe("present");
    expect(sent(peer)).toEqual([]);
  });
});
