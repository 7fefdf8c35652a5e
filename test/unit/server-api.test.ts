/** The `/api` routes, shub's manifest and download, and the push in two requests: on one store with every other protocol. */
import { readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { bytesReader } from "../../src/image/reader.ts";
import { digestHex, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { createLocalRegistry, openStore } from "../../src/registry/local/index.ts";
import { capability } from "../../src/registry/registry.ts";
import { placed } from "../support/download.ts";
import { addUser, bearer, formOf, hmacPush, type ImageUri, partsOf, type Signer } from "../support/hmac-requests.ts";
import {
  type Answer,
  cutRequest,
  manifestOf,
  pushManifest,
  type TestServer,
  testServer,
  until,
} from "../support/registry-server.ts";

const TINY = readFileSync(join(import.meta.dirname, "../fixtures/tiny.sif"));
const TIME = expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const COMPLETE = { message: "Upload Complete" };

const told = ({ status, body }: Answer): unknown => [status, JSON.parse(body.toString())];
const version = (content: Uint8Array | string): string => `sha256.${digestHex(digestOf(content))}`;

/** Open to everybody: signatures are not looked at. */
const ANYBODY: Signer = { name: "anybody", token: "" };
const push = (server: TestServer, image: ImageUri, content: Uint8Array | string = "SIF"): Promise<Answer> =>
  hmacPush(server, ANYBODY, image, content);

async function json(server: TestServer, path: string) {
  const { status, headers, body } = await server.ask("GET", path);
  expect([path, status, headers["content-type"]]).toEqual([path, 200, "application/json"]);
  return JSON.parse(body.toString());
}

async function freeze({ root }: TestServer, image: ImageUri): Promise<void> {
  const { collection, name, tag } = partsOf(image);
  await openStore(root).repository(`${collection}/${name}`).freeze(parseTag(tag), true);
}

async function pushLocally(root: string, name: string, bytes: Buffer, title: string): Promise<string | undefined> {
  const reference = placed(`local://${name}`);
  if (reference.selector.kind !== "tag") throw new Error(`${name} has no tag`);
  const source = {
    size: bytes.length,
    identity: title,
    open: (start: number, end = bytes.length) => Readable.from([bytes.subarray(start, end)]),
    unchanged: async () => undefined,
  };
  const metadata = await readImageMetadata(bytesReader(bytes));
  const request = { reference, tags: [reference.selector.tag], source, title, metadata, plainManifest: false };
  const call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
  return (await capability(createLocalRegistry(openStore(root)), "push")(request, call)).manifest;
}

describe("a push in two requests", () => {
  it("makes the image that a local push makes, for clients of OCI, library:// and shub://", async () => {
    await using server = await testServer();
    const first = await server.ask("POST", "/api/upload/chunked_upload", {
      body: JSON.stringify({ collection: "dinosaur", name: "avocado" }),
    });
    expect(told(first)).toEqual([200, { cid: expect.any(Number) }]);
    expect(told(await push(server, "dinosaur/avocado:delicious", TINY))).toEqual([200, COMPLETE]);

    const { headers, body } = await server.ask("GET", "/v2/dinosaur/avocado/manifests/delicious");
    const [layer] = JSON.parse(body.toString()).layers;
    expect((await server.ask("GET", `/v2/dinosaur/avocado/blobs/${layer.digest}`)).body.equals(TINY)).toBe(true);
    const library = await server.ask("GET", "/v1/imagefile/anybody/dinosaur/avocado:delicious?arch=amd64");
    expect([library.status, library.body.equals(TINY)]).toEqual([200, true]);
    const local = await pushLocally(join(server.root, "other"), "x/y:1", TINY, "avocado_delicious.sif");
    expect(headers["docker-content-digest"]).toBe(local);

    const manifest = await json(server, "/api/container/dinosaur/avocado:delicious");
    expect(manifest).toEqual({
      id: expect.any(Number),
      name: "avocado",
      image: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:\d+\/containers\/\d+\/download\/dinosaur\/avocado\/sha256\.[0-9a-f]{64}\?secret=[\w-]{43}$/,
      ),
      tag: "delicious",
      add_date: TIME,
      metrics: {},
      version: version(TINY),
      commit: digestHex(digestOf(TINY)).slice(0, 40),
      frozen: false,
      metadata: {},
      collection: "dinosaur",
    });
  });

  it("takes its fields in any order", async () => {
    await using server = await testServer();
    const orders = [
      ["file1", "tag", "collection", "name"],
      ["tag", "file1", "name", "collection"],
      ["tag", "name", "collection", "file1"],
    ];
    for (const [index, order] of orders.entries()) {
      const content = `SIF number ${index}`;
      expect(told(await hmacPush(server, ANYBODY, "a/b:t", content, order))).toEqual([200, COMPLETE]);
      expect((await json(server, "/api/container/a/b:t")).version).toBe(version(content));
    }
    expect(await openStore(server.root).repositories()).toEqual(["a/b"]);
    expect(await readdir(join(server.root, "incoming/.uploads"))).toEqual([]);
  });

  it("of any bytes is taken: the original server looks at none", async () => {
    await using server = await testServer();
    expect(told(await push(server, "a/b:text", "no SIF at all"))).toEqual([200, COMPLETE]);
    expect(told(await push(server, "a/b:cut", TINY.subarray(0, 20_000)))).toEqual([200, COMPLETE]);
    expect(told(await push(server, "a/b:empty", ""))).toEqual([200, COMPLETE]);
    for (const [tag, content] of Object.entries({ text: "no SIF at all", empty: "" })) {
      const url = new URL((await json(server, `/api/container/a/b:${tag}`)).image);
      expect((await server.ask("GET", url.pathname + url.search)).body.toString()).toBe(content);
    }
  });

  it("again with the same bytes changes nothing: at the original it broke the image", async () => {
    await using server = await testServer();
    for (let times = 0; times < 2; times += 1) expect(told(await push(server, "a/b:t", TINY))).toEqual([200, COMPLETE]);
    const { image } = await json(server, "/api/container/a/b:t");
    const url = new URL(image);
    expect((await server.ask("GET", url.pathname + url.search)).body.equals(TINY)).toBe(true);
  });

  it("shares the bytes that another repository has", async () => {
    await using server = await testServer();
    await push(server, "a/b:t", TINY);
    await push(server, "c/d:t", TINY);
    const blob = `blobs/sha256/${digestHex(digestOf(TINY))}`;
    expect((await stat(join(server.root, "c/d", blob))).nlink).toBe(2);
  });

  it("to a frozen tag is answered with 200 and other words, and changes nothing", async () => {
    await using server = await testServer();
    await push(server, "a/b:t", "first");
    await freeze(server, "a/b:t");
    const exists = [200, { message: `a/b:t@${version("first")} already exists.` }];
    expect(told(await push(server, "a/b:t", "second"))).toEqual(exists);
    expect(told(await hmacPush(server, ANYBODY, "a/b:t", "second", ["file1", "name", "collection", "tag"]))).toEqual(
      exists,
    );
    expect(await json(server, "/api/container/a/b:t")).toMatchObject({ version: version("first"), frozen: true });
    expect(told(await push(server, "a/b:new", "second"))).toEqual([200, COMPLETE]);
    const removed = await server.ask("DELETE", "/api/container/a/b:t");
    expect(told(removed)).toEqual([403, { detail: "a/b:t is frozen, delete not allowed." }]);
  });

  it("with a form that is cut, doubled or incomplete keeps nothing", async () => {
    await using server = await testServer();
    const { body } = await server.ask("POST", "/api/upload/chunked_upload", {
      body: JSON.stringify({ collection: "a", name: "b", tag: "t" }),
    });
    const collection = String(JSON.parse(body.toString()).cid);
    const upload = async (fields: readonly (readonly [string, string])[], end?: number): Promise<unknown> => {
      const form = formOf(fields);
      return told(await server.ask("POST", "/upload/", { headers: form.headers, body: form.body.subarray(0, end) }));
    };
    const detail = (words: string): unknown => [400, { detail: `the form can${words}` }];
    const words = [["name", "b"] as const, ["collection", collection] as const, ["tag", "t"] as const];
    const file = ["file1", "x".repeat(100_000)] as const;
    const needs = "it needs a name and the number of a collection, which POST /api/upload/chunked_upload gives";
    expect(await upload([...words, file], -10)).toEqual(detail("not be read: it ends before its closing boundary"));
    expect(await upload([file, ...words], -10)).toEqual(detail("not be read: it ends before its closing boundary"));
    expect(await upload([...words, file, file])).toEqual(detail("not be used: there is more than one file1"));
    expect(await upload(words)).toEqual(detail("not be used: it has no file1"));
    expect(await upload([...words.slice(1), file])).toEqual(detail(`not be used: ${needs}`));
    expect(await upload([words[0]!, words[2]!, ["collection", "17"], file])).toEqual(detail(`not be used: ${needs}`));
    expect(told(await server.ask("POST", "/upload", { body: "{}" }))).toEqual([
      415,
      { detail: "the body has to be multipart/form-data" },
    ]);
    expect(await openStore(server.root).repositories()).toEqual([]);
    for (const place of ["a/b/.uploads", "incoming/.uploads"]) {
      expect(await readdir(join(server.root, place))).toEqual([]);
    }
  });

  it("whose connection breaks keeps nothing", async () => {
    await using server = await testServer();
    const { body } = await server.ask("POST", "/api/upload/chunked_upload", {
      body: JSON.stringify({ collection: "a", name: "b", tag: "t" }),
    });
    const form = formOf([
      ["name", "b"],
      ["collection", String(JSON.parse(body.toString()).cid)],
      ["tag", "t"],
      ["file1", "x".repeat(2_000_000)],
    ]);
    const uploads = join(server.root, "a/b/.uploads");
    const sizes = async (): Promise<readonly number[]> => {
      const found = await readdir(uploads).catch(() => []);
      // One that is just being made or removed has none.
      const size = (id: string): Promise<number> =>
        stat(join(uploads, id, "data")).then(
          (one) => one.size,
          () => 0,
        );
      return await Promise.all(found.map(size));
    };
    const head = [
      "POST /upload HTTP/1.1",
      `Host: ${new URL(server.url).host}`,
      `Content-Type: ${form.headers["content-type"]}`,
      `Content-Length: ${form.body.length}`,
    ];
    await cutRequest(server.url, head, form.body.subarray(0, 1_500_000), async () =>
      (await sizes()).some((n) => n > 0),
    );
    await until(async () => (await sizes()).length === 0);
    expect(await openStore(server.root).repositories()).toEqual([]);
  });

  it.each([
    ["{", 400, "the body: not JSON"],
    ['{"collection":7,"name":"b"}', 400, "collection: expected a string, got number"],
    ['{"collection":"a"}', 400, "name: expected a string, got undefined"],
    ['{"collection":"---","name":"b"}', 400, '"---" is no collection\'s name'],
    ['{"collection":"a","name":"b","tag":"/"}', 400, "tag"],
    ['{"collection":"a","name":".."}', 400, "component"],
  ])("is not begun by %s", async (body, status, words) => {
    await using server = await testServer();
    const answer = await server.ask("POST", "/api/upload/chunked_upload", { body });
    expect(told(answer)).toEqual([status, { detail: expect.stringContaining(words) }]);
  });
});

describe("shub's manifest", () => {
  it("leads to bytes by range, that need no login and outlive a restart", async () => {
    await using server = await testServer();
    await push(server, "a/b:t", "0123456789");
    const url = new URL((await json(server, "/api/container/a/b:t/")).image);
    const path = url.pathname + url.search;
    const get = async (at: TestServer, method: string, range?: string): Promise<unknown> => {
      const { status, headers, body } = await at.ask(method, path, { headers: range === undefined ? {} : { range } });
      return [status, headers["content-type"], headers["content-length"], headers["content-range"], body.toString()];
    };
    const type = "application/octet-stream";
    expect(await get(server, "HEAD")).toEqual([200, type, "10", undefined, ""]);
    expect(await get(server, "GET")).toEqual([200, type, "10", undefined, "0123456789"]);
    expect(await get(server, "GET", "bytes=3-5")).toEqual([206, type, "3", "bytes 3-5/10", "345"]);
    await using again = await server.restart();
    await addUser(again, "vanessa");
    expect((await again.ask("GET", "/api/containers/")).status).toBe(401);
    expect(await get(again, "GET", "bytes=8-")).toEqual([206, type, "2", "bytes 8-9/10", "89"]);
    expect((await stat(join(server.root, ".sregistry/download.key"))).mode & 0o777).toBe(0o600);
  });

  it("has a secret for its own bytes alone", async () => {
    await using server = await testServer();
    await push(server, "a/b:1", "one");
    await push(server, "a/b:2", "two");
    await push(server, "a/c:1", "one");
    const url = new URL((await json(server, "/api/container/a/b:1")).image);
    const other = new URL((await json(server, "/api/container/a/b:2")).image);
    const status = async (path: string): Promise<number> => (await server.ask("GET", path)).status;
    expect(await status(url.pathname + url.search)).toBe(200);
    expect(await status(url.pathname)).toBe(404);
    expect(await status(`${url.pathname}?secret=${"A".repeat(43)}`)).toBe(404);
    expect(await status(other.pathname + url.search)).toBe(404);
    expect(await status(url.pathname.replace("a/b", "a/c") + url.search)).toBe(404);
  });

  it("honours a version, which the original passes over", async () => {
    await using server = await testServer();
    await push(server, "a/b:t", "old");
    const pinned = (await server.ask("GET", "/v2/a/b/manifests/t")).headers["docker-content-digest"] ?? "";
    await push(server, "a/b:t", "new");
    const versionAt = async (suffix: string): Promise<unknown> =>
      (await json(server, `/api/container/a/b${suffix}`)).version;
    expect(await versionAt(":t")).toBe(version("new"));
    for (const pin of [version("old"), digestOf("old"), digestHex(digestOf("old")), pinned]) {
      expect(await versionAt(`:t@${pin}`)).toBe(version("old"));
      expect(await versionAt(`@${pin}`)).toBe(version("old"));
    }
    expect(await versionAt(`@${digestHex(digestOf("old")).slice(0, 40)}`)).toBe(version("old"));
    for (const wrong of [version("other"), "0".repeat(32), "latest"]) {
      expect(told(await server.ask("GET", `/api/container/a/b:t@${wrong}`))).toEqual([404, { detail: "Not found." }]);
    }
  });

  it("is for single files: a container image in layers is told so", async () => {
    await using server = await testServer();
    const layers = JSON.parse(await manifestOf(server, "a/image", "layer"));
    for (const layer of layers.layers) layer.mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
    expect((await pushManifest(server, "a/image", "1", JSON.stringify(layers))).status).toBe(201);
    expect(told(await server.ask("GET", "/api/container/a/image:1"))).toEqual([
      404,
      { detail: "this is no SIF but 1 layer of type application/vnd.oci.image.layer.v1.tar+gzip" },
    ]);
    expect((await json(server, "/api/containers/")).results).toEqual([
      expect.objectContaining({ name: "image", version: version(JSON.stringify(layers)) }),
    ]);
  });

  it("finds names in any case, and collections as a push changes them", async () => {
    await using server = await testServer();
    await push(server, "My_Coll/app:t", "SIF");
    await pushLocally(server.root, "lab/tool:V1", TINY, "tool.sif");
    for (const path of ["my-coll/app:t", "My_Coll/app:t", "MY-COLL/App:t", "lab/tool:V1", "lab/tool:v1"]) {
      expect((await server.ask("GET", `/api/container/${path}`)).status).toBe(200);
    }
    for (const path of ["my-coll/app:T", "app:t", "lab", "lab/tool:", "lab/tool:a:b", ":t", "lab/tool"]) {
      expect(told(await server.ask("GET", `/api/container/${path}`))).toEqual([404, { detail: "Not found." }]);
    }
  });
});

describe("a deletion", () => {
  it("takes a tag, or by version everything of it", async () => {
    await using server = await testServer();
    for (const image of ["a/b:1", "a/b:2", "a/b:3"] as const) await push(server, image, image);
    await pushManifest(server, "a/b", "four", (await server.ask("GET", "/v2/a/b/manifests/3")).body.toString());
    const remove = async (path: string): Promise<number> =>
      (await server.ask("DELETE", `/api/container/${path}`)).status;
    const tags = async (): Promise<unknown> => (await json(server, "/v2/a/b/tags/list")).tags;
    expect(await remove("a/b:1/")).toBe(204);
    expect(await tags()).toEqual(["2", "3", "four"]);
    expect(await remove("a/b:3")).toBe(204);
    expect(await tags()).toEqual(["2", "four"]);
    expect((await json(server, "/api/container/a/b:four")).version).toBe(version("a/b:3"));
    expect(await remove(`a/b@${version("a/b:3")}`)).toBe(204);
    expect(await tags()).toEqual(["2"]);
    expect([await remove("a/b:1"), await remove("a/b"), await remove(`a/b@${version("x")}`)]).toEqual([404, 404, 404]);
    expect((await readdir(join(server.root, "a/b/blobs/sha256"))).length).toBe(3);
  });
});

describe("a listing", () => {
  it("comes in pages, whose neighbours are absolute", async () => {
    await using server = await testServer();
    for (let number = 10; number < 33; number += 1) await pushLocally(server.root, `c${number}/x:1`, TINY, "x.sif");
    for (const [path, first] of [
      ["/api/collections/", "name"],
      ["/api/containers", "collection"],
    ] as const) {
      const base = `http://other.localhost:8080${path.replace(/\/?$/, "/")}`;
      const page = async (query: string) => {
        const { body } = await server.ask("GET", path + query, { headers: { host: "other.localhost:8080" } });
        const { results, ...rest } = JSON.parse(body.toString());
        return { ...rest, names: results.map((row: Record<string, string>) => row[first]) };
      };
      const names = (from: number, to: number): unknown =>
        Array.from({ length: to - from }, (_, index) => `c${from + index}`);
      expect(await page("")).toEqual({
        count: 23,
        next: `${base}?limit=10&offset=10`,
        previous: null,
        names: names(10, 20),
      });
      expect(await page("?limit=10&offset=20")).toEqual({
        count: 23,
        next: null,
        previous: `${base}?limit=10&offset=10`,
        names: names(30, 33),
      });
      expect(await page("?limit=3&offset=2")).toEqual({
        count: 23,
        next: `${base}?limit=3&offset=5`,
        previous: `${base}?limit=3`,
        names: names(12, 15),
      });
      expect(await page("?limit=x&offset=-1&page=2")).toMatchObject({ names: names(10, 20) });
      expect(await page("?limit=9999&offset=100")).toMatchObject({ next: null, names: [] });
    }
  });

  it("shows collections with their containers, by number and by name", async () => {
    await using server = await testServer();
    await push(server, "dinosaur/avocado:delicious", TINY);
    await push(server, "dinosaur/tacos:1", "SIF");
    const { id } = await json(server, "/api/container/dinosaur/tacos:1");
    const whole = await json(server, "/api/collection/dinosaur");
    expect(whole).toEqual({
      id: expect.any(Number),
      name: "dinosaur",
      add_date: TIME,
      modify_date: TIME,
      metadata: {},
      containers: [
        {
          name: "avocado",
          tag: "delicious",
          uri: "dinosaur/avocado:delicious",
          detail: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/api\/containers\/\d+\/$/),
        },
        { name: "tacos", tag: "1", uri: "dinosaur/tacos:1", detail: `${server.url}/api/containers/${id}/` },
      ],
    });
    for (const path of ["/api/collection/DINOSAUR/", `/api/collections/${whole.id}/`, `/api/collections/${whole.id}`]) {
      expect(await json(server, path)).toEqual(whole);
    }
    expect(await json(server, "/api/collection/search/SAUR")).toEqual([whole]);
    expect(await json(server, "/api/collection/nothing")).toEqual({});
    for (const path of ["/api/collections/17/", "/api/collections/x/", "/api/containers/17/"]) {
      expect(told(await server.ask("GET", path))).toEqual([404, { detail: "Not found." }]);
    }
  });

  it("finds containers by whole names", async () => {
    await using server = await testServer();
    await push(server, "dinosaur/avocado:delicious", TINY);
    await push(server, "fruit/avocado:ripe", "SIF");
    const row = {
      id: expect.any(Number),
      name: "avocado",
      tag: "delicious",
      add_date: TIME,
      metrics: {},
      version: version(TINY),
      frozen: false,
      metadata: {},
      collection: "dinosaur",
    };
    const found = await json(server, "/api/container/search/collection/dinosaur/name/avocado/tag/delicious");
    expect(found).toEqual([row]);
    expect(await json(server, `/api/containers/${found[0].id}/`)).toEqual(row);
    const search = async (path: string): Promise<unknown> =>
      (await json(server, `/api/container/search/${path}`)).map(
        (one: typeof row) => `${one.collection}/${one.name}:${one.tag}`,
      );
    expect(await search("name/Avocado")).toEqual(["dinosaur/avocado:delicious", "fruit/avocado:ripe"]);
    expect(await search("name/avocado/tag/ripe/")).toEqual(["fruit/avocado:ripe"]);
    expect(await search("collection/FRUIT/name/avocado")).toEqual(["fruit/avocado:ripe"]);
    expect(await search("name/avo")).toEqual([]);
    expect(await search("collection/other/name/avocado/tag/ripe")).toEqual([]);
  });

  it("has images of every protocol, whatever the depth of their names", async () => {
    await using server = await testServer();
    await pushLocally(server.root, "tool:1", TINY, "tool.sif");
    await pushManifest(
      server,
      "vsoch/dinosaur-collection/another",
      "latest",
      await manifestOf(server, "vsoch/dinosaur-collection/another", "SIF_MAGIC"),
    );
    const uris = (await json(server, "/api/collections/")).results.flatMap(
      ({ name, containers }: { name: string; containers: { uri: string }[] }) =>
        containers.map(({ uri }) => [name, uri]),
    );
    expect(uris).toEqual([
      ["library", "library/tool:1"],
      ["vsoch/dinosaur-collection", "vsoch/dinosaur-collection/another:latest"],
    ]);
    for (const [, uri] of uris)
      expect((await json(server, `/api/container/${uri}`)).collection).toBe(uri.split(/\/[^/]*$/)[0]);
  });
});

