/** Pushes to a library that go wrong at some point: what is looked into, sent again, kept for later, or cleared away. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { parseTag } from "../../src/reference/name.ts";
import { type Exchange, type Fault, reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type LibraryClient, type LibraryClientOptions, libraryClient } from "../support/library-caller.ts";
import { hashOf, type Kind, type LibraryPeer, startLibraryPeer } from "../support/library-kinds.ts";
import { countingSource, type MemorySessions, memorySessions } from "../support/oci-client.ts";

/** Five parts of 1000 bytes, the last one half. */
const IMAGE = randomBytes(4_500);
const SMALL = randomBytes(900);
const NAME = "lab/tools/app:1.0";
const PAGE = { headers: { "content-type": "text/html" }, body: "<h1>Server Error (500)</h1>" };
const CLOSE = { method: "PUT", path: /\/_multipart_complete$/ };
const ABORT = { method: "PUT", path: /\/_multipart_abort$/ };

const open: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Site {
  readonly peer: LibraryPeer;
  readonly client: LibraryClient;
  readonly sessions: MemorySessions;
  /** As a later process: nothing but the sessions is known. */
  again(options?: LibraryClientOptions): LibraryClient;
}

async function site(kind: Kind): Promise<Site> {
  const peer = await startLibraryPeer(kind);
  const sessions = memorySessions();
  open.push(() => peer[Symbol.asyncDispose]());
  const again = (options: LibraryClientOptions = {}): LibraryClient => {
    const client = libraryClient(peer.url, { sessions, multipartAbove: 2_000, ...options });
    open.push(() => client.close());
    return client;
  };
  return { peer, sessions, client: again(), again };
}

function expectThere({ shelf, storage }: LibraryPeer, bytes: Buffer, ...tags: readonly string[]): void {
  expect(storage.objects.get(`tools/app/${hashOf(bytes)}`)).toEqual(bytes);
  for (const tag of tags) expect(shelf.find(`tools/app:${tag}`)).toMatchObject({ hash: hashOf(bytes) });
}

/** The library does what it was asked, and the answer gets lost on its way. */
const lost: Fault = ({ forward }: Exchange) =>
  forward({
    head: (head) => {
      head.status = 502;
    },
  });

