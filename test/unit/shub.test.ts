/** shub:// against servers that say yes and no in every way they have. */
import { createHash, randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import type { SregistryError } from "../../src/errors.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import type { BodyPart, ByteRange, ImageInfo, Registry } from "../../src/registry/registry.ts";
import { imageUrl } from "../../src/registry/shub/image-url.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { Secret } from "../../src/secret.ts";
import { type Fault, type Faults, redirectTo, reply, startFaults, tooMany } from "../support/faults.ts";
import { failureOf, type TestClient, testClient } from "../support/http.ts";

const BYTES = Buffer.from("the image's bytes");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
const MD5 = createHash("md5").update(BYTES).digest("hex");
const TOKEN = "5027225717bf0030465db1e7099e496022c42181";
const JSON_TYPE = { "content-type": "application/json" };
const HTML = reply(403, { headers: { "content-type": "text/html" }, body: "<h1>403 Forbidden</h1>" });

const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };

let hub: Faults;
let storage: Faults;
let client: TestClient;
let registry: Registry;
/** As in the URL of an image. */
let secret: string;

beforeEach(async () => {
  secret = randomUUID();
  hub = await startFaults();
  storage = await startFaults();
  open({});
});
afterEach(async () => {
  await client.close();
  await hub.close();
  await storage.close();
});

function open({ hmac = false }: { readonly hmac?: boolean }): void {
  const login = { origin: hub.url.origin, username: "vanessa", token: new Secret(TOKEN) };
  client = testClient(hmac ? { hmac: login } : {});
  registry = createShubRegistry({
    name: "the hub",
    base: hub.url,
    transport: client,
    hmac,
    retry: { base: 1, cap: 2 },
  });
}

const json = (status: number, value: unknown): Fault =>
  reply(status, { headers: JSON_TYPE, body: JSON.stringify(value) });

function manifest(more: object = {}): object {
  const image = `${hub.url}containers/4/download/${secret}`;
  return { id: 4, name: "app", image, tag: "v1", version: `sha256.${SHA256}`, collection: "lab", ...more };
}

function named(text: string): PlacedReference {
  const reference = parseReference(text);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}

const resolve = (text = "shub://lab/app:v1"): Promise<ImageInfo> => registry.resolve(named(text), {}, call);

async function bytesOf(part: BodyPart): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of part.body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

async function read(range: ByteRange = { start: 0 }): Promise<readonly [number, number | undefined, string]> {
  const part = await registry.read(await resolve(), range, call);
  return [part.start, part.total, await bytesOf(part)];
}

describe("the record", () => {
  it("gives digest and time, and is asked for without a login", async () => {
    open({ hmac: true });
    const created = "2026-11-20T20:39:24.834339-06:00";
    hub.on({}, json(200, manifest({ add_date: created, metrics: {}, frozen: false, metadata: { pushSecret: "x" } })));
    expect(await resolve()).toEqual({
      reference: named("shub://lab/app:v1"),
      size: undefined,
      digest: `sha256:${SHA256}`,
      architecture: undefined,
      mediaType: undefined,
      created,
      annotations: {},
    });
    expect(hub.requests.map(({ method, path, headers }) => [method, path, headers["authorization"]])).toEqual([
      ["GET", "/api/container/lab/app:v1", undefined],
    ]);
  });

  it("is known by more than the newest server: Hinkskalle's has three members, Singularity Hub's a commit", async () => {
    hub.on({ times: 1 }, json(200, { image: "/x", name: "app", tag: "v1" }));
    hub.on({ times: 1 }, json(200, manifest({ id: "4", version: MD5, commit: "a".repeat(40), size: 17 })));
    expect((await resolve()).digest).toBeUndefined();
    const image = await resolve();
    expect([image.digest, image.size]).toEqual([undefined, 17]);
  });

  it.each([
    ["shub://lab/app", "/api/container/lab/app:latest"],
    ["shub://Lab/App:V1", "/api/container/Lab/App:V1"],
    [`shub://lab/app@${MD5}`, `/api/container/lab/app@${MD5}`],
    [`shub://lab/app@sha256.${SHA256}`, `/api/container/lab/app@sha256.${SHA256}`],
  ])("of %s is at %s", async (text, path) => {
    hub.on({}, json(200, manifest({ commit: MD5 })));
    await resolve(text);
    expect(hub.requests.map((request) => request.path)).toEqual([path]);
  });

  it("is below the path of the server's address", async () => {
    registry = createShubRegistry({ base: new URL(`${hub.url}hub/`), transport: client });
    hub.on({ path: /^\/hub\/api\/container\/lab\/app:v1$/ }, json(200, manifest()));
    expect((await resolve()).digest).toBe(`sha256:${SHA256}`);
    expect(registry.name).toBe(`shub server ${hub.host}`);
  });
});

