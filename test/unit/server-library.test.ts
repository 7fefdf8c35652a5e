/** The library API of the embedded server: what singularity and its like ask, one request at a time. */
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseTag } from "../../src/reference/name.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { Secret } from "../../src/secret.ts";
import { openUsers } from "../../src/server/users.ts";
import { announce, call, json, md5, pathOf, sha256, wirePush } from "../support/library-wire.ts";
import { manifestOf, pushManifest, type TestServer, testServer } from "../support/registry-server.ts";
import { makeSif } from "../support/sif.ts";

/** A native SIF for an architecture, and signed if asked; `seed` makes it another one. */
function sif(seed: string, architecture: "02" | "04" = "02", fingerprint?: string): Buffer {
  const signature = Buffer.alloc(24);
  signature.writeInt32LE(1, 0);
  Buffer.from(fingerprint ?? "", "hex").copy(signature, 4);
  const metadata = { data: { attributes: { labels: { seed } } }, type: "container" };
  return makeSif(
    [
      { type: 0x4006, name: "inspect-metadata.json", content: JSON.stringify(metadata) },
      ...(fingerprint === undefined
        ? []
        : [{ type: 0x4005, content: "-----BEGIN PGP SIGNED MESSAGE-----", extra: signature, link: 0xf0000001 }]),
    ],
    { architecture },
  );
}

const download = (server: TestServer, name: string, headers: Record<string, string> = {}) =>
  server.ask("GET", `/v1/imagefile/${name}`, { headers });

describe("discovery", () => {
  it("names the services by the host that the client used", async () => {
    await using server = await testServer();
    const ask = async (headers: Record<string, string>) =>
      json(await server.ask("GET", "/assets/config/config.prod.json", { headers }));
    expect(await ask({ host: "localhost:1234" })).toEqual({
      libraryAPI: { uri: "http://localhost:1234", registryUri: "http://localhost:1234" },
      tokenAPI: { uri: "http://localhost:1234" },
    });
    const proxied = await ask({ host: "registry.localhost", "x-forwarded-proto": "https" });
    expect(proxied.libraryAPI.uri).toBe("https://registry.localhost");
  });

  it("needs no token, and tells whether one is good", async () => {
    await using server = await testServer({ tokens: [new Secret("admin-token")] });
    const status = async (path: string, headers: Record<string, string> = {}) =>
      (await server.ask("GET", path, { headers })).status;
    expect(await status("/assets/config/config.prod.json")).toBe(200);
    expect(json(await server.ask("GET", "/version"))).toEqual({
      data: { version: "0.0.0-source", apiVersion: "2.0.0-alpha.2" },
    });
    expect(await status("/v1/token-status")).toBe(404);
    expect(await status("/v1/token-status", { authorization: "Bearer wrong" })).toBe(404);
    expect(await status("/v1/token-status/", { authorization: "BEARER admin-token" })).toBe(200);
    expect(await status("/v1/token-status", { authorization: "admin-token" })).toBe(200);
    expect(await status("/v1/search?value=abc")).toBe(401);
  });

  it("tells a user who it is, with the password for the registry", async () => {
    await using server = await testServer();
    const { token } = await openUsers(server.root).add("alice");
    expect((await call(server, "GET", "/v1/rbac/users/current")).status).toBe(401);
    expect(await call(server, "GET", "/v1/rbac/users/current", undefined, token.reveal())).toEqual({
      status: 200,
      json: { oidc_user_meta: { secret: token.reveal() }, email: "", realname: "alice", username: "alice" },
    });
    const own = await call(server, "GET", "/v1/entities", undefined, token.reveal());
    expect(own.json.data.name).toBe("alice");
  });
});

