/** Libraries that keep their images in an OCI registry (`v1/oci-redirect`): asked once whether they do, and read there. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { parseHost } from "../../src/reference/host.ts";
import { createOciRegistry } from "../../src/registry/oci/index.ts";
import { Secret } from "../../src/secret.ts";
import { reply } from "../support/faults.ts";
import { failureOf, testClient } from "../support/http.ts";
import { libraryClient } from "../support/library-caller.ts";
import { hashOf, startLibraryPeer } from "../support/library-kinds.ts";
import { countingSource, ociClient } from "../support/oci-client.ts";
import { testServer } from "../support/registry-server.ts";

const IMAGE = randomBytes(10_000);
const NAME = "lab/tools/app:1.0";
const TOKEN = "direct-4711-token";
const PAGE = { headers: { "content-type": "text/html" }, body: "<h1>Not Found</h1>" };
const ASKED = /^\/v1\/oci-redirect/;

const open: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A library with one image of its own, and a registry that it may name. */
async function setUp() {
  const server = await testServer();
  const peer = await startLibraryPeer("sylabs");
  peer.add("tools/app", IMAGE, ["1.0"]);
  const there = ociClient(new URL(server.url));
  const transport = testClient({
    credentials: { find: async () => ({ kind: "bearer", from: "the test", token: new Secret(TOKEN) }) },
  });
  const tokens: string[] = [];
  const client = libraryClient(peer.url, {
    ociDirect(url, token) {
      tokens.push(token.reveal());
      return createOciRegistry({ host: parseHost(url.host), baseUrl: url, transport });
    },
  });
  open.push(
    () => server[Symbol.asyncDispose](),
    () => peer[Symbol.asyncDispose](),
    () => there.close(),
    () => transport.close(),
    () => client.close(),
  );
  return { server, peer, there, client, tokens, transport };
}

const direct = (answer: object) => reply(200, { body: JSON.stringify(answer) });

describe("an image in the library's registry", () => {
  it("is read there by the name and with the token that the library gives, and is the library's own still", async () => {
    const { server, peer, there, client, tokens } = await setUp();
    const other = randomBytes(5_000);
    await there.push("mapped/app:1.0", countingSource(other));
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url: server.url, name: "mapped/app" }));
    const image = await client.resolve(NAME);
    expect(image).toMatchObject({
      reference: { scheme: "library", path: "lab/tools/app", selector: { kind: "tag", tag: "1.0" } },
      digest: digestOf(other),
      size: other.length,
    });
    expect(image).not.toHaveProperty("manifest");
    expect(await client.read(image, { start: 10, end: 20 })).toEqual(other.subarray(10, 20));
    expect(tokens).toEqual([TOKEN]);
    expect(peer.faults.requests.map(({ path }) => path)).toEqual([
      "/v1/oci-redirect?accessTypes=pull&mapped=1&namespace=lab%2Ftools%2Fapp",
    ]);
  });

  it("is pinned by the digest of its file, which is a tag there and no manifest's digest", async () => {
    const { server, peer, there, client } = await setUp();
    await there.push(`lab/tools/app:${hashOf(IMAGE)}`, countingSource(IMAGE));
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url: server.url }));
    const image = await client.resolve(`lab/tools/app:${hashOf(IMAGE)}`);
    expect(image.digest).toBe(digestOf(IMAGE));
    expect(peer.story()).toEqual(["GET /v1/oci-redirect"]);
  });

  it("is not taken when the tag of that digest names other bytes", async () => {
    const { server, peer, there, client } = await setUp();
    const hash = hashOf(Buffer.from("another"));
    await there.push(`lab/tools/app:${hash}`, countingSource(IMAGE));
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url: server.url }));
    expect(await failureOf(client.resolve(`lab/tools/app:${hash}`))).toMatchObject({
      code: "INTEGRITY",
      message: `the library gives ${digestOf(IMAGE)} for library://lab/tools/app:${hash}`,
    });
  });

  it("that the registry does not have comes from the library", async () => {
    const { server, peer, client } = await setUp();
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url: server.url }));
    expect(await client.read(await client.resolve(NAME), { start: 0 })).toEqual(IMAGE);
  });

  it("leaves no token in a log", async () => {
    const { server, peer, there, client, transport } = await setUp();
    await there.push("lab/tools/app:1.0", countingSource(IMAGE));
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url: server.url }));
    await client.read(await client.resolve(NAME), { start: 0 });
    const lines = [...client.transport.lines, ...transport.lines, ...client.said].join("\n");
    expect(lines).toContain("/v1/oci-redirect");
    expect(lines).not.toContain(TOKEN);
  });
});

describe("a library that names no registry", () => {
  it.each([
    ["404 with a page", reply(404, PAGE)],
    ["401", reply(401)],
    ["405", reply(405)],
    ["500 with a page", reply(500, PAGE)],
    ["200 with a page", reply(200, PAGE)],
    ["200 with nothing", reply(200)],
  ])("is asked once: %s", async (_, answer) => {
    const { peer, client, tokens } = await setUp();
    peer.faults.on({ path: ASKED }, answer);
    for (const _again of [1, 2]) expect(await client.read(await client.resolve(NAME), { start: 0 })).toEqual(IMAGE);
    expect(peer.faults.count({ path: ASKED })).toBe(1);
    expect(tokens).toEqual([]);
  });

  it.each(["ftp://127.0.0.1/", "http://user:word@127.0.0.1/", "no address"])("%s is refused", async (url) => {
    const { peer, client, tokens } = await setUp();
    peer.faults.on({ path: ASKED }, direct({ token: TOKEN, url }));
    expect(await failureOf(client.resolve(NAME))).toMatchObject({
      code: "REPLY_INVALID",
      message: "the library names a registry that is no http(s) URL",
    });
    expect(tokens).toEqual([]);
  });

  it.each([{ url: "http://127.0.0.1/" }, { token: "t" }, { token: 1, url: "http://127.0.0.1/" }, []])(
    "the answer %j is refused",
    async (answer) => {
      const { peer, client, tokens } = await setUp();
      peer.faults.on({ path: ASKED }, direct(answer));
      expect(await failureOf(client.resolve(NAME))).toMatchObject({ code: "REPLY_INVALID" });
      expect(tokens).toEqual([]);
    },
  );
});