describe("a no", () => {
  const failure = (): ReturnType<typeof failureOf> => failureOf(resolve());

  it("200 and the number 429 is the weekly limit", async () => {
    hub.on({}, json(200, 429));
    expect(await failure()).toEqual({
      code: "RATE_LIMITED",
      message: "the hub: the weekly download limit of shub://lab/app:v1 or its collection is reached",
      hint: "try again in some days, or pull it by library:// if the server has it there",
    });
    expect(hub.requests).toHaveLength(1);
  });

  it("403 with a page is the daily limit, and not a matter of rights", async () => {
    open({ hmac: true });
    hub.on({}, HTML);
    expect(await failure()).toMatchObject({
      code: "RATE_LIMITED",
      message: "the hub lets this machine ask no more today (its daily limit is reached)",
    });
    expect(hub.requests).toHaveLength(1);
  });

  it("429 with a long Retry-After is told with its time, and not waited for", async () => {
    hub.on({}, tooMany(86_398));
    const { code, message } = await failure();
    expect(code).toBe("RATE_LIMITED");
    expect(message).toMatch(/it asks to be left alone for 86398 s, until \d{4}-/);
    expect(hub.requests).toHaveLength(1);
  });

  it("404 is not found, whatever it comes with", async () => {
    hub.on({ times: 1 }, json(404, { detail: "Not found." }));
    hub.on({ times: 1 }, reply(404, { headers: { "content-type": "text/html" }, body: "<html>" }));
    const expected = { code: "NOT_FOUND", message: "the hub has no shub://lab/app:v1" };
    expect(await failure()).toMatchObject(expected);
    expect(await failure()).toMatchObject(expected);
  });

  it("a web page with 200 is no record", async () => {
    hub.on({}, reply(200, { headers: { "content-type": "text/html; charset=utf-8" }, body: "<title>Log in</title>" }));
    expect(await failure()).toEqual({
      code: "REPLY_INVALID",
      message: "the hub answered with a web page (Log in) where the record of shub://lab/app:v1 was expected",
      hint: `look at ${hub.url.href}: it may be no shub server, or ask for a login in the browser`,
    });
  });

  it.each([["true"], ["[]"], ['{"image":4}'], ["{"], ["null"]])("%s is no record either", async (body) => {
    hub.on({}, reply(200, { headers: JSON_TYPE, body }));
    expect((await failure()).code).toBe("REPLY_INVALID");
  });

  it("from Singularity Hub says that it is archived", async () => {
    const base = new URL("https://singularity-hub.org");
    const transport = { send: () => client.send({ ...ASKED, url: hub.url }), close: client.close };
    registry = createShubRegistry({ base, transport, retry: { base: 1, cap: 2 } });
    hub.on({}, reply(500));
    expect((await failure()).hint).toBe(
      "Singularity Hub is archived since 2021; for another server name its host: shub://HOST/collection/name:tag",
    );
  });
});

const ASKED = {
  method: "GET",
  accept: [200],
  auth: { kind: "none" },
  retry: "never",
  signal: new AbortController().signal,
} as const;

