/** What one user of the embedded server must not be able to do to another. */
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { createAccess } from "../../src/server/access.ts";
import { numericId } from "../../src/server/ids.ts";
import { addUser, announce, bearer, formOf, type Signer, signed } from "../support/hmac-requests.ts";
import {
  type Answer,
  MANIFEST_TYPE,
  manifestOf,
  pushManifest,
  type TestServer,
  testServer,
} from "../support/registry-server.ts";

interface Site extends TestServer {
  readonly alice: Signer;
  readonly mallory: Signer;
}

async function site(options: Parameters<typeof testServer>[0] = {}): Promise<Site> {
  const server = await testServer(options);
  const [alice, mallory] = [await addUser(server, "alice"), await addUser(server, "mallory")];
  return { ...server, alice, mallory };
}

/** The status, and what is said, whatever the form. */
const told = ({ status, body }: Answer): unknown => [status, body.length === 0 ? "" : JSON.parse(body.toString())];

/** An image of one layer, by OCI. */
async function pushOci({ ask }: TestServer, who: Signer, path: string, tag: string, layer: string): Promise<number[]> {
  const statuses: number[] = [];
  for (const content of ["{}", layer]) {
    const target = `/v2/${path}/blobs/uploads/?digest=${digestOf(content)}`;
    statuses.push((await ask("POST", target, { body: content, headers: bearer(who) })).status);
  }
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.sylabs.sif.config.v1+json", size: 2, digest: digestOf("{}") },
    layers: [{ mediaType: "application/vnd.sylabs.sif.layer.v1.sif", size: layer.length, digest: digestOf(layer) }],
  });
  const headers = { ...bearer(who), "content-type": MANIFEST_TYPE };
  statuses.push((await ask("PUT", `/v2/${path}/manifests/${tag}`, { body, headers })).status);
  return statuses;
}

const DONE = [201, 201, 201];

describe("an image of another user", () => {
  it("is not shadowed by a repository of the same entity, collection and container", async () => {
    await using server = await site();
    const { alice, mallory, ask } = server;
    expect(await pushOci(server, alice, "dinosaur-collection/another", "latest", "alice's")).toEqual(DONE);
    expect(await pushOci(server, mallory, "anybody/dinosaur-collection/another", "latest", "mallory's")).toEqual(DONE);
    const path = "/v1/imagefile/anybody/dinosaur-collection/another:latest";
    expect((await ask("GET", path, { headers: bearer(alice) })).body.toString()).toBe("alice's");
  });

  it("has a name that nobody else begins one with", async () => {
    await using server = await site();
    const { alice, mallory, ask } = server;
    expect(await pushOci(server, mallory, "alice/dinosaur-collection/another", "latest", "x")).toEqual([403, 403, 403]);
    const post = (name: string): Promise<Answer> =>
      ask("POST", "/v1/collections", { body: JSON.stringify({ name }), headers: bearer(mallory) });
    expect((await post("alice")).status).toBe(403);
    expect((await post("mallory")).status).toBe(200);
    expect(await pushOci(server, alice, "alice/dinosaur-collection/another", "latest", "x")).toEqual(DONE);
  });
});

describe("a collection that is nobody's", () => {
  it("does not become a user's, and hidden, by a record over what is there", async () => {
    await using server = await testServer();
    await pushManifest(server, "lab/tool", "1.0", await manifestOf(server, "lab/tool", "one"));
    const mallory = await addUser(server, "mallory");
    const post = (path: string, body: object): Promise<Answer> =>
      server.ask("POST", path, { body: JSON.stringify(body), headers: bearer(mallory) });
    expect(told(await post("/v1/collections", { name: "lab", private: true }))).toEqual([
      409,
      {
        error: { code: 409, message: "A collection named 'lab' exists already!" },
        message: "A collection named 'lab' exists already!",
      },
    ]);
    const found = JSON.parse(
      (await server.ask("GET", "/v1/collections/any/lab", { headers: bearer(mallory) })).body.toString(),
    );
    expect((await post("/v1/containers", { name: "tool", collection: found.data.id })).status).toBe(200);
    expect((await announce(server, mallory, "lab/tool:1.0")).status).toBe(200);
    expect(await createAccess(openStore(server.root)).collections.get("lab")).toBeUndefined();
  });

  it("stays so after requests that push nothing", async () => {
    await using server = await site();
    const headers = bearer(server.mallory);
    const upload = "/v2/lab/tool/blobs/uploads/00000000-0000-0000-0000-000000000000";
    const requests: readonly [string, string, string?][] = [
      ["GET", upload],
      ["DELETE", upload],
      ["PATCH", upload, "x"],
      ["PUT", `${upload}?digest=${digestOf("x")}`, "x"],
      ["POST", "/v2/lab/tool/blobs/uploads/?digest=nonsense", "x"],
      ["POST", "/v2/lab/tool/blobs/uploads/?mount=nonsense"],
      ["PUT", "/v2/lab/tool/manifests/1.0", "no manifest"],
      ["PUT", "/v2/lab/tool/manifests/..", "{}"],
      ["DELETE", "/v2/lab/tool/manifests/1.0"],
    ];
    for (const [method, path, body] of requests) {
      const { status } = await server.ask(method, path, { headers, ...(body === undefined ? {} : { body }) });
      expect([method, path, [400, 404].includes(status)]).toEqual([method, path, true]);
    }
    const { collections } = createAccess(openStore(server.root));
    expect(await collections.get("lab")).toBeUndefined();
    expect(await pushOci(server, server.alice, "lab/tool", "1.0", "alice's")).toEqual(DONE);
    expect(await collections.get("lab")).toMatchObject({ owner: "alice" });
  });
});

