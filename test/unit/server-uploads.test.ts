/** Upload sessions over HTTP: every way a blob comes in, and what is left when it does not come whole. */
import { randomBytes } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { type Answer, cutRequest, pushBlob, type TestServer, testServer, until } from "../support/registry-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const blob = randomBytes(2_000_000);
const digest = digestOf(blob);

async function begin(query = ""): Promise<string> {
  const { status, headers } = await server.ask("POST", `/v2/lab/tool/blobs/uploads/${query}`);
  expect(status).toBe(202);
  expect(headers.location).toMatch(/^\/v2\/lab\/tool\/blobs\/uploads\/[0-9a-f-]{36}$/);
  return headers.location ?? "";
}

const patch = (location: string, start: number, end: number): Promise<Answer> =>
  server.ask("PATCH", location, {
    body: blob.subarray(start, end),
    headers: { "content-range": `${start}-${end - 1}` },
  });

const finish = (location: string, body?: Uint8Array): Promise<Answer> =>
  server.ask("PUT", `${location}?digest=${digest}`, body === undefined ? {} : { body });

async function expectStored(name = digest): Promise<void> {
  const { status, body } = await server.ask("GET", `/v2/lab/tool/blobs/${name}`);
  expect([status, body.equals(blob)]).toEqual([200, true]);
}

describe("a blob comes in", () => {
  it("in one POST", async () => {
    const { status, headers } = await server.ask("POST", `/v2/lab/tool/blobs/uploads/?digest=${digest}`, {
      body: blob,
    });
    expect({ status, location: headers.location, digest: headers["docker-content-digest"] }).toEqual({
      status: 201,
      location: `/v2/lab/tool/blobs/${digest}`,
      digest,
    });
    await expectStored();
  });

  it("by POST and PUT", async () => {
    expect((await finish(await begin(), blob)).status).toBe(201);
    await expectStored();
  });

  it("as a stream without Content-Range, as docker and crane send it", async () => {
    const location = await begin();
    const { status, headers } = await server.ask("PATCH", location, { body: blob });
    expect([status, headers.range]).toEqual([202, "0-1999999"]);
    expect((await finish(location)).status).toBe(201);
    await expectStored();
  });

  it("in chunks, the last one with the PUT", async () => {
    const location = await begin();
    expect((await patch(location, 0, 100_000)).headers.range).toBe("0-99999");
    expect((await patch(location, 100_000, 200_000)).headers.range).toBe("0-199999");
    expect((await finish(location, blob.subarray(200_000))).status).toBe(201);
    await expectStored();
  });

  it("with a sha512 digest, announced or not", async () => {
    const long = digestOf(blob, "sha512");
    for (const query of ["?digest-algorithm=sha512", ""]) {
      const location = await begin(query);
      await server.ask("PATCH", location, { body: blob });
      expect((await server.ask("PUT", `${location}?digest=${long}`)).status).toBe(201);
      await expectStored(long);
      expect((await server.ask("DELETE", `/v2/lab/tool/blobs/${long}`)).status).toBe(202);
    }
  });

  it("from another repository, named or not, as the same file", async () => {
    await pushBlob(server, "lab/other", blob);
    const named = await server.ask("POST", `/v2/lab/tool/blobs/uploads/?mount=${digest}&from=lab/other`);
    const anywhere = await server.ask("POST", `/v2/lab/third/blobs/uploads/?mount=${digest}`);
    expect([named.status, anywhere.status]).toEqual([201, 201]);
    const file = (name: string): string => join(server.root, name, "blobs", "sha256", digest.slice(7));
    const inodes = await Promise.all(
      ["lab/other", "lab/tool", "lab/third"].map(async (n) => (await stat(file(n))).ino),
    );
    expect(new Set(inodes).size).toBe(1);
    expect((await stat(file("lab/tool"))).mode & 0o777).toBe(0o444);
  });

  it("by a session when there is nothing to mount", async () => {
    await begin(`?mount=${digest}&from=lab/other`);
    await begin(`?mount=${digest}&from=../../etc`);
  });
});

describe("the order of chunks", () => {
  it("is checked, and the answer says where to go on", async () => {
    const location = await begin();
    await patch(location, 0, 1000);
    const { status, headers, body } = await patch(location, 2000, 3000);
    expect({ status, range: headers.range, location: headers.location }).toEqual({
      status: 416,
      range: "0-999",
      location,
    });
    expect(JSON.parse(body.toString()).errors[0].code).toBe("BLOB_UPLOAD_INVALID");
    expect((await patch(location, 0, 1000)).status).toBe(416);
    const state = await server.ask("GET", location);
    expect([state.status, state.headers.range]).toEqual([204, "0-999"]);
    expect((await patch(location, 1000, 2_000_000)).status).toBe(202);
    expect((await finish(location)).status).toBe(201);
  });

  it("is checked for the last chunk too", async () => {
    const location = await begin();
    await patch(location, 0, 1000);
    const { status } = await server.ask("PUT", `${location}?digest=${digest}`, {
      body: blob.subarray(2000),
      headers: { "content-range": "2000-1999999" },
    });
    expect(status).toBe(416);
    expect((await server.ask("GET", location)).headers.range).toBe("0-999");
  });

  it("needs a Content-Range that means something", async () => {
    const location = await begin();
    const chunk = (range: string): Promise<Answer> =>
      server.ask("PATCH", location, { body: "abc", headers: { "content-range": range } });
    expect((await chunk("0 to 2")).status).toBe(400);
    expect((await chunk("0-9")).status).toBe(400);
    expect((await server.ask("GET", location)).headers.range).toBe("0-0");
    expect((await chunk("bytes 0-2/*")).status).toBe(202);
  });
});

