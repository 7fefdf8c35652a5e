/** Signed pushes: what is sent, what is not, and what each of the server's odd answers means. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseTag } from "../../src/reference/name.ts";
import { reply, replyEarly, tooMany } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { countingSource } from "../support/oci-client.ts";
import {
  named,
  type SregistryClient,
  type SregistryClientOptions,
  sregistryClient,
} from "../support/sregistry-client.ts";
import { type RunningPeer, startSregistryPeer, TOKEN } from "../support/sregistry-peer.ts";

const ONE = Buffer.from("one image");
const TWO = Buffer.from("another image");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");
const HTML = { headers: { "content-type": "text/html" }, body: "<h1>403 Forbidden</h1>" };
const SEARCH = "/api/container/search/collection/lab/name/app/tag/1.0";

let server: RunningPeer;
let client: SregistryClient;
const opened: SregistryClient[] = [];

beforeEach(async () => {
  server = await startSregistryPeer();
  open({});
});
afterEach(async () => {
  vi.useRealTimers();
  for (const one of opened.splice(0)) await one.close();
  await server[Symbol.asyncDispose]();
});

function open(options: SregistryClientOptions): void {
  client = sregistryClient(server.faults.url, options);
  opened.push(client);
}

const push = (name = "lab/app:1.0", bytes = ONE): ReturnType<SregistryClient["push"]> => client.push(name, bytes);
const uploads = (): number => server.faults.count({ method: "POST", path: /^\/upload$/ });

describe("a push", () => {
  it("is announced, sent and looked up: four requests, the form with its length", async () => {
    expect(await push()).toEqual({
      reference: named("lab/app:1.0"),
      tags: ["1.0"],
      digest: `sha256:${sha256(ONE)}`,
      transfer: "uploaded",
    });
    expect(server.story()).toEqual([
      `GET ${SEARCH}`,
      "POST /api/upload/chunked_upload",
      "POST /upload",
      `GET ${SEARCH}`,
    ]);
    const [, announced, uploaded] = server.faults.requests;
    expect(announced?.bodyText).toBe('{"collection":"lab","name":"app","tag":"1.0"}');
    expect(uploaded?.headers["content-length"]).toBe(String(uploaded?.bodyBytes));
    expect(uploaded?.headers["transfer-encoding"]).toBeUndefined();
    expect(server.peer.row("lab/app:1.0")?.bytes).toEqual(ONE);
  });

  it("of several tags is an upload each: a row has one", async () => {
    const result = await client.push("lab/app:1.0", ONE, { tags: ["1.0", "latest"].map(parseTag) });
    expect(result).toMatchObject({ tags: ["1.0", "latest"], transfer: "uploaded" });
    expect(server.peer.rows.map(({ tag, bytes }) => [tag, bytes])).toEqual([
      ["1.0", ONE],
      ["latest", ONE],
    ]);
    expect(uploads()).toBe(2);
  });

  it("of the bytes that are there sends nothing: the same again would break the image", async () => {
    await push();
    expect(await push()).toMatchObject({ tags: ["1.0"], transfer: "present" });
    expect(uploads()).toBe(1);
    expect(server.peer.row("lab/app:1.0")?.bytes).toEqual(ONE);
  });

  it("of the bytes that are there sends nothing even while their version is the md5", async () => {
    server.peer.workerAfter = 100;
    await push();
    expect(server.peer.row("lab/app:1.0")?.version).toBe(md5(ONE));
    expect((await push()).transfer).toBe("present");
    expect(uploads()).toBe(1);
  });

  it("of other bytes replaces the tag", async () => {
    await push();
    expect((await push("lab/app:1.0", TWO)).transfer).toBe("uploaded");
    expect(server.peer.row("lab/app:1.0")?.bytes).toEqual(TWO);
  });

  it("is of the name that the server makes of it, and says so with -v", async () => {
    expect(await client.push("me/new_coll.x/app:V1", ONE)).toMatchObject({ tags: ["v1"] });
    expect(server.peer.row("new-coll-x/app:v1")?.bytes).toEqual(ONE);
    expect(client.said).toContain("verbose: the server stores new_coll.x/app:V1 as new-coll-x/app:v1");
  });

  it.each(["lab/app.sif:1", "lab/my.simg.tool:1", "lab/app:1.img"])(
    "of %s is refused: the ending would be cut out",
    async (name) => {
      const failure = await failureOf(push(name));
      expect(failure.code).toBe("REFERENCE_INVALID");
      expect(failure.message).toMatch(
        /^"(app\.sif|my\.simg\.tool|1\.img)" has an ending that Singularity Registry Server cuts/,
      );
      expect(server.story()).toEqual([]);
    },
  );

  it("by digest alone is not possible", async () => {
    expect(await failureOf(client.push("lab/app:1.0", ONE, { tags: [] }))).toMatchObject({
      code: "UNSUPPORTED",
      message: "the registry stores images by tag only",
    });
  });

  it("of a file that changed before it is sent makes no collection", async () => {
    expect((await failureOf(client.push("lab/app:1.0", countingSource(ONE, { changed: true })))).code).toBe(
      "INTEGRITY",
    );
    expect(server.story()).toEqual([]);
  });

  it("of a file that changes while it is sent leaves the form open, so that nothing is stored", async () => {
    let looks = 0;
    const source = {
      ...countingSource(ONE),
      async unchanged() {
        looks += 1;
        if (looks > 1) await countingSource(ONE, { changed: true }).unchanged();
      },
    };
    expect((await failureOf(client.push("lab/app:1.0", source))).code).toBe("INTEGRITY");
    expect(server.peer.rows).toEqual([]);
  });

  it("is begun again after a lost connection, unless the server has it by then", async () => {
    server.faults.on({ method: "POST", path: /^\/upload$/, times: 1 }, ({ cut }) => cut("rst"));
    expect((await push()).transfer).toBe("uploaded");
    expect(uploads()).toBe(2);
    server.faults.clear();
    // Stored, and the answer is lost.
    server.faults.on({ method: "POST", path: /^\/upload$/, times: 1 }, (exchange) =>
      exchange.forward({ head: () => exchange.cut("rst") }),
    );
    expect((await push("lab/app:2.0")).transfer).toBe("uploaded");
    expect(uploads()).toBe(1);
    expect(server.peer.row("lab/app:2.0")?.bytes).toEqual(ONE);
  });

  it("over the full hour is signed and sent once more", async () => {
    const sign = server.peer;
    server.faults.on({ method: "POST", path: /^\/upload$/, times: 1 }, async (exchange) => {
      // It strikes while the body is on its way.
      sign.clock = 3_600_000;
      await exchange.forward();
    });
    expect((await push()).transfer).toBe("uploaded");
    expect(uploads()).toBe(2);
    expect(client.transport.lines.filter((line) => line.includes("signing again"))).toHaveLength(1);
  });

  it.each([
    ["02:49:59", []],
    [
      "02:55:00",
      ["verbose: lab/app:1.0: the signature is good for 5 minutes more; an upload that takes longer is sent again"],
    ],
  ])("at %s says with -v how long its signature is good, if that is not long", async (time, expected) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date(`2026-11-21T${time}Z`) });
    await push();
    expect(client.said).toEqual(expected);
  });

  it("from a machine whose clock is wrong is signed by the server's", async () => {
    server.peer.clock = -5 * 3_600_000;
    expect((await push()).transfer).toBe("uploaded");
    expect(uploads()).toBe(1);
  });
});

describe("a refusal", () => {
  const refused = (): ReturnType<typeof failureOf> => failureOf(push());

  it("without a login says how to log in", async () => {
    open({ token: undefined });
    expect(await refused()).toEqual({
      code: "UNAUTHORIZED",
      message: "a push to the registry needs a login, and none is known",
      hint: `sregistry remote add --insecure NAME ${server.faults.host}, which asks for the token`,
    });
  });

  it("is a 500 with a page, and means credentials, clock or permission", async () => {
    open({ token: "f".repeat(40) });
    expect(await refused()).toEqual({
      code: "FORBIDDEN",
      message: "the registry refused the push of lab/app:1.0: credentials, clock or permission (status 500)",
      hint: expect.stringMatching(
        /^compare the token with http:\S+\/token \(sregistry remote add --insecure NAME 127\.0\.0\.1:\d+, which asks for the token\), set the clock \(there it is \d{8}T\d\dZ\), and see that the collection is yours$/,
      ),
    });
    expect(server.faults.count({ method: "POST" })).toBe(1);
  });

  it("in words is passed on", async () => {
    const headers = { "content-type": "application/json" };
    server.faults.on({ method: "POST" }, reply(403, { headers, body: '{"detail":"the collection is read-only"}' }));
    expect((await refused()).message).toBe("the registry refused the push of lab/app:1.0: the collection is read-only");
  });

  it("for a frozen tag comes with status 200, in words", async () => {
    server.peer.add("lab/app:1.0", TWO);
    server.faults.on({ path: /search/, times: 1 }, async (exchange) => {
      await exchange.forward();
      // Frozen after we looked.
      const row = server.peer.row("lab/app:1.0");
      if (row !== undefined) row.frozen = true;
    });
    expect(await refused()).toEqual({
      code: "CONFLICT",
      message: `lab/app:1.0 is frozen at the registry: lab/app:1.0@sha256.${sha256(TWO)} already exists.`,
      hint: "push to another tag, or unfreeze it on its web page (at sregistry serve: sregistry serve unfreeze lab/app:1.0)",
    });
  });

  it("for a tag known to be frozen comes before the bytes are sent", async () => {
    server.peer.add("lab/app:1.0", TWO, { frozen: true });
    expect(await refused()).toMatchObject({
      code: "CONFLICT",
      message: `lab/app:1.0 at the registry: This tag exists, and is frozen. It has other bytes: sha256.${sha256(TWO)}`,
    });
    expect(uploads()).toBe(0);
  });

  it("in another message at status 200 is a failure too", async () => {
    const headers = { "content-type": "application/json" };
    server.faults.on({ path: /^\/upload/ }, reply(200, { headers, body: '{"message":"Filename too long!"}' }));
    expect(await refused()).toMatchObject({
      code: "REFUSED",
      message: "the registry did not store lab/app:1.0: Filename too long!",
    });
  });

  it("as a page with status 200 is no success", async () => {
    server.faults.on({ path: /^\/upload/ }, reply(200, { ...HTML, body: "<title>Log in</title>" }));
    expect(await refused()).toMatchObject({
      code: "REPLY_INVALID",
      message: "the registry did not take the push of lab/app:1.0: Log in (status 200)",
    });
  });

  it("of a large body by nginx names the limit, also before the body is through", async () => {
    server.faults.on(
      { path: /^\/upload/ },
      replyEarly(413, { headers: { "content-type": "text/html" }, body: "<h1>413</h1>" }),
    );
    expect(await refused()).toMatchObject({
      code: "REFUSED",
      message: "the registry takes no upload as large as 9 bytes (its web server's limit)",
    });
  });

  it("by a redirect names the address to use: a POST that follows 301 becomes a GET", async () => {
    const headers = { location: "https://registry.org/api/upload/chunked_upload" };
    server.faults.on({ method: "POST" }, reply(301, { headers }));
    expect(await refused()).toEqual({
      code: "REFUSED",
      message: "the registry takes pushes at another address: it redirects to https://registry.org (status 301)",
      hint: "name the server by that address: https://registry.org",
    });
  });

  it("of a server without the old protocol says so", async () => {
    server.faults.on({ method: "POST" }, reply(404, HTML));
    expect(await refused()).toMatchObject({
      code: "UNSUPPORTED",
      message: "the registry takes no signed pushes: it has no /api/upload/chunked_upload",
    });
  });
});

describe("reading back", () => {
  it('finds nothing after "Upload Complete" for a superuser who is not the owner', async () => {
    server.peer.superuser = true;
    server.peer.collections.set("lab", { name: "lab", owner: "somebody", private: false });
    expect(await failureOf(push())).toEqual({
      code: "FORBIDDEN",
      message: 'the registry said "Upload Complete" for lab/app:1.0 and stored nothing',
      hint: "a superuser who does not own the collection may push and keeps nothing: push as the owner",
    });
    server.peer.add("lab/app:1.0", TWO);
    expect(await failureOf(push())).toMatchObject({
      code: "CONFLICT",
      message: `lab/app:1.0 at the registry is sha256.${sha256(TWO)} after the push, not sha256.${sha256(ONE)}`,
    });
  });

  it("looks a few times, and no more", async () => {
    server.peer.superuser = true;
    server.peer.collections.set("lab", { name: "lab", owner: "somebody", private: false });
    await failureOf(push());
    expect(server.faults.count({ path: /search/ })).toBe(1 + 3);
  });

  it("of a private image that a search does not show is signed", async () => {
    server.peer.collections.set("lab", { name: "lab", owner: "vanessa", private: true });
    server.peer.workerAfter = -1;
    const headers = { "content-type": "application/json" };
    server.faults.on({ path: /search/, skip: 1 }, async (exchange) => {
      const row = server.peer.row("lab/app:1.0");
      if (row !== undefined) row.version = `sha256.${sha256(ONE)}`;
      await reply(200, { headers, body: "[]" })(exchange);
    });
    expect((await push()).transfer).toBe("uploaded");
    expect(server.story().slice(-2)).toEqual(["GET /api/container/lab/app:1.0", "GET /api/container/lab/app:1.0"]);
  });

  it("that the day's limit forbids is no success: the tag is not known to be what was pushed", async () => {
    server.faults.on({ path: /search/, skip: 1 }, reply(403, HTML));
    expect(await failureOf(push())).toMatchObject({
      code: "RATE_LIMITED",
      message:
        "lab/app:1.0 is uploaded and could not be read back: the registry lets this machine ask no more today (its daily limit is reached)",
    });
  });
});

describe("limits", () => {
  it("of a day, a 403 with a page, are no lack of rights", async () => {
    server.faults.on({ path: /search/ }, reply(403, HTML));
    expect(await failureOf(push())).toMatchObject({ code: "RATE_LIMITED" });
    expect(server.story()).toHaveLength(1);
  });

  it("with a long Retry-After are not waited for", async () => {
    server.faults.on({ path: /search/ }, tooMany(86_398));
    expect(await failureOf(push())).toMatchObject({
      code: "RATE_LIMITED",
      message: expect.stringContaining("it asks to be left alone for 86398 s"),
    });
    expect(server.story()).toHaveLength(1);
  });
});

it("no token and no signature is in a log or an error", async () => {
  await push();
  open({ token: "f".repeat(40) });
  const { message } = await failureOf(push("lab/other:1"));
  const signatures = server.faults.requests.map(
    ({ headers }) => /Signature=(\w+)/.exec(headers["authorization"] ?? "")?.[1],
  );
  const secrets = [TOKEN, "f".repeat(40), ...signatures.filter((one) => one !== undefined)];
  expect(secrets.length).toBeGreaterThan(4);
  const told = [message, ...opened.flatMap(({ said, transport }) => [...said, ...transport.lines])].join("\n");
  expect(told).toContain("POST");
  expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
});
