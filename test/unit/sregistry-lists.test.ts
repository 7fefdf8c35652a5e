/** Listings, search, labels and collections of Singularity Registry Server, and what each of its odd answers means. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRepoPath } from "../../src/reference/name.ts";
import { capability } from "../../src/registry/registry.ts";
import { reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import {
  collect,
  named,
  type SregistryClient,
  type SregistryClientOptions,
  sregistryClient,
} from "../support/sregistry-client.ts";
import { type RunningPeer, startSregistryPeer, TOKEN } from "../support/sregistry-peer.ts";

const BYTES = Buffer.from("an image");
const DUMMY = "DUMMY-0f0e0d0c-1111-2222-3333-444455556666";
const JSON_TYPE = { "content-type": "application/json" };
const HTML = { headers: { "content-type": "text/html" }, body: "<h1>403 Forbidden</h1>" };

let server: RunningPeer;
let client: SregistryClient;
const opened: SregistryClient[] = [];

beforeEach(async () => {
  server = await startSregistryPeer();
  open({});
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await server[Symbol.asyncDispose]();
});

function open(options: SregistryClientOptions): void {
  client = sregistryClient(server.faults.url, options);
  opened.push(client);
}

const repositories = () => collect(capability(client.registry, "repositories")(client.call));
const tags = (path: string) =>
  collect(capability(client.registry, "tags")(parseRepoPath(path, "library"), client.call));
const search = (query: string, options = {}) =>
  collect(capability(client.registry, "search")(query, options, client.call));
const labels = (filter = {}) => capability(client.registry, "labels")(filter, client.call);

describe("repositories", () => {
  it("come page by page, each once: the old client asked for the first page for ever", async () => {
    for (let at = 0; at < 25; at += 1) server.peer.add(`lab${at}/app:1`, BYTES);
    server.peer.pageSize = 10;
    expect(await repositories()).toEqual(Array.from({ length: 25 }, (_, at) => `lab${at}/app`));
    expect(server.story()).toEqual([
      "GET /api/collections/?limit=100",
      "GET /api/collections/?limit=10&offset=10",
      "GET /api/collections/?limit=10&offset=20",
    ]);
  });

  it("do not tell of collections without any, which were never seen: those are told apart, without another request", async () => {
    server.peer.add("lab/app:1", BYTES);
    server.peer.add(`torn/app:${DUMMY}`, BYTES);
    server.peer.collections.set("dinosaur", { name: "dinosaur", owner: "vanessa", private: false });
    const empty = () => capability(client.registry, "emptyCollections")(client.call);
    expect(await repositories()).toEqual(["lab/app"]);
    expect(await empty()).toEqual(["torn", "dinosaur"]);
    expect(server.story()).toHaveLength(1);
    expect(await empty()).toEqual(["torn", "dinosaur"]);
    expect(server.story()).toHaveLength(2);
  });

  it("are fetched as the consumer goes on", async () => {
    for (let at = 0; at < 5; at += 1) server.peer.add(`lab${at}/app:1`, BYTES);
    server.peer.pageSize = 2;
    for await (const path of capability(client.registry, "repositories")(client.call)) if (path === "lab1/app") break;
    expect(server.story()).toHaveLength(1);
  });

  it("are asked for at our address whatever the next page's is", async () => {
    server.peer.add("lab/app:1", BYTES);
    const page = { count: 2, next: "http://169.254.169.254/latest?limit=1&offset=1", results: [] };
    server.faults.on({ times: 1 }, reply(200, { headers: JSON_TYPE, body: JSON.stringify(page) }));
    await repositories();
    expect(server.story()[1]).toBe("GET /api/collections/?limit=1&offset=1");
  });

  it("end when a page comes again", async () => {
    const body = JSON.stringify({ count: 9, next: "?limit=1&offset=1", results: [] });
    server.faults.on({}, reply(200, { headers: JSON_TYPE, body }));
    expect(await failureOf(repositories())).toMatchObject({
      code: "REPLY_INVALID",
      message: "the list of collections of the registry never ends: page 3 is one it gave before",
    });
    expect(server.story()).toHaveLength(2);
  });

  it("hide unfinished pushes, and what is nothing else", async () => {
    server.peer.add("lab/app:1", BYTES);
    server.peer.add(`lab/app:${DUMMY}`, BYTES);
    server.peer.add(`lab/begun:${DUMMY}`, BYTES);
    expect(await repositories()).toEqual(["lab/app"]);
    expect(await tags("lab/app")).toEqual(["1"]);
  });

  it("pass over what is no name, and say so with -v", async () => {
    server.peer.add("lab/App:1", BYTES);
    server.peer.add("lab/app:a b", BYTES);
    server.peer.add("lab/tool:1", BYTES);
    expect(await repositories()).toEqual(["lab/tool"]);
    expect(client.said).toEqual([
      'verbose: the registry lists the tag "a b", which is none',
      'verbose: the registry lists "lab/App": no name',
    ]);
  });

  it("of a server without public reading are asked for with the token", async () => {
    server.faults.on({ when: ({ headers }) => headers["authorization"] !== `Bearer ${TOKEN}` }, reply(401));
    server.peer.add("lab/app:1", BYTES);
    expect(await repositories()).toEqual(["lab/app"]);
    expect(server.story()).toHaveLength(1);
    open({ token: undefined });
    expect(await failureOf(repositories())).toMatchObject({ code: "UNAUTHORIZED" });
  });
});

describe("tags", () => {
  it("that came with the listing are not asked for again, and later they are", async () => {
    server.peer.add("lab/app:1", BYTES);
    await repositories();
    expect(await tags("lab/app")).toEqual(["1"]);
    expect(server.story()).toHaveLength(1);
    server.peer.add("lab/app:2", BYTES);
    expect(await tags("lab/app")).toEqual(["1", "2"]);
  });

  it("are of the container, whatever entity is before it", async () => {
    server.peer.add("lab/app:1", BYTES);
    server.peer.add("other/app:2", BYTES);
    expect(await tags("me/lab/app")).toEqual(["1"]);
    expect(server.story()).toEqual(["GET /api/container/search/collection/lab/name/app"]);
  });

  it("of what is not there are not found", async () => {
    expect(await failureOf(tags("lab/none"))).toMatchObject({
      code: "NOT_FOUND",
      message: "the registry has no container lab/none",
    });
  });
});

describe("an answer", () => {
  it.each([
    [
      "403 with a page",
      reply(403, HTML),
      "RATE_LIMITED",
      "the registry lets this machine ask no more today (its daily limit is reached)",
    ],
    [
      "403 with JSON",
      reply(403, { headers: JSON_TYPE, body: '{"detail":"Authentication credentials were not provided."}' }),
      "UNAUTHORIZED",
      "the registry refuses: Authentication credentials were not provided.",
    ],
    [
      "404",
      reply(404, { ...HTML, body: "<title>Not Found</title>" }),
      "UNSUPPORTED",
      "the registry has no /api/collections/ (Not Found)",
    ],
    [
      "200 with a page",
      reply(200, { ...HTML, body: "<title>Log in</title>" }),
      "REPLY_INVALID",
      "the registry answered /api/collections/ with a web page (Log in), not with JSON",
    ],
  ])("%s is told for what it is", async (_words, fault, code, message) => {
    server.faults.on({}, fault);
    expect(await failureOf(repositories())).toMatchObject({ code, message });
    expect(server.story()).toHaveLength(1);
  });

  it("of another form names the field", async () => {
    server.faults.on({}, reply(200, { headers: JSON_TYPE, body: '{"results":[{"name":4}]}' }));
    expect(await failureOf(repositories())).toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringContaining("results[0].name: expected a string, got number"),
    });
  });
});

describe("search", () => {
  beforeEach(() => {
    for (const uri of ["dinosaur/avocado:delicious", "dinosaur/tacos:1.0", "dinosaur/tacos:2.0", "lab/tool:avocado"])
      server.peer.add(uri, BYTES);
  });
  const hits = async (query: string): Promise<unknown> =>
    (await search(query)).map(({ reference, tags: found }) => [reference.path, found]);

  it("finds words in collection, name and tag", async () => {
    expect(await hits("avocado")).toEqual([
      ["dinosaur/avocado", ["delicious"]],
      ["lab/tool", ["avocado"]],
    ]);
    expect(await hits("TACOS")).toEqual([["dinosaur/tacos", ["1.0", "2.0"]]]);
    expect(await hits("tacos:2")).toEqual([["dinosaur/tacos", ["2.0"]]]);
    expect(await hits("none")).toEqual([]);
  });

  it("names the image by its first tag", async () => {
    expect(await search("tacos")).toEqual([
      {
        reference: named("dinosaur/tacos:1.0"),
        tags: ["1.0", "2.0"],
        description: undefined,
        architecture: undefined,
        signedBy: [],
      },
    ]);
  });

  it("says what it cannot filter by", async () => {
    expect(await search("tool", { architecture: "arm64" })).toHaveLength(1);
    expect(client.said).toEqual([
      "warn: the registry knows neither the architectures of its images nor who signed them: all are shown",
    ]);
  });
});

describe("labels", () => {
  const row = { key: "maintainer", value: "vanessa", containers: ["lab/app:1"] };

  it("are asked for in lower case", async () => {
    server.peer.labels.push(row);
    expect(await labels({ key: "Maintainer", value: "VANESSA" })).toEqual([
      { key: "maintainer", value: "vanessa", images: [named("lab/app:1")] },
    ]);
    await labels({ key: "maintainer" });
    await labels({ value: "vanessa" });
    await labels();
    expect(server.story()).toEqual([
      "GET /api/labels/search/maintainer/key/vanessa/value",
      "GET /api/labels/search/maintainer/key",
      "GET /api/labels/search/vanessa/value",
      "GET /api/labels/search",
    ]);
  });

  it("that nobody has are none, and an empty index says nothing", async () => {
    expect(await labels()).toBeUndefined();
    expect(await labels({ key: "org" })).toBeUndefined();
    server.peer.labels.push(row);
    expect(await labels({ key: "org" })).toEqual([]);
  });

  it("with a slash are looked for here: no path of the server's can hold one", async () => {
    server.peer.labels.push(row, { key: "url", value: "https://a/b", containers: ["lab/app:2"] });
    expect(await labels({ value: "https://A/b" })).toEqual([
      { key: "url", value: "https://a/b", images: [named("lab/app:2")] },
    ]);
    expect(server.story()).toEqual(["GET /api/labels/search"]);
  });

  it("name frozen images by digest, and pass over unfinished pushes and nonsense", async () => {
    const digest = `sha256.${"a".repeat(64)}`;
    server.peer.labels.push({ ...row, containers: [`lab/app:${digest}`, `lab/app:${DUMMY}`, "nonsense", "lab/app:1"] });
    expect((await labels())?.[0]?.images).toEqual([named(`lab/app:${digest}`), named("lab/app:1")]);
  });
});

describe("a collection", () => {
  const create = (name: string, hidden = false) =>
    capability(client.registry, "createCollection")(name, { private: hidden }, client.call);

  it("is made under the name that the server stores", async () => {
    expect(await create("New_Coll.X", true)).toEqual({ name: "new-coll-x", private: true });
    expect(server.peer.collections.get("new-coll-x")).toEqual({ name: "new-coll-x", owner: "vanessa", private: true });
    expect(client.said).toEqual(["verbose: the server stores the collection New_Coll.X as new-coll-x"]);
    expect(server.faults.requests.map(({ method, path, bodyText }) => [method, path, bodyText])).toEqual([
      ["GET", "/v1/entities", ""],
      ["POST", "/v1/collections", '{"entity":"2","name":"new-coll-x","private":true}'],
    ]);
  });

  it("may be answered with 201", async () => {
    const body = '{"data":{"id":"9","name":"lab"}}';
    server.faults.on({ method: "POST" }, reply(201, { headers: JSON_TYPE, body }));
    expect(await create("lab")).toEqual({ name: "lab", private: false });
  });

  it("that exists is a conflict, although the server says 403", async () => {
    await create("lab");
    expect(await failureOf(create("lab"))).toMatchObject({
      code: "CONFLICT",
      message: expect.stringMatching(/^the registry has a collection "lab" already: .*exists already!$/),
    });
  });

  it("needs a good token, for which the server has a 404", async () => {
    open({ token: "f".repeat(40) });
    expect(await failureOf(create("lab"))).toEqual({
      code: "UNAUTHORIZED",
      message: "the registry makes collections for its users only, and no login that it knows was sent",
      hint: `sregistry remote add --insecure NAME ${server.faults.host}, which asks for the token`,
    });
  });

  it("of a day whose requests are used up (403 with a page) wants patience, and no token", async () => {
    server.faults.on({ path: /\/v1\/entities$/ }, reply(403, HTML));
    expect(await failureOf(create("lab"))).toMatchObject({ code: "RATE_LIMITED" });
  });

  it("of signs only is no name", async () => {
    expect((await failureOf(create("_._"))).code).toBe("REFERENCE_INVALID");
    expect(server.story()).toEqual([]);
  });
});
