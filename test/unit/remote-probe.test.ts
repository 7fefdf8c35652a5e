/** What a server is found to speak, and for how long that is believed. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Spoken, whatSpeaks } from "../../src/remote/probe.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { failureOf, type TestClient, testClient } from "../support/http.ts";

const HOUR = 60 * 60 * 1000;
const signal = new AbortController().signal;
const HTML = { "content-type": "text/html" };

let folder: string;
let memo: string;
let server: Faults;
let client: TestClient;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-probe-"));
  memo = join(folder, "cache", "endpoints.json");
  server = await startFaults();
  client = testClient();
});
afterEach(async () => {
  await client.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const ask = (hours = 0): Promise<Spoken> =>
  whatSpeaks(client, server.url, { signal, memo, now: () => 1_000_000_000_000 + hours * HOUR });

/** `library sregistry oci`, and how many requests it took. */
async function spoken(hours = 0): Promise<string> {
  const before = server.requests.length;
  const { library, sregistry, oci } = await ask(hours);
  const words = [
    library === undefined ? "" : `library ${library.href}`,
    sregistry ? "sregistry" : "",
    oci ? "oci" : "",
  ];
  return `${words.filter((word) => word !== "").join(", ")} (${server.requests.length - before})`.replaceAll(
    server.url.href,
    "/",
  );
}

const on = (path: string, status: number, body = "", headers: Record<string, string> = {}): void =>
  server.on({ path: new RegExp(`^${path}$`) }, reply(status, { body, headers }));
const CONFIG = "/assets/config/config.prod.json";
const VERSION = '{"data":{"version":"v1.0.0","apiVersion":"2.0.0-alpha.1"}}';

const asLibrary = (): void => on(CONFIG, 200, JSON.stringify({ libraryAPI: { uri: server.url.origin } }), HTML);
const asRegistry = (): void =>
  on("/v2/", 401, "{}", { "www-authenticate": 'Bearer realm="https://auth.example.org/token"' });

it("finds Singularity Registry Server, in two questions", async () => {
  asLibrary();
  on("/api/registry/identity/", 200, '{"name":"Test Registry","id":"taco"}');
  expect(await spoken()).toBe("library /, sregistry (2)");
});

it("finds a library that is no Singularity Registry Server", async () => {
  asLibrary();
  on("/api/registry/identity/", 200, "<!doctype html>", HTML);
  expect(await spoken()).toBe("library / (2)");
});

it("finds the API of a library by its own address, with all that the server says of its services", async () => {
  on("/version", 200, VERSION);
  expect(await spoken()).toBe("library / (3)");
});

it("asks for OCI only where there is no library", async () => {
  asRegistry();
  expect(await spoken()).toBe("oci (3)");
});

it.each([
  ["200 without any header", 200, {}, true],
  ["401 with Docker's header", 401, { "docker-distribution-api-version": "registry/2.0" }, true],
  ["401 with a challenge", 401, { "www-authenticate": 'Basic realm="x"' }, true],
  ["401 of anything else", 401, {}, false],
  ["403", 403, {}, false],
  ["404", 404, {}, false],
])("holds %s at /v2/ for what it is", async (_what, status, headers: Record<string, string>, oci) => {
  on("/v2/", status, "{}", headers);
  expect(await ask()).toEqual({ library: undefined, services: {}, sregistry: false, oci });
});

it.each([
  ["a web page", "<!doctype html><title>Welcome to nginx!</title>", HTML, "a web page (Welcome to nginx!)"],
  ["nothing", "", {}, "an empty body"],
  ["a number", "42", {}, '"42"'],
])(
  "%s with 200, whatever is asked, is no OCI registry",
  async (_what, body, headers: Record<string, string>, instead) => {
    server.on({}, reply(200, { body, headers }));
    expect(await ask()).toEqual({ library: undefined, services: {}, sregistry: false, oci: false, instead });
  },
);

it("200 without a body is an OCI registry by Docker's header", async () => {
  on("/v2/", 200, "", { "docker-distribution-api-version": "registry/2.0" });
  expect(await ask()).toEqual({ library: undefined, services: {}, sregistry: false, oci: true });
});