describe("a private collection", () => {
  it("cannot be told from one that is not there", async () => {
    await using server = await site({ publicRead: true });
    const { alice, mallory, ask } = server;
    await createAccess(openStore(server.root)).collections.create("hidden", "alice", true);
    expect(await pushOci(server, alice, "hidden/tool", "1.0", "secret")).toEqual(DONE);
    const digest = digestOf("secret");
    const id = (path: string): string => Buffer.from(JSON.stringify({ container: path })).toString("base64url");
    const requests = (path: string): readonly (readonly [string, string, string?])[] => [
      ["GET", `/v2/${path}/tags/list`],
      ["GET", `/v2/${path}/tags/list?n=x`],
      ["GET", `/v2/${path}/manifests/1.0`],
      ["GET", `/v2/${path}/manifests/-`],
      ["GET", `/v2/${path}/blobs/${digest}`],
      ["GET", `/v2/${path}/blobs/nonsense`],
      ["GET", `/v2/${path}/referrers/${digest}`],
      ["DELETE", `/v2/${path}/manifests/1.0`],
      ["DELETE", `/v2/${path}/manifests/${digest}`],
      ["DELETE", `/v2/${path}/blobs/${digest}`],
      ["GET", `/v1/images/${path}:1.0`],
      ["GET", `/v1/images/alice/${path}:sha256.${digest.slice(7)}`],
      ["GET", `/v1/imagefile/${path}:1.0`],
      ["GET", `/v1/containers/alice/${path}`],
      ["GET", `/v1/containers/alice/${path.split("/")[0]}`],
      ["GET", `/v1/collections/alice/${path.split("/")[0]}`],
      ["GET", `/v1/tags/${id(path)}`],
      ["GET", `/v2/tags/${id(path)}`],
      ["DELETE", `/v1/images/${path}:1.0`],
      ["GET", `/api/container/${path}:1.0`],
      ["GET", `/api/collection/${path.split("/")[0]}`],
      ["GET", `/api/container/search/collection/${path.split("/")[0]}/name/tool`],
      ["DELETE", `/api/container/${path}:1.0`],
    ];
    const there = requests("hidden/tool");
    for (const [index, [method, path]] of requests("absent/tool").entries()) {
      const answer = async (target: string): Promise<string> =>
        JSON.stringify(told(await ask(method, target, { headers: bearer(mallory) }))).replaceAll("hidden", "absent");
      expect([method, path, await answer(there[index]?.[1] ?? "")]).toEqual([method, path, await answer(path)]);
    }
    expect((await ask("GET", "/v2/hidden/tool/manifests/1.0", { headers: bearer(alice) })).status).toBe(200);
  });

  it("is not told by a refusal to make or fill it: a name that is kept for a user is refused in the same words", async () => {
    await using server = await site({ publicRead: true });
    const { alice, mallory, ask } = server;
    const create = (name: string, who: Signer) =>
      ask("POST", "/v1/collections", { body: JSON.stringify({ name }), headers: bearer(who) });
    expect((await create("hidden", alice)).status).toBe(200);
    await createAccess(openStore(server.root)).collections.create("secret", "alice", true);
    expect(await pushOci(server, alice, "secret/tool", "1.0", "alice's")).toEqual(DONE);
    const refusals = async (name: string): Promise<string> => {
      const answers = [
        await create(name, mallory),
        await ask("POST", `/v2/${name}/tool/blobs/uploads/`, { headers: bearer(mallory) }),
        await announce(server, mallory, `${name}/tool:1.0`),
      ];
      return JSON.stringify(answers.map(told)).replaceAll(name, "NAME");
    };
    // Nothing is there of `alice`, which is a user's name.
    expect(await refusals("secret")).toBe(await refusals("alice"));
    expect(JSON.parse(await refusals("secret")).map(([status]: [number]) => status)).toEqual([403, 403, 403]);
    // What everybody sees, and what is the user's own, is there already.
    expect((await create("hidden", mallory)).status).toBe(409);
    expect((await create("secret", alice)).status).toBe(409);
  });

  it("is not told by its number, which follows from its name", async () => {
    await using server = await site();
    const { mallory, ask } = server;
    await createAccess(openStore(server.root)).collections.create("secret", "alice", true);
    const upload = async (collection: string, signer: Signer): Promise<unknown> => {
      const headers = signed(signer, "upload", `${collection}/tool:1.0`);
      const form = formOf([
        ["name", "tool"],
        ["collection", String(numericId(collection))],
        ["tag", "1.0"],
        ["file1", "x"],
      ]);
      return told(await ask("POST", "/upload", { headers: { ...form.headers, ...headers }, body: form.body }));
    };
    const absent = await upload("absent", mallory);
    expect(absent).toMatchObject([400, {}]);
    expect(await upload("secret", mallory)).toEqual(absent);
    // Whoever knows a user's name, and no token.
    expect(await upload("secret", { name: "alice", token: "0".repeat(40) })).toEqual(absent);
  });

  it("makes an anonymous client sign for what is not there, and leaves public images to all", async () => {
    await using server = await site({ publicRead: true });
    expect(await pushOci(server, server.alice, "lab/tool", "1.0", "public")).toEqual(DONE);
    const get = async (name: string): Promise<number> => (await server.ask("GET", `/api/container/${name}`)).status;
    expect([await get("lab/tool:1.0"), await get("hidden/tool:1.0")]).toEqual([200, 404]);
    await createAccess(openStore(server.root)).collections.create("hidden", "alice", true);
    expect([await get("lab/tool:1.0"), await get("hidden/tool:1.0"), await get("absent/tool:1.0")]).toEqual([
      200, 403, 403,
    ]);
  });
});
