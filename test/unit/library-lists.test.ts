/** What a library tells besides images: tags, containers, search; and what it deletes. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { EXIT_STATUS } from "../../src/errors.ts";
import { parseRepoPath } from "../../src/reference/name.ts";
import { capability, type SearchHit, type SearchOptions } from "../../src/registry/registry.ts";
import { type Fault, reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient, named } from "../support/library-caller.ts";
import { hashOf, type Kind, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { testServer } from "../support/registry-server.ts";
import { collect } from "../support/sregistry-client.ts";

const BYTES = randomBytes(500);
const PAGE = reply(404, { headers: { "content-type": "text/html" }, body: "<h1>Not Found</h1>" });

const open: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function site(
  kind: Kind,
  options: LibraryClientOptions = {},
): Promise<{ peer: LibraryPeer; client: LibraryClient }> {
  const peer = await startLibraryPeer(kind);
  const client = libraryClient(peer.url, options);
  open.push(
    () => peer[Symbol.asyncDispose](),
    () => client.close(),
  );
  return { peer, client };
}

const json = (data: unknown): Fault => reply(200, { body: JSON.stringify({ data }) });

const tags = ({ registry, call }: LibraryClient, path: string) =>
  collect(capability(registry, "tags")(parseRepoPath(path, "library"), call));

const repositories = ({ registry, call }: LibraryClient) => collect(capability(registry, "repositories")(call));

const search = (
  { registry, call }: LibraryClient,
  query: string,
  options: SearchOptions = {},
): Promise<readonly SearchHit[]> => collect(capability(registry, "search")(query, options, call));

describe("tags", () => {
  it("of all architectures come in order, each once", async () => {
    const { peer, client } = await site("sylabs");
    const archTags = { amd64: { "2.0": "1", "1.0": "2" }, arm64: { "1.0": "3", latest: "3" } };
    peer.faults.on({ path: /\/v1\/containers/ }, json({ id: "9", name: "app", archTags, imageTags: { "2.0": "1" } }));
    expect(await tags(client, "lab/tools/app")).toEqual(["1.0", "2.0", "latest"]);
    expect(peer.story()).toEqual(["GET /v1/containers/lab/tools/app"]);
  });

  it("of an unfinished push at Singularity Registry Server are none", async () => {
    const { peer, client } = await site("srs");
    peer.add("tools/app", BYTES, ["1.0"]);
    peer.add("tools/app", randomBytes(5), ["DUMMY-8b0c1f2e-7a52-4d0e-9a54-0b16fb055e6f"]);
    expect(await tags(client, "lab/tools/app")).toEqual(["1.0"]);
  });

  it("200 with the collection means that Singularity Registry Server has no such container", async () => {
    const { peer, client } = await site("srs");
    peer.add("tools/app", BYTES, ["1.0"]);
    expect(await failureOf(tags(client, "lab/tools/other"))).toMatchObject({
      code: "NOT_FOUND",
      message: "the library has no container lab/tools/other, or it is not yours to see",
    });
  });

  it.each([
    ["tools/app", ["default/tools/app", "library/tools/app"]],
    ["app", ["default/default/app", "library/default/app"]],
  ])("of the short name %s are looked for under the entities that it may stand for", async (path, full) => {
    const { peer, client } = await site("hinkskalle");
    for (const [index, name] of full.entries()) {
      const found = { id: "9", archTags: { amd64: { [String(index)]: "1" } } };
      peer.faults.on({ path: new RegExp(`/v1/containers/${name}$`) }, index === 0 ? PAGE : json(found));
    }
    expect(await tags(client, path)).toEqual(["1"]);
    expect(peer.story()).toEqual(full.map((name) => `GET /v1/containers/${name}`));
  });

  it("of others' containers are not shown, which is no lack of the container", async () => {
    const { client } = await site("srs", { token: undefined });
    expect(await failureOf(tags(client, "lab/tools/app"))).toMatchObject({ code: "FORBIDDEN" });
  });
});

describe("containers", () => {
  it("of a library that lists them all are asked for once", async () => {
    const { peer, client } = await site("hinkskalle");
    const row = (entityName: string, collectionName: string, name: unknown) => ({ entityName, collectionName, name });
    const rows = [row("lab", "tools", "app"), row("default", "tools", "other"), row("lab", "tools", "NO NAME")];
    peer.faults.on({ path: /\/v1\/containers$/ }, json(rows));
    expect(await repositories(client)).toEqual(["lab/tools/app", "tools/other"]);
    expect(peer.story()).toEqual(["GET /v1/containers"]);
  });

  it("of Hinkskalle are listed level by level, and a name that is none leads nowhere", async () => {
    const { peer, client } = await site("hinkskalle");
    peer.faults.on({ path: /\/v1\/containers$/ }, reply(405));
    peer.faults.on({ path: /\/v1\/entities$/ }, json([{ name: "lab" }, { name: "../version" }, { name: "gone" }]));
    peer.faults.on({ path: /\/v1\/collections\/lab$/ }, json([{ name: "tools" }, { name: "empty" }]));
    peer.faults.on({ path: /\/v1\/collections\/gone$/ }, reply(404));
    const containers = [{ entityName: "lab", collectionName: "tools", name: "app" }];
    peer.faults.on({ path: /\/v1\/containers\/lab\/tools$/ }, json(containers));
    peer.faults.on({ path: /\/v1\/containers\/lab\/empty$/ }, json([]));
    expect(await repositories(client)).toEqual(["lab/tools/app"]);
    expect(peer.story()).toEqual([
      "GET /v1/containers",
      "GET /v1/entities",
      "GET /v1/collections/lab",
      "GET /v1/containers/lab/tools",
      "GET /v1/containers/lab/empty",
      "GET /v1/collections/gone",
    ]);
  });

  it.each([
    ["{} of Singularity Registry Server", "srs", reply(200, { body: "{}" })],
    ["404 with a page of Sylabs", "sylabs", PAGE],
  ] as const)("%s means that it lists none", async (_, kind, answer) => {
    const { peer, client } = await site(kind);
    peer.faults.on({ path: /\/v1\/containers$/ }, answer);
    expect(await failureOf(repositories(client))).toEqual({
      code: "UNSUPPORTED",
      message: "the library does not list its containers",
      hint: "name one (library://ENTITY/COLLECTION/CONTAINER), or look for it: sregistry search WORD",
    });
  });

  it("of the embedded registry are listed", async () => {
    const server = await testServer();
    const client = libraryClient(new URL(server.url), { token: undefined });
    open.push(
      () => server[Symbol.asyncDispose](),
      () => client.close(),
    );
    await client.push("library/tools/app:1.0", BYTES);
    expect(await repositories(client)).toEqual(["tools/app"]);
    expect(await tags(client, "tools/app")).toEqual(["1.0"]);
  });
});

describe("search", () => {
  const HASH = hashOf(BYTES);
  const place = { id: 1, hash: HASH, entityName: "lab", collectionName: "tools", containerName: "app" };

  it("asks with what was given, and tells what was found", async () => {
    const { peer, client } = await site("sylabs");
    const rows = [
      {
        ...place,
        tags: ["1.0", "latest"],
        description: "An app",
        arch: "amd64",
        fingerprints: ["8883491F4268F173C6E5DC49EDECE4F3F38D871E"],
      },
      { ...place, containerName: "bare", tags: [], description: "No Description", arch: "amd64" },
      { ...place, containerName: "NOT A NAME", tags: ["1"] },
    ];
    peer.faults.on({ path: /\/v1\/search/ }, json({ entity: [], collection: [], container: [], image: rows }));
    expect(await search(client, "app & co", { architecture: "amd64", signed: true })).toEqual([
      {
        reference: named("lab/tools/app:1.0"),
        tags: ["1.0", "latest"],
        description: "An app",
        architecture: "amd64",
        signedBy: ["8883491F4268F173C6E5DC49EDECE4F3F38D871E"],
      },
      {
        reference: named(`lab/tools/bare:${HASH}`),
        tags: [],
        description: undefined,
        architecture: "amd64",
        signedBy: [],
      },
    ]);
    const { searchParams } = new URL(peer.faults.requests[0]?.path ?? "", "http://library");
    expect(Object.fromEntries(searchParams)).toEqual({ arch: "amd64", signed: "true", value: "app & co" });
    expect(client.said.join("\n")).toContain("NOT A NAME");
  });

  it("for all architectures names none", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on({ path: /\/v1\/search/ }, json({ image: null }));
    expect(await search(client, "app")).toEqual([]);
    expect(peer.faults.requests.map(({ path }) => path)).toEqual(["/v1/search?value=app"]);
  });

  it("for two letters is refused in Singularity's words, and not asked", async () => {
    const { peer, client } = await site("sylabs");
    expect(await failureOf(search(client, "bb"))).toMatchObject({
      code: "USAGE",
      message: "bad query 'bb'. You must search for at least 3 characters",
    });
    expect(peer.story()).toEqual([]);
  });

  it("without a token at Hinkskalle asks for a login: exit 4", async () => {
    const { peer, client } = await site("hinkskalle", { token: undefined });
    const body = JSON.stringify({
      status: "error",
      errors: [{ title: "Unauthorized", detail: "no token", code: 401 }],
    });
    peer.faults.on({ path: /\/v1\/search/ }, reply(401, { body }));
    const failure = await failureOf(search(client, "app"));
    expect([failure.code, EXIT_STATUS[failure.code]]).toEqual(["UNAUTHORIZED", 4]);
    expect(failure.message).toContain("no token");
    expect(failure.hint).toMatch(/^sregistry remote add --insecure NAME 127\.0\.0\.1:\d+, which asks for the token$/);
  });

  it("is not there at Singularity Registry Server: a page, 404", async () => {
    const { client } = await site("srs");
    expect(await failureOf(search(client, "app"))).toMatchObject({
      code: "UNSUPPORTED",
      message: "the library has no search",
    });
  });
});

describe("deletion", () => {
  const plan = ({ registry, call }: LibraryClient, name: string) =>
    capability(registry, "deletable")(named(name), call);
  const remove = ({ registry, call }: LibraryClient, name: string) => capability(registry, "delete")(named(name), call);

  it("names the image and its architecture", async () => {
    const { peer, client } = await site("sylabs");
    peer.add("tools/app", BYTES, ["1.0"], { arch: process.arch === "arm64" ? "arm64" : "amd64" });
    expect(await remove(client, "lab/tools/app:1.0")).toEqual({ deleted: ["library://lab/tools/app:1.0"] });
    const { arch = "" } = Object.fromEntries(
      new URL(peer.faults.requests.at(-1)?.path ?? "", "http://library").searchParams,
    );
    expect([peer.story().at(-1), arch]).toEqual([
      "DELETE /v1/images/lab/tools/app:1.0",
      process.arch === "arm64" ? "arm64" : "amd64",
    ]);
    expect(peer.shelf.rows).toEqual([]);
  });

  it("tells of the other tags that may go as well", async () => {
    const { peer, client } = await site("hinkskalle");
    peer.add("tools/app", BYTES, ["1.0", "latest"], { arch: process.arch === "arm64" ? "arm64" : "amd64" });
    expect(await plan(client, "lab/tools/app:1.0")).toEqual({ deleted: ["library://lab/tools/app:1.0"] });
    expect(client.said).toContain("info: the image is also tagged latest: the library may take these as well");
    expect(peer.story()).not.toContain("DELETE /v1/images/lab/tools/app:1.0");
  });

  it("of what is not there fails before anything is deleted", async () => {
    const { peer, client } = await site("sylabs");
    for (const act of [plan, remove]) {
      expect(await failureOf(act(client, "lab/tools/app:1.0"))).toMatchObject({ code: "NOT_FOUND" });
    }
    expect(peer.story()).toEqual(["GET /v1/images/lab/tools/app:1.0", "GET /v1/images/lab/tools/app:1.0"]);
  });

  it("405 of Singularity Registry Server leads to its own protocol or its page", async () => {
    const { peer, client } = await site("srs");
    peer.add("tools/app", BYTES, ["1.0"]);
    expect(await failureOf(remove(client, "lab/tools/app:1.0"))).toEqual({
      code: "UNSUPPORTED",
      message: "the library does not delete by the library protocol",
      hint: `use its web page at ${peer.url.href}`,
    });
  });
});