it("remembers an answer for a day, in a private file", async () => {
  asLibrary();
  expect(await spoken()).toBe("library / (2)");
  expect(await spoken(23)).toBe("library / (0)");
  expect(await spoken(24)).toBe("library / (2)");
  // A clock that was put back proves nothing.
  expect(await spoken(2)).toBe("library / (2)");
  expect((await stat(memo)).mode & 0o777).toBe(0o600);
  expect(await ask(3)).toEqual({
    library: server.url,
    services: { library: server.url },
    sregistry: false,
    oci: false,
  });
});

it("remembers each address by itself, and the last two hundred", async () => {
  asRegistry();
  const old = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`https://h${n}.example.org/`, { services: {}, oci: true, at: 1 }]),
  );
  await ask();
  await writeFile(memo, JSON.stringify(old));
  await ask();
  const known = Object.keys(JSON.parse(await readFile(memo, "utf8")));
  expect(known).toHaveLength(200);
  expect(known.at(0)).toBe("https://h1.example.org/");
  expect(known.at(-1)).toBe(server.url.href);
});

it("does not remember a server that speaks nothing known: it may be wrong today", async () => {
  expect(await spoken()).toBe(" (3)");
  asLibrary();
  expect(await spoken()).toBe("library / (2)");
});

it("does not take a server that cannot be reached for one that speaks nothing", async () => {
  const { url } = server;
  await server.close();
  expect(await failureOf(whatSpeaks(client, url, { signal, memo }))).toMatchObject({ code: "NETWORK" });
  expect(await readdir(folder)).toEqual([]);
});

it("does not remember what a limit of requests a day hid", async () => {
  on(CONFIG, 403, "<h1>403 Forbidden</h1>", HTML);
  expect(await failureOf(ask())).toMatchObject({ code: "RATE_LIMITED" });
  on("/version", 200, VERSION);
  on("/api/registry/identity/", 200, "{}");
  expect(await spoken()).toBe("library /, sregistry (3)");
  expect(await spoken()).toBe("library /, sregistry (3)");
  server.clear();
  asLibrary();
  on("/api/registry/identity/", 403, "<h1>403 Forbidden</h1>", HTML);
  expect(await spoken()).toBe("library / (2)");
  expect(await spoken()).toBe("library / (2)");
});

it("finds an OCI registry behind a firewall that refuses other paths with a page", async () => {
  on(CONFIG, 403, "<h1>403</h1>", HTML);
  asRegistry();
  expect(await spoken()).toBe("oci (3)");
});

it("asks again where the memo makes no sense, and mends it", async () => {
  asLibrary();
  await ask();
  const { href } = server.url;
  for (const broken of [
    "",
    "{",
    "[]",
    JSON.stringify({ [href]: 7 }),
    JSON.stringify({ [href]: { at: "yesterday", services: {} } }),
    JSON.stringify({ [href]: { at: 1_000_000_000_000, services: [] } }),
    JSON.stringify({ [href]: { at: 1_000_000_000_000, services: {}, library: {} } }),
    `{"${href}":`.repeat(2000),
  ]) {
    await writeFile(memo, broken);
    expect(await spoken(), broken.slice(0, 60)).toBe("library / (2)");
    expect(await spoken()).toBe("library / (0)");
  }
});

it("survives any memo", async () => {
  asLibrary();
  await ask();
  const { href } = server.url;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        fc.json().map((json) => `{"${href}":${json}}`),
      ),
      async (text) => {
        await writeFile(memo, text);
        expect((await ask()).library?.href).toBe(href);
      },
    ),
    { numRuns: 30 },
  );
});

it("works without a memo where nothing can be written", async () => {
  asLibrary();
  await writeFile(join(folder, "cache"), "a file in the way");
  expect(await spoken()).toBe("library / (2)");
  expect(await spoken()).toBe("library / (2)");
});

it("what is optional and cannot be reached is asked for once, and no seconds are waited through", async () => {
  server.on({ method: "GET", path: /config\.prod\.json$/ }, reply(503));
  const asked = whatSpeaks(client, server.url, { signal, memo, retry: "never" });
  expect(await failureOf(asked)).toMatchObject({ code: "SERVER_ERROR" });
  expect(server.requests.length).toBe(1);
});