describe("a push", () => {
  it("makes what is missing, and the image is there by every protocol", async () => {
    await using server = await testServer();
    const content = sif("one");
    const { image, completed } = await wirePush(server, {
      path: "alice/Dino_Park/tool",
      content,
      tags: ["1.0", "latest"],
      description: "a tool",
    });
    // No "Container URL": it led to a page of JSON.
    expect(completed).toEqual({ quota: { quotaTotal: 0, quotaUsage: content.length } });
    const { json: found } = await call(server, "GET", "/v1/images/anybody/dino-park/tool:1.0?arch=amd64");
    expect(found.data).toMatchObject({
      hash: `sha256.${sha256(content)}`,
      size: content.length,
      uploaded: true,
      arch: "amd64",
      signed: false,
      encrypted: false,
      fingerprints: [],
      tags: ["1.0", "latest"],
      description: "a tool",
      entityName: "anybody",
      collectionName: "dino-park",
      containerName: "tool",
    });
    expect(found.data.container).toBe(image.container);
    const manifest = json(await server.ask("GET", "/v2/dino-park/tool/manifests/1.0"));
    expect(manifest.layers).toEqual([
      {
        mediaType: "application/vnd.sylabs.sif.layer.v1.sif",
        size: content.length,
        digest: `sha256:${sha256(content)}`,
        annotations: { "org.opencontainers.image.title": "tool.sif" },
      },
    ]);
    expect(manifest.annotations).toEqual({ "org.opencontainers.image.description": "a tool" });
  });

  it("of what is there already sends no bytes and sets the tags", async () => {
    await using server = await testServer();
    const push = { path: "a/b/c", content: sif("two") };
    await wirePush(server, { ...push, tags: ["1"] });
    const { image } = await announce(server, push);
    expect(image.uploaded).toBe(true);
    const again = await wirePush(server, { ...push, tags: ["2"] });
    expect(again.completed).toBeUndefined();
    const { json: tags } = await call(server, "GET", `/v1/tags/${again.container.id}`);
    expect(Object.keys(tags.data)).toEqual(["1", "2"]);
    expect(tags.data["1"]).toBe(tags.data["2"]);
  });

  it("of any file goes as any file", async () => {
    await using server = await testServer();
    const content = Buffer.from("no SIF at all");
    await wirePush(server, { path: "a/b/c", content });
    expect((await download(server, "a/b/c:latest?arch=arm64")).body).toEqual(content);
    expect(json(await server.ask("GET", "/v2/b/c/manifests/latest")).artifactType).toBe(
      "application/vnd.unknown.artifact.v1",
    );
  });

  it("refuses other bytes than were announced, and keeps none of them", async () => {
    await using server = await testServer();
    const content = sif("three");
    const { image } = await announce(server, { path: "a/b/c", content });
    const wrongSum = await call(server, "POST", `/v2/imagefile/${image.id}`, {
      filesize: 1,
      sha256sum: "0".repeat(64),
    });
    expect([wrongSum.status, wrongSum.json.error.code]).toEqual([422, 422]);
    const { json: asked } = await call(server, "POST", `/v2/imagefile/${image.id}`, { filesize: content.length });
    const url = pathOf(asked.data.uploadURL);
    const status = async (body: Uint8Array) => (await server.ask("PUT", url, { body })).status;
    expect(await status(Buffer.alloc(content.length))).toBe(422);
    expect(await status(content.subarray(1))).toBe(422);
    // Without a length, as a stream comes.
    const stream = new Blob([content.subarray(1)]).stream();
    expect((await fetch(server.url + url, { method: "PUT", body: stream, duplex: "half" })).status).toBe(422);
    const early = await call(server, "PUT", `/v2/imagefile/${image.id}/_complete`, {});
    expect([early.status, early.json.error.message]).toEqual([
      404,
      `the bytes of sha256:${sha256(content)} have not come: send them first`,
    ]);
    const put = await server.ask("PUT", url, { body: content });
    expect([put.status, put.headers.etag]).toEqual([200, `"${md5(content)}"`]);
    expect((await call(server, "PUT", `/v2/imagefile/${image.id}/_complete`, {})).status).toBe(200);
    expect(await readdir(join(server.root, "b/c/.uploads"))).toEqual([]);
    expect((await server.ask("PUT", "/v2/imagefile/_upload/guessed", { body: content })).status).toBe(404);
  });

  it("of an old client is one request", async () => {
    await using server = await testServer();
    const content = sif("four");
    const { image, container } = await announce(server, { path: "a/b/c", content });
    expect((await server.ask("POST", `/v1/imagefile/${image.id}`, { body: content })).status).toBe(200);
    const tag = { Tag: "old", ImageID: image.id };
    expect((await call(server, "POST", `/v1/tags/${container.id}`, tag)).status).toBe(200);
    expect((await download(server, "b/c:old")).body).toEqual(content);
  });

  it.each([
    [{ hash: "sif.0", container: "x" }, 400, 'hash "sif.0" is not sha256.<64 hex digits>'],
    [{ hash: `sha256.${"0".repeat(64)}`, container: "x" }, 404, "there is no container with this id"],
    [{ container: "x" }, 400, "body.hash: expected a string, got undefined"],
  ])("says what is wrong with %j", async (body, code, message) => {
    await using server = await testServer();
    expect(await call(server, "POST", "/v1/images", body)).toEqual({
      status: code,
      json: { error: { code, message }, message },
    });
  });
});