describe("a private image", () => {
  const unsigned = { when: ({ headers }: { headers: object }) => !("authorization" in headers) };
  const wanted = json(403, { detail: "Authentication Required" });

  it("without a login says how to log in", async () => {
    hub.on({}, wanted);
    expect(await failureOf(resolve())).toEqual({
      code: "UNAUTHORIZED",
      message: "shub://lab/app:v1 is private at the hub, and no login is known for it (Authentication Required)",
      hint: `sregistry remote add --insecure NAME ${hub.host}, which asks for the token`,
    });
  });

  it("is asked for again with a signature, of the name in the URL", async () => {
    open({ hmac: true });
    hub.on(unsigned, wanted);
    hub.on({}, json(200, manifest()));
    expect((await resolve()).digest).toBe(`sha256:${SHA256}`);
    expect(hub.requests.map(({ headers }) => headers["authorization"])).toEqual([
      undefined,
      expect.stringMatching(/^SREGISTRY-HMAC-SHA256 Credential=pull\/dmFuZXNzYQ==\//),
    ]);
  });

  it("is signed for latest when the URL has no tag", async () => {
    open({ hmac: true });
    const { hmacSignature } = await import("../../src/hmac.ts");
    hub.on(unsigned, wanted);
    hub.on({}, json(200, manifest()));
    await resolve(`shub://lab/app@sha256.${SHA256}`);
    const [, hour = "", signature] =
      /\/(\w+),Signature=(\w+)/.exec(hub.requests[1]?.headers["authorization"] ?? "") ?? [];
    const words = { action: "pull", collection: "lab", name: "app", tag: "latest" };
    expect(signature).toBe(hmacSignature(TOKEN, words, hour));
  });

  it("of somebody else is forbidden", async () => {
    open({ hmac: true });
    hub.on(unsigned, wanted);
    hub.on({}, json(403, { detail: "Unauthorized" }));
    expect(await failureOf(resolve())).toMatchObject({
      code: "FORBIDDEN",
      message: "shub://lab/app:v1 is private at the hub, and the login is not let in (Unauthorized)",
    });
  });

  it.each([
    ["200 and the number 400", json(200, 400)],
    ["500 and a page", reply(500, { headers: { "content-type": "text/html" }, body: "<h1>Server Error</h1>" })],
  ])("%s means that the signature is not taken", async (_words, refusal) => {
    open({ hmac: true });
    hub.on(unsigned, wanted);
    hub.on({}, refusal);
    expect(await failureOf(resolve())).toEqual({
      code: "UNAUTHORIZED",
      message: "the hub does not take the signature for shub://lab/app:v1: user name, token or clock are wrong",
      hint: `compare the token with the one at ${hub.url.origin}/token, then: sregistry remote add --insecure NAME ${hub.host}, which asks for the token`,
    });
    expect(hub.requests).toHaveLength(2);
  });

  it("is signed again when the full hour struck before the number 400", async () => {
    open({ hmac: true });
    const date = (hours: number) => ({ ...JSON_TYPE, date: new Date(Date.now() + hours * 3_600_000).toUTCString() });
    hub.on(unsigned, reply(403, { headers: date(0), body: '{"detail":"Authentication Required"}' }));
    hub.on({ times: 1 }, reply(200, { headers: date(1), body: "400" }));
    hub.on({}, json(200, manifest()));
    expect((await resolve()).digest).toBe(`sha256:${SHA256}`);
    expect(hub.requests).toHaveLength(3);
  });
});

describe("a pin", () => {
  it("by digest holds the server to it, which passes versions over", async () => {
    hub.on({}, json(200, manifest()));
    expect(await failureOf(resolve(`shub://lab/app@sha256.${"0".repeat(64)}`))).toEqual({
      code: "NOT_FOUND",
      message: `the hub does not have shub://lab/app@sha256:${"0".repeat(64)}: what it gives is sha256.${SHA256}`,
      hint: "servers of this protocol keep one image for a tag, and may pass over a version: name the tag",
    });
    expect((await resolve(`shub://lab/app@sha256.${SHA256}`)).digest).toBe(`sha256:${SHA256}`);
  });

  it("by digest is what the download is held to when the server knows an md5 only", async () => {
    hub.on({}, json(200, manifest({ version: MD5 })));
    expect((await resolve(`shub://lab/app@sha256.${SHA256}`)).digest).toBe(`sha256:${SHA256}`);
  });

  it("by version or commit is compared with both", async () => {
    const commit = "c".repeat(40);
    hub.on({}, json(200, manifest({ version: MD5, commit })));
    expect((await resolve(`shub://lab/app@${MD5}`)).digest).toBeUndefined();
    expect((await resolve(`shub://lab/app@${commit}`)).digest).toBeUndefined();
    expect(await failureOf(resolve(`shub://lab/app@${"d".repeat(40)}`))).toMatchObject({
      code: "NOT_FOUND",
      message: `the hub does not have shub://lab/app@${"d".repeat(40)}: what it gives is ${MD5}, commit ${commit}`,
    });
  });

  it("by version is not taken on trust from a server that names none", async () => {
    hub.on({}, json(200, { image: "/x" }));
    expect(await failureOf(resolve(`shub://lab/app@${MD5}`))).toMatchObject({
      code: "INTEGRITY",
      message: `the hub does not say which version it has of shub://lab/app@${MD5}`,
    });
  });
});

describe("the image", () => {
  it("comes whole where ranges are not known, by GET alone, without a login", async () => {
    open({ hmac: true });
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(200, { headers: { "content-type": "application/img" }, body: BYTES }));
    expect(await read({ start: 4, end: 9 })).toEqual([0, BYTES.length, BYTES.toString()]);
    expect(
      hub.requests.slice(1).map(({ method, headers }) => [method, headers["authorization"], headers["range"]]),
    ).toEqual([["GET", undefined, "bytes=4-8"]]);
  });

  it("comes in ranges where they are", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(206, { headers: { "content-range": "bytes 4-8/17" }, body: BYTES.subarray(4, 9) }));
    expect(await read({ start: 4, end: 9 })).toEqual([4, 17, "image"]);
  });

  it.each([["bytes 0-4/17"], ["bytes 4-7/17"], ["none"]])("in the range %s is not the one asked for", async (range) => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(206, { headers: { "content-range": range }, body: BYTES.subarray(4, 9) }));
    expect(await failureOf(read({ start: 4, end: 9 }))).toMatchObject({
      code: "REPLY_INVALID",
      message: `${hub.host} was asked for bytes 4-8 of shub://lab/app:v1 and sent ${range}`,
    });
  });

  it("behind a 404 was pushed by the library protocol", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(404, { headers: { "content-type": "text/html" }, body: "<h1>Not Found</h1>" }));
    expect(await failureOf(read())).toEqual({
      code: "NOT_FOUND",
      message:
        "the hub has a record of shub://lab/app:v1 and not its file: it was pushed by the library protocol, or is lost",
      hint: "pull it by library://",
    });
  });

  it("behind an empty 403 is over the limit", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(403));
    expect((await failureOf(read())).code).toBe("RATE_LIMITED");
  });

  it("behind a 500 is asked for once: each request counts, and the file stays lost", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(500, { headers: { "content-type": "text/html" }, body: "<h1>Server Error</h1>" }));
    expect(await failureOf(read())).toMatchObject({
      code: "SERVER_ERROR",
      message: "the hub failed to send shub://lab/app:v1 (status 500): its file may be lost",
    });
    expect(hub.requests).toHaveLength(2);
  });

  it("that comes as a part though all was asked for is refused without its bytes in the message", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(206, { headers: { "content-range": "bytes 0-4/5" }, body: BYTES.subarray(0, 5) }));
    expect(await failureOf(read())).toEqual({
      code: "REPLY_INVALID",
      message: `${hub.host} sent a part of shub://lab/app:v1, which was to come as a whole`,
    });
  });

  it("is no web page", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest()));
    hub.on({}, reply(200, { headers: { "content-type": "text/html" }, body: "<h1>Log in</h1>" }));
    expect(await failureOf(read())).toMatchObject({ code: "REPLY_INVALID" });
  });

  it("has the size that its record tells", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest({ size: 16 })));
    hub.on({}, reply(200, { body: BYTES }));
    expect(await failureOf(read())).toMatchObject({
      code: "INTEGRITY",
      message: `shub://lab/app:v1 should have 16 bytes, and ${hub.host} announces 17`,
    });
  });

  it("at another host gets no credential, and may be redirected from there", async () => {
    open({ hmac: true });
    hub.on({}, json(200, manifest({ image: `${storage.url}first?sig=1` })));
    storage.on({ path: /first/ }, redirectTo("/second"));
    storage.on({}, reply(200, { body: BYTES }));
    expect(await read()).toEqual([0, BYTES.length, BYTES.toString()]);
    expect(storage.requests.map(({ path, headers }) => [path, headers["authorization"]])).toEqual([
      ["/first?sig=1", undefined],
      ["/second", undefined],
    ]);
  });

  it("whose URL holds the collection's secret shows it in no log and no error", async () => {
    hub.on({ path: /^\/api/ }, json(200, manifest({ image: `/containers/4/download/${secret}?secret=${secret}` })));
    hub.on({ times: 1 }, redirectTo(`/elsewhere/${secret}`));
    hub.on({ times: 1 }, ({ seen, response }) => {
      response.writeHead(416).end(`what is ${hub.url.origin}${seen.path}?`);
    });
    const failure: SregistryError | undefined = await read({ start: 99 }).then(
      () => undefined,
      (error) => error,
    );
    expect(hub.requests.at(-1)?.path).toContain(secret);
    expect(failure?.message).toContain("what is");
    expect([...client.lines, failure?.message].join("\n")).not.toContain(secret);
  });
});