describe("an upload that is cut", () => {
  const dataOf = (location: string): string =>
    join(server.root, "lab", "tool", ".uploads", location.split("/").at(-1) ?? "", "data");

  it.each(["PATCH", "PUT"])("keeps what arrived of a %s, and goes on from there", async (method) => {
    const location = await begin();
    const path = method === "PUT" ? `${location}?digest=${digest}` : location;
    const head = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1", `Content-Length: ${blob.length}`];
    const data = dataOf(location);
    await cutRequest(server.url, head, blob.subarray(0, 1_500_000), async () => (await stat(data)).size > 0);
    let have = Number((await server.ask("GET", location)).headers.range?.slice(2)) + 1;
    expect(have).toBeGreaterThan(500_000);
    for (let sent = false; !sent; ) {
      const { status, headers } = await patch(location, have, blob.length);
      sent = status === 202;
      have = Number(headers.range?.slice(2)) + 1;
    }
    expect(have).toBe(blob.length);
    expect((await finish(location)).status).toBe(201);
    await expectStored();
  });

  it("goes on at a server that was started again", async () => {
    const location = await begin();
    await patch(location, 0, 123_456);
    server = await server.restart();
    expect((await server.ask("GET", location)).headers.range).toBe("0-123455");
    expect((await patch(location, 123_456, blob.length)).status).toBe(202);
    expect((await finish(location)).status).toBe(201);
    await expectStored();
  });

  it("gives way to a client that sends again, though the old connection still stands", async () => {
    const location = await begin();
    const head = [`PATCH ${location} HTTP/1.1`, "Host: 127.0.0.1", "Content-Length: 9000000"];
    let answered = false;
    const hanging = cutRequest(server.url, head, blob.subarray(0, 600_000), async () => answered);
    await until(async () => (await stat(dataOf(location))).size > 0);
    const { headers } = await server.ask("PATCH", location, { headers: { "content-range": "0-0" }, body: "x" });
    const have = Number(headers.range?.slice(2)) + 1;
    expect(have).toBeGreaterThan(500_000);
    expect((await patch(location, have, blob.length)).headers.range).toBe("0-1999999");
    answered = true;
    await hanging;
    expect((await finish(location)).status).toBe(201);
    await expectStored();
  });
});

describe("what is wrong is refused", () => {
  it("bytes that are not the digest's; nothing of them stays", async () => {
    const location = await begin();
    const { status, body } = await server.ask("PUT", `${location}?digest=${digest}`, { body: "something else" });
    expect([status, JSON.parse(body.toString()).errors[0].code]).toEqual([400, "DIGEST_INVALID"]);
    expect((await server.ask("GET", location)).status).toBe(404);
    expect((await server.ask("HEAD", `/v2/lab/tool/blobs/${digest}`)).status).toBe(404);
    expect(await readdir(join(server.root, "lab", "tool", ".uploads"))).toEqual([]);
  });

  it("a digest that is none, an algorithm nobody has", async () => {
    const location = await begin();
    expect((await server.ask("PUT", `${location}?digest=sha256:abc`, { body: blob })).status).toBe(400);
    expect((await server.ask("PUT", location, { body: blob })).status).toBe(400);
    expect((await server.ask("POST", "/v2/lab/tool/blobs/uploads/?digest-algorithm=md5")).status).toBe(400);
  });

  it("a session that never was, or that was cancelled", async () => {
    const never = "/v2/lab/tool/blobs/uploads/00000000-0000-4000-8000-000000000000";
    const outside = "/v2/lab/tool/blobs/uploads/..%2f..%2fblobs";
    for (const path of [never, outside]) {
      const { status, body } = await server.ask("PATCH", path, { body: "x" });
      expect([status, JSON.parse(body.toString()).errors[0].code]).toEqual([404, "BLOB_UPLOAD_UNKNOWN"]);
    }
    const location = await begin();
    await patch(location, 0, 10);
    expect((await server.ask("DELETE", location)).status).toBe(204);
    expect((await server.ask("GET", location)).status).toBe(404);
    expect(await readdir(join(server.root, "lab", "tool", ".uploads"))).toEqual([]);
  });

  it("names that the store keeps for itself", async () => {
    for (const name of ["lab/blobs", "index.json", "oci-layout/x", "Lab/Tool", "lab/../etc", ".hidden"]) {
      const { status, body } = await server.ask("POST", `/v2/${name}/blobs/uploads/`);
      expect([name, status, JSON.parse(body.toString()).errors[0].code]).toEqual([name, 400, "NAME_INVALID"]);
    }
  });
});