describe("a large push", () => {
  const PART = 1000;

  async function begin(server: TestServer, content: Uint8Array) {
    const { image, container } = await announce(server, { path: "a/b/c", content });
    const url = `/v2/imagefile/${image.id}`;
    const { json: answer } = await call(server, "POST", `${url}/_multipart`, { filesize: content.length });
    const { uploadID, ...plan } = answer.data;
    const bytes = (number: number) => content.subarray((number - 1) * PART, number * PART);
    const ask = async (number: number, more: object = {}) => {
      const part = { partSize: bytes(number).length, uploadID, partNumber: number, sha256sum: sha256(bytes(number)) };
      return await call(server, "PUT", `${url}/_multipart`, { ...part, ...more });
    };
    const send = async (number: number, body = bytes(number)) => {
      const target = pathOf((await ask(number)).json.data.presignedURL);
      const put = await server.ask("PUT", target, { body });
      return { status: put.status, partNumber: number, token: put.headers.etag ?? "" };
    };
    const complete = (parts: readonly object[]) =>
      call(server, "PUT", `${url}/_multipart_complete`, { uploadID, completedParts: parts });
    return { image, container, url, uploadID, plan, ask, send, complete };
  }

  it("comes in parts in any order, side by side, and again", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const content = Buffer.concat([sif("large"), randomBytes(3 * PART)]);
    const total = Math.ceil(content.length / PART);
    const { plan, send, complete, image, container } = await begin(server, content);
    expect(plan).toEqual({ totalParts: total, partSize: PART, options: {} });
    const numbers = Array.from({ length: total }, (_none, index) => total - index);
    const parts = await Promise.all([...numbers, 2].map((number) => send(number)));
    expect(new Set(parts.map(({ status }) => status))).toEqual(new Set([200]));
    expect(parts[0]?.token).toBe(`"${md5(content.subarray((total - 1) * PART))}"`);
    const done = await complete(parts);
    expect([done.status, done.json.data.quota.quotaUsage]).toEqual([200, content.length]);
    await call(server, "POST", `/v2/tags/${container.id}`, { Arch: "amd64", Tag: "big", ImageID: image.id });
    expect((await download(server, "b/c:big")).body.equals(content)).toBe(true);
    expect((await complete(parts)).status).toBe(404);
  });

  it("of an exact number of parts has no empty one", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const { plan, send, complete } = await begin(server, randomBytes(2 * PART));
    expect(plan.totalParts).toBe(2);
    expect((await complete([await send(1), await send(2)])).status).toBe(200);
  });

  it("is not complete without every part, and can be completed then", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const { send, complete } = await begin(server, randomBytes(2 * PART));
    const first = await send(1);
    const early = await complete([first]);
    expect([early.status, early.json.error.message]).toEqual([400, "part 2 of 2 was not sent"]);
    const second = await send(2);
    const wrong = await complete([first, { ...second, token: first.token }]);
    expect([wrong.status, wrong.json.error.message]).toEqual([400, "part 2 of 2 is not the one that is named"]);
    expect((await complete([first, second])).status).toBe(200);
  });

  it("refuses parts of other sizes, numbers and bytes", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const content = randomBytes(2 * PART);
    const { ask, send } = await begin(server, content);
    expect((await ask(3, { partSize: 1 })).json.message).toBe("there is no part 3 of 2");
    expect((await ask(1, { partSize: 999 })).json.message).toBe("part 1 has 1000 bytes, not 999");
    expect((await ask(1, { uploadID: "another" })).status).toBe(404);
    expect((await send(1, randomBytes(PART))).status).toBe(422);
    expect((await send(1, randomBytes(PART - 1))).status).toBe(422);
    expect((await send(1)).status).toBe(200);
  });

  it("whose whole is not what was announced is gone", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const content = randomBytes(2 * PART);
    const { ask, url, uploadID, complete } = await begin(server, content);
    const parts = [];
    for (const number of [1, 2]) {
      const { json: answer } = await ask(number, { sha256sum: "" });
      const put = await server.ask("PUT", pathOf(answer.data.presignedURL), { body: randomBytes(PART) });
      parts.push({ partNumber: number, token: put.headers.etag });
    }
    expect((await complete(parts)).status).toBe(422);
    expect((await call(server, "PUT", `${url}/_multipart_abort`, { uploadID })).status).toBe(404);
    expect(await readdir(join(server.root, "b/c/.uploads"))).toEqual([]);
  });

  it("can be given up, and its URLs with it", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const content = randomBytes(2 * PART);
    const { ask, url, uploadID } = await begin(server, content);
    const target = pathOf((await ask(1)).json.data.presignedURL);
    expect((await call(server, "PUT", `${url}/_multipart_abort`, { uploadID })).status).toBe(200);
    expect((await server.ask("PUT", target, { body: content.subarray(0, PART) })).status).toBe(404);
    expect(await readdir(join(server.root, "b/c/.uploads"))).toEqual([]);
  });

  it("once complete is never written to, though a part is still on its way again", async () => {
    await using server = await testServer({ multipartPartSize: PART });
    const content = randomBytes(2 * PART);
    const { ask, send, complete } = await begin(server, content);
    const parts = [await send(1), await send(2)];
    const { json: again } = await ask(1, { sha256sum: "" });
    const headers = { expect: "100-continue", "content-length": PART };
    const late = request(again.data.presignedURL, { method: "PUT", headers });
    const over = new Promise((resolve) => {
      late.on("response", resolve).on("error", resolve);
    });
    await new Promise((resolve) => {
      late.on("continue", resolve).flushHeaders();
    });
    expect((await complete(parts)).status).toBe(200);
    late.end(randomBytes(PART));
    await over;
    expect((await download(server, `b/c:sha256.${sha256(content)}`)).body.equals(content)).toBe(true);
  });

  it("leaves nothing when the server stops", async () => {
    const server = await testServer({ multipartPartSize: PART });
    await begin(server, randomBytes(2 * PART));
    await server.server.close(0);
    expect(await readdir(join(server.root, "b/c/.uploads"))).toEqual([]);
    await server[Symbol.asyncDispose]();
  });
});