describe("its URL", () => {
  const at = async (base: string, image: string): Promise<string> =>
    (await imageUrl({ base: new URL(base), name: "hub" }, image)).href;

  it("of a server that was not told its name is the one that we know it by", async () => {
    expect(await at("https://hub.org", "http://127.0.0.1/containers/4/download/s?x=1")).toBe(
      "https://hub.org/containers/4/download/s?x=1",
    );
    expect(await at("https://hub.org:8443", "http://hub.org/containers/4/download/s")).toBe(
      "https://hub.org:8443/containers/4/download/s",
    );
    expect(await at("http://127.0.0.1:8088", "http://127.0.0.1:9000/c")).toBe("http://127.0.0.1:9000/c");
    expect(await at("https://hub.org", "/c/d")).toBe("https://hub.org/c/d");
    expect(await at("https://hub.org", "https://cdn.org/c#part")).toBe("https://cdn.org/c");
  });

  it.each([
    ["https://hub.org", "http://cdn.org/x", "hub.org sends the download from https to plain http (cdn.org)"],
    ["https://93.184.216.34", "https://169.254.169.254/x", "93.184.216.34 sends the download to 169.254.169.254"],
    ["https://93.184.216.34", "https://10.0.0.1/x", "93.184.216.34 sends the download to 10.0.0.1"],
    ["https://hub.org", "file:///etc/passwd", "hub says that the image is at an address which is no http(s) URL"],
    ["https://hub.org", "https://me:pw@cdn.org/x", "hub says that the image is at an address which is no http(s) URL"],
    ["https://hub.org", "http://[", "hub says that the image is at an address which is no http(s) URL"],
  ])("is not asked when %s gives %s", async (base, image, words) => {
    const { code, message } = await failureOf(at(base, image));
    expect([code, message.slice(0, words.length)]).toEqual(["REPLY_INVALID", words]);
  });
});