describe.each(["srs", "sylabs"] as const)("the end of an upload at a library like %s", (kind) => {
  it.each([
    ["in parts", IMAGE, "_multipart_complete"],
    ["in one piece", SMALL, "_complete"],
  ])("%s whose answer is lost has worked, and is not sent again", async (_, bytes, action) => {
    const { peer, client, sessions } = await site(kind);
    const path = new RegExp(`/${action}$`);
    peer.faults.on({ path }, lost);
    expect((await client.push(NAME, bytes)).transfer).toBe("uploaded");
    expect(peer.faults.count({ path })).toBe(1);
    expect(sessions.kept.size).toBe(0);
    expectThere(peer, bytes, "1.0");
  });

  it.each([404, 409])(
    "that went on behind a lost answer is over when it is sent again, and a %i is no failure",
    async (status) => {
      const { peer, client, sessions } = await site(kind);
      peer.faults.on({ ...CLOSE, times: 1 }, lost);
      peer.faults.on(CLOSE, reply(status));
      const looking = { method: "GET", path: /\/v1\/images\/.*sha256\./, when: () => peer.faults.count(CLOSE) === 1 };
      peer.faults.on(looking, reply(404));
      expect((await client.push(NAME, IMAGE)).transfer).toBe("uploaded");
      expect([peer.faults.count(CLOSE), sessions.kept.size]).toEqual([2, 0]);
      expectThere(peer, IMAGE, "1.0");
    },
  );

  it("that has not worked is sent again, and the parts are not", async () => {
    const { peer, client } = await site(kind);
    peer.faults.on({ ...CLOSE, times: 1 }, reply(502));
    expect((await client.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(peer.faults.count(CLOSE)).toBe(2);
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toHaveLength(5);
    expectThere(peer, IMAGE, "1.0");
  });

  it("that fails for good is kept for a later process, which sends the end alone", async () => {
    const { peer, client, sessions, again } = await site(kind);
    peer.faults.on({ ...CLOSE, times: 5 }, reply(503));
    expect(await failureOf(client.push(NAME, IMAGE))).toMatchObject({ code: "SERVER_ERROR" });
    expect(client.said).toContain("info: 5 of 5 parts are at the library; the same command goes on from there");
    expect([sessions.kept.size, peer.faults.count(ABORT)]).toEqual([1, 0]);
    expect((await again().push(NAME, IMAGE)).transfer).toBe("resumed");
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toHaveLength(5);
    expect(sessions.kept.size).toBe(0);
    expectThere(peer, IMAGE, "1.0");
  });

  it("of an interrupted upload that the library has lost (500 each time) begins again, and not for ever", async () => {
    const { peer, client, sessions, again } = await site(kind);
    peer.faults.on({ ...CLOSE, times: 10 }, reply(500, PAGE));
    expect(await failureOf(client.push(NAME, IMAGE))).toMatchObject({ code: "SERVER_ERROR" });
    const later = again();
    expect((await later.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(later.said).toContain("info: the library has forgotten the interrupted upload; it begins again");
    expect(sessions.kept.size).toBe(0);
    expectThere(peer, IMAGE, "1.0");
  });
});

describe.each(["srs", "sylabs"] as const)("an interrupted upload to a library like %s", (kind) => {
  /** The third PUT to the storage and all after it fail, until the faults are cleared. */
  async function interrupted(): Promise<Site> {
    const all = await site(kind);
    all.peer.storage.faults.on({ method: "PUT", skip: 2 }, reply(503));
    expect(await failureOf(all.client.push(NAME, IMAGE))).toMatchObject({ code: "SERVER_ERROR" });
    all.peer.storage.faults.clear();
    all.peer.faults.clear();
    return all;
  }

  it("sends what is missing, and every tag names the image: one row each where a row has one tag", async () => {
    const { peer, again } = await interrupted();
    const tags = [parseTag("1.0"), parseTag("latest")];
    expect((await again().push(NAME, IMAGE, { tags })).transfer).toBe("resumed");
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toHaveLength(3);
    expectThere(peer, IMAGE, "1.0", "latest");
  });

  it("of a row that is gone begins again", async () => {
    const { peer, again } = await interrupted();
    peer.shelf.rows.length = 0;
    expect((await again().push(NAME, IMAGE)).transfer).toBe("uploaded");
    expectThere(peer, IMAGE, "1.0");
  });

  it("is not taken up for another file", async () => {
    const { peer, again } = await interrupted();
    const other = randomBytes(IMAGE.length);
    expect((await again().push(NAME, other)).transfer).toBe("uploaded");
    expectThere(peer, other, "1.0");
  });

  it("by Ctrl-C stays for later, and nothing is aborted", async () => {
    const { peer, sessions, again } = await site(kind);
    const stop = new AbortController();
    peer.storage.faults.on({ method: "PUT", skip: 3 }, (exchange) => {
      stop.abort();
      return exchange.forward();
    });
    await expect(again({ signal: stop.signal }).push(NAME, IMAGE)).rejects.toThrow();
    expect([sessions.kept.size, peer.faults.count(ABORT)]).toEqual([1, 0]);
    expect((await again().push(NAME, IMAGE)).transfer).toBe("resumed");
    expectThere(peer, IMAGE, "1.0");
  });
});

describe("parts", () => {
  it("go one after another to a library that refuses them side by side", async () => {
    const { peer, client } = await site("sylabs");
    let most = 0;
    let now = 0;
    peer.storage.faults.on({ method: "PUT" }, async (exchange) => {
      now += 1;
      most = Math.max(most, now);
      // Long enough for a second one to come meanwhile.
      await new Promise((done) => setTimeout(done, 20));
      const refused = now > 1;
      await (refused ? reply(409, { body: "one at a time" })(exchange) : exchange.forward());
      now -= 1;
    });
    await client.push(NAME, IMAGE);
    expect(most).toBeGreaterThan(1);
    expect(client.said.join("\n")).toContain("refuses parts side by side: one after another");
    expectThere(peer, IMAGE, "1.0");
  });

  it("are aborted once, with their id, when the storage will never take them", async () => {
    const { peer, client, sessions } = await site("srs");
    const body = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
    peer.storage.faults.on({ method: "PUT", skip: 1 }, reply(403, { body }));
    expect(await failureOf(client.push(NAME, IMAGE))).toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringContaining("the storage of the library does not allow PUT /bucket/"),
    });
    expect(peer.bodies(/_multipart_abort$/)).toEqual([{ uploadID: "upload-1" }]);
    expect([sessions.kept.size, peer.shelf.rows]).toEqual([0, []]);
  });

  it("in a number that does not add up are refused before the first is sent", async () => {
    const { peer, client } = await site("srs");
    const data = { uploadID: "u", totalParts: 2, partSize: 1000 };
    peer.faults.on({ method: "POST", path: /_multipart$/ }, reply(200, { body: JSON.stringify({ data }) }));
    expect(await failureOf(client.push(NAME, IMAGE))).toMatchObject({
      code: "REPLY_INVALID",
      message: "the library wants 4500 bytes in 2 parts of 1000, which does not add up",
    });
    expect(peer.shelf.rows).toEqual([]);
  });

  it("that were switched off by the administrator (404) are none: the image goes in one piece", async () => {
    const { peer, client } = await site("srs");
    peer.faults.on({ method: "POST", path: /_multipart$/ }, reply(404));
    expect((await client.push(NAME, IMAGE)).transfer).toBe("uploaded");
    expect(peer.storage.faults.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
    expectThere(peer, IMAGE, "1.0");
  });
});

describe("a URL that has run out before its upload began", () => {
  it.each([
    ["of the whole", SMALL, 2],
    ["of a part", IMAGE, 6],
  ])("%s is asked for anew", async (_, bytes, urls) => {
    const { peer, client } = await site("srs");
    const body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    peer.storage.faults.on({ method: "PUT", times: 1 }, reply(403, { body }));
    await client.push(NAME, bytes);
    expect(peer.storage.permits.filter(({ method }) => method === "PUT")).toHaveLength(urls);
    expectThere(peer, bytes, "1.0");
  });
});

describe("an unfinished row", () => {
  const WRONG = reply(400, { body: "<Error><Code>BadDigest</Code><Message>no</Message></Error>" });

  it("of a failed upload is taken away at Singularity Registry Server, which would list it until night", async () => {
    const { peer, client } = await site("srs");
    peer.storage.faults.on({ method: "PUT" }, WRONG);
    expect(await failureOf(client.push(NAME, SMALL))).toMatchObject({ code: "REFUSED" });
    expect(peer.shelf.rows).toEqual([]);
    expect(peer.faults.count(ABORT)).toBe(1);
  });

  it("stays where rows are images: there is nothing to abort", async () => {
    const { peer, client } = await site("sylabs");
    peer.storage.faults.on({ method: "PUT" }, WRONG);
    expect(await failureOf(client.push(NAME, SMALL))).toMatchObject({ code: "REFUSED" });
    expect(peer.faults.count(ABORT)).toBe(0);
  });

  it.each(["srs", "sylabs"] as const)("of a file that changed meanwhile gets no tag (%s)", async (kind) => {
    const { peer, client } = await site(kind);
    const source = countingSource(SMALL, { changed: true });
    expect(await failureOf(client.push(NAME, source))).toMatchObject({ code: "INTEGRITY" });
    expect(peer.shelf.rows).toHaveLength(kind === "srs" ? 0 : 1);
    expect(peer.faults.count({ path: /\/tags\// })).toBe(0);
  });
});

describe("a record that is made", () => {
  const CREATE = { method: "POST", path: /^\/v1\/(?:collections|containers|images)$/ };

  it.each(["collections", "containers", "images"])(
    "and whose answer is lost (502) was made: it is looked up, not made twice (%s)",
    async (kind) => {
      const { peer, client } = await site("sylabs");
      const create = { method: "POST", path: new RegExp(`^/v1/${kind}$`) };
      peer.faults.on({ ...create, times: 1 }, lost);
      expect((await client.push(NAME, SMALL)).transfer).toBe("uploaded");
      expect(peer.faults.count(create)).toBe(1);
      expectThere(peer, SMALL, "1.0");
    },
  );

  it("by a gateway that is down for a moment (502 once for each) is asked for again", async () => {
    const { peer, client } = await site("sylabs");
    for (const kind of ["collections", "containers", "images"]) {
      peer.faults.on({ method: "POST", path: new RegExp(`^/v1/${kind}$`), times: 1 }, reply(502));
    }
    expect((await client.push(NAME, SMALL)).transfer).toBe("uploaded");
    expect(peer.faults.count(CREATE)).toBe(6);
    expectThere(peer, SMALL, "1.0");
  });

  it("by a gateway that stays down fails as a thing to try later, after five tries", async () => {
    const { peer, client } = await site("sylabs");
    peer.faults.on(CREATE, reply(502));
    expect(await failureOf(client.push(NAME, SMALL))).toMatchObject({ code: "SERVER_ERROR" });
    expect(peer.faults.count(CREATE)).toBe(5);
  });
});