describe("a download", () => {
  it("is found by every form of its name", async () => {
    await using server = await testServer();
    const content = sif("five");
    await wirePush(server, { path: "a/b/c", content });
    const hash = `sha256.${sha256(content)}`;
    for (const name of [
      "a/b/c:latest",
      "/a/b/c:latest",
      "b/c",
      "x/y/z/../c",
      "anybody/b/c",
      `b/c:${hash}`,
      "B/C:LATEST",
    ]) {
      const wanted = name.includes("..") ? 400 : 200;
      expect([name, (await download(server, name)).status]).toEqual([name, wanted]);
    }
    expect((await download(server, `a/b/c:${hash}?arch=arm64`)).status).toBe(200);
    expect((await download(server, "a/b/c:nope")).status).toBe(404);
    expect((await download(server, "a/b/c:sif.00000000-0000-0000-0000-000000000000")).status).toBe(404);
    expect((await download(server, "c")).status).toBe(404);
  });

  it("comes in ranges, and whole without a redirect", async () => {
    await using server = await testServer();
    const content = sif("six");
    await wirePush(server, { path: "a/b/c", content });
    const part = await download(server, "a/b/c:latest?arch=amd64", { range: "bytes=10-19" });
    expect([part.status, part.headers["content-range"]]).toEqual([206, `bytes 10-19/${content.length}`]);
    expect(part.body).toEqual(content.subarray(10, 20));
    const whole = await download(server, "a/b/c:latest", { "accept-encoding": "gzip" });
    expect([whole.status, whole.headers["content-length"]]).toEqual([200, String(content.length)]);
    expect(whole.body.equals(content)).toBe(true);
    const seen = await download(server, "a/b/c", { "if-none-match": whole.headers.etag ?? "" });
    expect(seen.status).toBe(304);
    const head = await server.ask("HEAD", "/v1/imagefile/a/b/c:latest");
    expect([head.status, head.headers["content-length"]]).toEqual([200, String(content.length)]);
  });

  it("of a short name is that of the library collection", async () => {
    await using server = await testServer();
    const content = sif("seven");
    await wirePush(server, { path: "library/library/alpine", content });
    expect((await download(server, "alpine")).body.equals(content)).toBe(true);
    expect((await download(server, "library/alpine:latest")).status).toBe(200);
  });

  it("finds what an OCI client pushed, at any depth", async () => {
    await using server = await testServer();
    const layer = sif("eight").toString("latin1");
    await pushManifest(server, "deep/er/tool", "v1", await manifestOf(server, "deep/er/tool", "bytes of a SIF"));
    await pushManifest(server, "tool", "v1", await manifestOf(server, "tool", layer));
    expect((await download(server, "deep/er/tool:v1")).body.toString()).toBe("bytes of a SIF");
    expect((await download(server, "tool:v1")).status).toBe(200);
    expect((await call(server, "GET", "/v1/images/deep/er/tool:v1")).json.data.collectionName).toBe("deep/er");
  });

  it("of a container in layers says which, so that singularity asks the registry", async () => {
    await using server = await testServer();
    const manifest = JSON.parse(await manifestOf(server, "lab/oci", "layer"));
    manifest.config.mediaType = "application/vnd.oci.image.config.v1+json";
    manifest.layers[0].mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
    await pushManifest(server, "lab/oci", "v1", JSON.stringify(manifest));
    const { status, json: answer } = await call(server, "GET", "/v1/images/lab/oci:v1?arch=amd64");
    expect([status, answer.message]).toEqual([
      400,
      "lab/oci:v1 is no image of one file: it is of type application/vnd.oci.image.config.v1+json",
    ]);
  });
});