describe("labels", () => {
  it("are those of the images, whoever pushed them", async () => {
    await using server = await testServer();
    await pushLocally(server.root, "lab/tool:1", TINY, "tool.sif");
    await push(server, "dinosaur/avocado:delicious", TINY);
    await push(server, "dinosaur/text:1", "no SIF");
    const containers = ["dinosaur/avocado:delicious", "lab/tool:1"];
    const maintainer = { key: "maintainer", value: "vanessasaur", containers };
    const all = await json(server, "/api/labels/search");
    expect(all).toHaveLength(11);
    expect(all).toContainEqual(maintainer);
    expect(await json(server, "/api/labels/search/")).toEqual(all);
    for (const path of ["MAINTAINER/key", "vanessasaur/value/", "maintainer/key/VanessaSaur/value"]) {
      expect(await json(server, `/api/labels/search/${path}`)).toEqual([maintainer]);
    }
    expect(await json(server, "/api/labels/search/version/key")).toEqual([
      { key: "Version", value: "1.2.3", containers },
    ]);
    const help = "/.singularity.d/runscript.help";
    expect(await json(server, `/api/labels/search/${encodeURIComponent(help)}/value`)).toHaveLength(2);
    expect(await json(server, `/api/labels/search/${help}/value`)).toHaveLength(2);
    expect(await json(server, "/api/labels/search/maintainer/key/other/value")).toEqual([]);
  });
});

describe("what the server says of itself", () => {
  it("needs no login", async () => {
    await using server = await testServer();
    const vanessa = await addUser(server, "vanessa");
    const identity = { name: "sregistry", id: "sregistry", url: server.url };
    expect(await json(server, "/api/registry/identity/")).toEqual(identity);
    const { data } = await json(server, "/version");
    expect(await json(server, "/v1/")).toEqual({ ...data, user: null });
    const asUser = await server.ask("GET", "/v1", { headers: bearer(vanessa) });
    expect(told(asUser)).toEqual([200, { ...data, user: "vanessa" }]);
  });

  it("is not a token for a password: tokens are made by serve user add", async () => {
    await using server = await testServer();
    expect((await server.ask("POST", "/api/api-token-auth/", { body: "{}" })).status).toBe(404);
  });
});