describe("a tag of several architectures", () => {
  async function both(server: TestServer) {
    const amd64 = sif("nine");
    const arm64 = sif("nine", "04");
    const { container } = await wirePush(server, { path: "a/b/c", content: amd64, tags: ["1"] });
    await wirePush(server, { path: "a/b/c", content: arm64, tags: ["1"], architecture: "arm64" });
    return { amd64, arm64, container };
  }

  it("gives each its own, and is an index to OCI clients", async () => {
    await using server = await testServer();
    const { amd64, arm64, container } = await both(server);
    expect((await download(server, "b/c:1?arch=amd64")).body.equals(amd64)).toBe(true);
    expect((await download(server, "b/c:1?arch=arm64")).body.equals(arm64)).toBe(true);
    expect((await download(server, "b/c:1?arch=s390x")).status).toBe(404);
    const index = json(await server.ask("GET", "/v2/b/c/manifests/1"));
    expect(index.mediaType).toBe("application/vnd.oci.image.index.v1+json");
    expect(index.manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    const { json: tags } = await call(server, "GET", `/v2/tags/${container.id}`);
    expect(Object.keys(tags.data)).toEqual(["amd64", "arm64"]);
    const { json: found } = await call(server, "GET", "/v1/containers/a/b/c");
    expect(found.data.archTags).toEqual(tags.data);
  });

  it("is replaced for one of them alone", async () => {
    await using server = await testServer();
    const { arm64 } = await both(server);
    const newer = sif("ten");
    await wirePush(server, { path: "a/b/c", content: newer, tags: ["1"] });
    expect((await download(server, "b/c:1?arch=amd64")).body.equals(newer)).toBe(true);
    expect((await download(server, "b/c:1?arch=arm64")).body.equals(arm64)).toBe(true);
  });

  it("keeps both when both are pushed at once", async () => {
    await using server = await testServer();
    await call(server, "POST", "/v1/collections", { name: "b" });
    const images = [sif("eleven"), sif("eleven", "04")];
    const pushes = await Promise.all(images.map((content) => wirePush(server, { path: "a/b/c", content, tags: [] })));
    const set = pushes.map(({ container, image }) =>
      call(server, "POST", `/v2/tags/${container.id}`, { Tag: "1", ImageID: image.id }),
    );
    expect((await Promise.all(set)).map(({ status }) => status)).toEqual([200, 200]);
    const { json: tags } = await call(server, "GET", `/v2/tags/${pushes[0]?.container.id}`);
    expect(Object.keys(tags.data).sort()).toEqual(["amd64", "arm64"]);
  });

  it("is not deleted by shub's clients without saying which", async () => {
    await using server = await testServer();
    await both(server);
    const remove = async (query: string): Promise<unknown> => {
      const { status, body } = await server.ask("DELETE", `/api/container/b/c:1${query}`);
      return [status, body.toString()];
    };
    expect(await remove("")).toEqual([
      409,
      '{"detail":"b/c:1 has images for amd64, arm64: say which one with ?arch="}',
    ]);
    expect(await remove("?arch=s390x")).toEqual([404, '{"detail":"Container Not Found"}']);
    expect(await remove("?arch=amd64")).toEqual([204, ""]);
    expect((await download(server, "b/c:1?arch=arm64")).status).toBe(200);
    expect((await download(server, "b/c:1?arch=amd64")).status).toBe(404);
    expect(await remove("")).toEqual([204, ""]);
  });

  it("of which there is one gives shub's clients no image of another", async () => {
    await using server = await testServer();
    await wirePush(server, { path: "a/b/c", content: sif("fifteen"), tags: ["1"] });
    const status = async (query: string) => (await server.ask("GET", `/api/container/b/c:1${query}`)).status;
    expect([await status(""), await status("?arch=amd64"), await status("?arch=arm64")]).toEqual([200, 200, 404]);
  });

  it("loses one of them at a time", async () => {
    await using server = await testServer();
    const { amd64 } = await both(server);
    const unsaid = await call(server, "DELETE", "/v1/images/a/b/c:1");
    expect([unsaid.status, unsaid.json.message]).toEqual([
      400,
      "there are images for amd64, arm64: say which one with ?arch=",
    ]);
    expect((await call(server, "DELETE", "/v1/images/a/b/c:1?arch=amd64")).json).toEqual({ status: "ok" });
    expect((await download(server, `b/c:sha256.${sha256(amd64)}`)).status).toBe(404);
    expect((await download(server, "b/c:1?arch=arm64")).status).toBe(200);
    expect((await call(server, "DELETE", "/v1/images/a/b/c:1?arch=amd64")).status).toBe(404);
    expect((await call(server, "DELETE", "/v1/images/a/b/c:1?arch=arm64")).status).toBe(200);
    expect(json(await server.ask("GET", "/v2/b/c/tags/list")).tags).toEqual([]);
  });
});

describe("a deletion", () => {
  it("leaves an image that has other tags, and takes one by its hash with all of them", async () => {
    await using server = await testServer();
    const content = sif("twelve");
    const hash = `sha256.${sha256(content)}`;
    await wirePush(server, { path: "a/b/c", content, tags: ["1", "2"] });
    expect((await call(server, "DELETE", "/v1/images/a/b/c:1?arch=amd64")).status).toBe(200);
    expect((await download(server, "b/c:1")).status).toBe(404);
    expect((await download(server, "b/c:2")).status).toBe(200);
    expect((await call(server, "DELETE", `/v1/images/a/b/c:${hash}?arch=amd64`)).status).toBe(200);
    expect((await download(server, "b/c:2")).status).toBe(404);
    expect(await readdir(join(server.root, "b/c/blobs/sha256"))).toEqual([]);
  });

  it("of the last image leaves no empty container in lists, and no collection that nobody made", async () => {
    await using server = await testServer();
    // By OCI, which knows no collections; a push by this protocol makes one.
    await pushManifest(server, "b/c", "1", await manifestOf(server, "b/c", sif("thirteen").toString("latin1")));
    await wirePush(server, { path: "a/made/c", content: sif("thirteen"), tags: ["1"] });
    const lists = async () => {
      const named = async (path: string, member: string): Promise<string[]> =>
        (await call(server, "GET", path)).json[member].map((row: { name: string; collectionName?: string }) =>
          [row.collectionName, row.name].filter((word) => word !== undefined).join("/"),
        );
      return [await named("/v1/containers", "data"), await named("/api/collections/", "results")];
    };
    expect(await lists()).toEqual([
      ["b/c", "made/c"],
      ["b", "made"],
    ]);
    for (const path of ["b/c:1", "a/made/c:1"]) {
      expect((await call(server, "DELETE", `/v1/images/${path}`)).status).toBe(200);
    }
    expect(await lists()).toEqual([[], ["made"]]);
  });
});

describe("a frozen tag", () => {
  it("is refused in the words that clients know", async () => {
    await using server = await testServer();
    const { container } = await wirePush(server, { path: "a/b/c", content: sif("thirteen"), tags: ["1"] });
    await openStore(server.root)
      .repository("b/c")
      .freeze("1" as never, true);
    const { image } = await wirePush(server, { path: "a/b/c", content: sif("fourteen"), tags: [] });
    const set = (id: string) =>
      call(server, "POST", `/v2/tags/${container.id}`, { Arch: "amd64", Tag: "1", ImageID: id });
    const message = "This tag exists, and is frozen.";
    expect(await set(image.id)).toEqual({ status: 400, json: { error: { code: 400, message }, message } });
    expect((await call(server, "DELETE", "/v1/images/a/b/c:1?arch=amd64")).json.message).toBe("b/c:1 is frozen");
    // The same image again is no change.
    await wirePush(server, { path: "a/b/c", content: sif("thirteen"), tags: ["1"] });
  });
});

describe("a deletion by hash that meets a frozen tag", () => {
  it("takes none of the others", async () => {
    await using server = await testServer();
    const content = sif("sixteen");
    await wirePush(server, { path: "a/b/c", content, tags: ["1", "2", "3"] });
    await openStore(server.root).repository("b/c").freeze(parseTag("2"), true);
    const refused = await call(server, "DELETE", `/v1/images/a/b/c:sha256.${sha256(content)}?arch=amd64`);
    expect([refused.status, refused.json.message]).toEqual([409, "b/c:2 is frozen"]);
    expect(json(await server.ask("GET", "/v2/b/c/tags/list")).tags).toEqual(["1", "2", "3"]);
  });
});

describe("a search", () => {
  it("looks into names, tags and descriptions, and filters", async () => {
    await using server = await testServer();
    const fingerprint = "0102030405060708090a0b0c0d0e0f1011121314";
    await wirePush(server, { path: "a/dinosaur/avocado", content: sif("s1"), tags: ["tasty"] });
    await wirePush(server, {
      path: "a/other/thing",
      content: sif("s2", "04", fingerprint),
      architecture: "arm64",
      description: "A dinosaur too",
    });
    const found = async (query: string) => {
      const { data } = (await call(server, "GET", `/v1/search?${query}`)).json;
      return Object.fromEntries(
        Object.entries<{ name?: string; containerName?: string }[]>(data).map(([kind, rows]) => [
          kind,
          rows.map((row) => row.containerName ?? row.name),
        ]),
      );
    };
    expect(await found("value=DINOSAUR")).toEqual({
      entity: [],
      collection: ["dinosaur"],
      container: ["avocado"],
      image: ["avocado", "thing"],
    });
    expect((await found("value=dinosaur&arch=arm64"))["image"]).toEqual(["thing"]);
    expect((await found("value=dinosaur&signed=true"))["image"]).toEqual(["thing"]);
    expect((await found("value=tasty"))["image"]).toEqual(["avocado"]);
    expect((await found("value=nothing"))["image"]).toEqual([]);
    const { data } = (await call(server, "GET", "/v1/search?value=thing")).json;
    expect(data.image[0]).toMatchObject({ signed: true, fingerprints: [fingerprint], tags: ["latest"] });
    expect((await call(server, "GET", "/v1/search")).status).toBe(400);
  });
});

describe("collections", () => {
  it("belong to who made them, and a private one is not there for anybody else, by any protocol", async () => {
    await using server = await testServer({ publicRead: true });
    const users = openUsers(server.root);
    const alice = (await users.add("alice")).token.reveal();
    const bob = (await users.add("bob")).token.reveal();
    const made = await call(
      server,
      "POST",
      "/v1/collections",
      { entity: "x", name: "Secret Lab", private: true },
      alice,
    );
    expect(made.json.data).toMatchObject({ name: "secret-lab", private: true, entityName: "alice", containers: [] });
    const content = sif("private");
    const { image, container } = await wirePush(server, { path: "alice/secret-lab/tool", content, token: alice });
    const digest = `sha256:${sha256(content)}`;
    const paths = [
      "/v1/imagefile/alice/secret-lab/tool:latest",
      `/v1/images/secret-lab/tool:sha256.${sha256(content)}`,
      "/v1/containers/alice/secret-lab/tool",
      "/v1/containers/alice/secret-lab",
      "/v1/collections/alice/secret-lab",
      `/v1/tags/${container.id}`,
      `/v2/tags/${container.id}`,
      "/v2/secret-lab/tool/tags/list",
      "/v2/secret-lab/tool/manifests/latest",
      `/v2/secret-lab/tool/blobs/${digest}`,
    ];
    for (const path of paths) {
      const status = async (token?: string) => (await call(server, "GET", path, undefined, token)).status;
      expect([path, await status(bob), await server.ask("HEAD", path, {}).then((one) => one.status)]).toEqual([
        path,
        404,
        path.startsWith("/v2/secret-lab") ? 401 : 404,
      ]);
      const own = await server.ask("GET", path, { headers: { authorization: `Bearer ${alice}` } });
      expect([path, own.status]).toEqual([path, 200]);
    }
    const lists = async (token?: string) => {
      const get = async (path: string) => (await call(server, "GET", path, undefined, token)).json;
      const { repositories } = await get("/v2/_catalog");
      const { data } = await get("/v1/search?value=secret");
      const containers = (await get("/v1/containers")).data.length;
      return [repositories, data.image.length, data.collection.length, data.container.length, containers];
    };
    expect(await lists(bob)).toEqual([[], 0, 0, 0, 0]);
    expect(await lists()).toEqual([[], 0, 0, 0, 0]);
    expect(await lists(alice)).toEqual([["secret-lab/tool"], 1, 1, 1, 1]);

    const post = (path: string, body: object) => call(server, "POST", path, body, bob);
    expect((await post("/v1/collections", { name: "secret-lab" })).json.error).toEqual({
      code: 403,
      message: "the collection secret-lab belongs to somebody else",
    });
    expect((await post(`/v2/imagefile/${image.id}`, { filesize: 1 })).status).toBe(403);
    expect((await post(`/v2/tags/${container.id}`, { Tag: "x", ImageID: image.id })).status).toBe(403);
    expect((await call(server, "DELETE", "/v1/images/secret-lab/tool:latest", undefined, bob)).status).toBe(404);
    // A blob that somebody else may not see cannot be mounted from there, with or without its name.
    const headers = { authorization: `Bearer ${bob}` };
    for (const from of ["", "&from=secret-lab/tool"]) {
      const mount = await server.ask("POST", `/v2/bobs/tool/blobs/uploads/?mount=${digest}${from}`, { headers });
      expect(mount.status).toBe(202);
    }
  });

  it("of somebody else take no push, and say whose they are not", async () => {
    await using server = await testServer();
    const users = openUsers(server.root);
    const alice = (await users.add("alice")).token.reveal();
    const bob = (await users.add("bob")).token.reveal();
    await wirePush(server, { path: "alice/lab/tool", content: sif("a"), token: alice });
    await expect(wirePush(server, { path: "bob/lab/tool", content: sif("b"), token: bob })).rejects.toThrow(
      "403 the collection lab belongs to somebody else",
    );
    await expect(wirePush(server, { path: "bob/lab/other", content: sif("b"), token: bob })).rejects.toThrow("403");
    expect((await wirePush(server, { path: "bob/own/tool", content: sif("b"), token: bob })).image.uploaded).toBe(
      false,
    );
    const own = await call(server, "GET", "/v1/collections", undefined, bob);
    expect(own.json.data.map(({ name }: { name: string }) => name)).toEqual(["own"]);
    expect((await call(server, "GET", "/v1/collections/alice/", undefined, bob)).json.data[0].owner).toBe("alice");
  });
});

describe("what is not there", () => {
  it("is 404 in the library's form", async () => {
    await using server = await testServer();
    const paths = [
      "/v1/collections/a/b",
      "/v1/containers/a/b/c",
      "/v1/images/a/b/c:latest",
      "/v1/imagefile/a/b/c",
      "/v1/tags/x",
    ];
    for (const path of paths) {
      const { status, json: answer } = await call(server, "GET", path);
      expect([path, status, answer.error.code]).toEqual([path, 404, 404]);
    }
    expect((await call(server, "GET", "/v1/entities/a/")).json.data).toMatchObject({ name: "a", collections: [] });
  });
});
