/** What a server's discovery file says, and which of its services may be told the token. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HttpResponse, Transport } from "../../src/http/transport.ts";
import { discover, type Services, tokenMayGo } from "../../src/remote/discovery.ts";
import { type Faults, redirectTo, reply, startFaults } from "../support/faults.ts";
import { failureOf, type TestClient, testClient } from "../support/http.ts";

const CONFIG = "/assets/config/config.prod.json";
const signal = new AbortController().signal;
const HTML = { "content-type": "text/html; charset=utf-8" };

let server: Faults;
let client: TestClient;
let lines: string[];

beforeEach(async () => {
  server = await startFaults();
  client = testClient();
  lines = [];
});
afterEach(async () => {
  await client.close();
  await server.close();
});

const log = { info() {}, warn() {}, debug() {}, verbose: (text: string): void => void lines.push(text) };

/** Service -> address, without the slash at its end. */
function shown(services: Services | undefined): Readonly<Record<string, string>> | undefined {
  if (services === undefined) return undefined;
  return Object.fromEntries(Object.entries(services).map(([name, url]) => [name, String(url).replace(/\/$/, "")]));
}

const at = async (front: URL): Promise<unknown> => shown(await discover(client, front, { signal, log }));

/** The same answers under a name that has no server in a test. */
function under(front: string): Promise<Services | undefined> {
  const transport: Transport = {
    async send(request): Promise<HttpResponse> {
      const url = new URL(request.url.pathname, server.url);
      return client.send({ ...request, url });
    },
    close: () => client.close(),
  };
  return discover(transport, new URL(front), { signal, log });
}

const answers = (body: unknown): void =>
  server.on({ path: /config\.prod\.json/ }, reply(200, { body: JSON.stringify(body), headers: HTML }));

describe("discover", () => {
  it("reads the file of Sylabs' cloud, and asks for it without a login", async () => {
    answers({
      libraryAPI: { uri: "https://library.example.com", registryUri: "https://registry.example.com" },
      keystoreAPI: { uri: "https://keys.example.com" },
      builderAPI: { uri: "https://build.example.com", managerUri: "https://build.example.com" },
      consentAPI: { uri: "https://auth.example.com/consent" },
      tokenAPI: { uri: "https://auth.example.com/token" },
    });
    expect(await at(server.url)).toEqual({
      library: "https://library.example.com",
      registry: "https://registry.example.com",
      keyserver: "https://keys.example.com",
      token: "https://auth.example.com/token",
      builder: "https://build.example.com",
    });
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([`GET ${CONFIG}`]);
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it("reads JSON that is called text/html, as Singularity Registry Server sends it", async () => {
    answers({ libraryAPI: { uri: server.url.origin }, env: { name: "prod" }, auth: { requireHttps: false } });
    expect(await at(server.url)).toEqual({ library: server.url.origin });
  });

  it("asks below the path of an address that has one", async () => {
    server.on({ path: /^\/lab\/assets/ }, reply(200, { body: '{"libraryAPI":{"uri":"https://l.example.org"}}' }));
    expect(await at(new URL("/lab", server.url))).toEqual({ library: "https://l.example.org" });
  });

  it("goes where it is sent", async () => {
    server.on({ path: /^\/assets/ }, redirectTo("/elsewhere.json", 301));
    server.on({ path: /elsewhere/ }, reply(200, { body: '{"libraryAPI":{"uri":"https://l.example.org"}}' }));
    expect(await at(server.url)).toEqual({ library: "https://l.example.org" });
  });

  it.each([
    ["404", reply(404)],
    ["401 of an OCI registry", reply(401, { headers: { "www-authenticate": 'Bearer realm="https://t"' } })],
    ["403 of an OCI registry", reply(403, { body: '{"errors":[{"code":"DENIED"}]}' })],
    ["400", reply(400)],
    ["405", reply(405)],
    ["a web page", reply(200, { body: "<!doctype html><title>Harbor</title>", headers: HTML })],
    ["a word", reply(200, { body: "ok" })],
    ["nothing", reply(200)],
  ])("finds nothing where the answer is %s", async (_what, fault) => {
    server.on({}, fault);
    expect(await at(server.url)).toBeUndefined();
  });

  it.each([
    ["[]", "expected an object, got a list"],
    ['{"libraryAPI":', "not JSON"],
  ])("says what is wrong with %j", async (body, words) => {
    server.on({}, reply(200, { body }));
    expect(await failureOf(at(server.url))).toMatchObject({
      code: "REPLY_INVALID",
      message: `answer of ${server.host} to ${CONFIG}: ${words}`,
    });
  });

  it("passes over services that it cannot use", async () => {
    answers({
      libraryAPI: { uri: "ftp://library.example.com", registryUri: 7 },
      keystoreAPI: "https://keys.example.com",
      tokenAPI: { uri: "not a URL" },
      builderAPI: { uri: "https://me:pw@build.example.com" },
    });
    expect(await at(server.url)).toEqual({});
    expect(lines).toEqual([
      `${server.host} names an address for libraryAPI that is none: "ftp://library.example.com"`,
      `${server.host} names an address for tokenAPI that is none: "not a URL"`,
      `${server.host} names an address for builderAPI that is none: "https://me:pw@build.example.com"`,
    ]);
  });

  it("does not take the limit of 50 requests a day for a lack of rights", async () => {
    server.on({}, reply(403, { body: "<h1>403 Forbidden</h1>", headers: HTML }));
    expect(await failureOf(at(server.url))).toEqual({
      code: "RATE_LIMITED",
      message: `${server.host} refuses with a web page (status 403): a Singularity Registry Server that has reached its limit of requests a day does so`,
      hint: "try again tomorrow, or ask the administrator for a higher limit",
    });
  });

  it("does not read an answer without end", async () => {
    server.on({}, reply(200, { body: `{"a":"${"x".repeat(17 * 1024 * 1024)}"}` }));
    expect(await failureOf(at(server.url))).toMatchObject({ code: "REPLY_INVALID" });
  });

  it("asks a server where it was found when it says that it is at 127.0.0.1", async () => {
    answers({ libraryAPI: { uri: "http://127.0.0.1" }, tokenAPI: { uri: "http://localhost:8080" } });
    expect(shown(await under("https://containers.example.org"))).toEqual({
      library: "https://containers.example.org",
      token: "https://containers.example.org",
    });
    expect(shown(await under("http://10.0.0.7:8088"))).toEqual({
      library: "http://10.0.0.7:8088",
      token: "http://10.0.0.7:8088",
    });
  });

  it("knows the other names of this machine for one server", async () => {
    answers({ libraryAPI: { uri: "http://127.0.0.1:8088" }, keystoreAPI: { uri: "http://127.0.0.1:9" } });
    expect(shown(await under("http://localhost:8088"))).toEqual({
      library: "http://localhost:8088",
      keyserver: "http://127.0.0.1:9",
    });
  });

  it("does not go from https to a library without it", async () => {
    answers({ libraryAPI: { uri: "http://library.example.org" } });
    expect(await failureOf(under("https://containers.example.org"))).toEqual({
      code: "REFUSED",
      message: "containers.example.org has its libraryAPI at http://library.example.org, without https",
      hint: "the server's own address is misconfigured (DOMAIN_NAME at a Singularity Registry Server): tell its administrator",
    });
  });

  it("does without a keyserver that has no https", async () => {
    answers({ libraryAPI: { uri: "https://l.example.org" }, keystoreAPI: { uri: "http://keys.example.org" } });
    expect(shown(await under("https://containers.example.org"))).toEqual({ library: "https://l.example.org" });
    expect(lines).toEqual([
      "containers.example.org has its keystoreAPI at http://keys.example.org, without https: it is not used",
    ]);
  });
});

describe("tokenMayGo", () => {
  it.each([
    ["https://cloud.sylabs.io", "https://library.sylabs.io", [], true],
    ["https://cloud.sylabs.io", "https://auth.sylabs.io/token", [], true],
    ["http://10.0.0.7:8088", "http://10.0.0.7:8088", [], true],
    ["http://containers.page", "https://containers.page", [], true],
    ["http://containers.page:8080", "https://containers.page", [], false],
    ["http://containers.page", "https://library.containers.page", [], false],
    ["https://containers.page", "http://containers.page", [], false],
    ["https://containers.page", "https://evil.example", [], false],
    ["https://containers.page", "https://evilcontainers.page", [], false],
    ["https://containers.page", "https://containers.page.evil.example", [], false],
    ["https://lab.github.io", "https://evil.github.io", [], false],
    ["https://containers.page", "https://store.example.net", ["store.example.net"], true],
    ["http://10.0.0.7:8088", "http://10.0.0.7:9099", [], false],
    ["http://10.0.0.7:8088", "http://10.0.0.7:9099", ["10.0.0.7:9099"], true],
  ])("from %s to %s (vouched for: %j): %s", (front, service, trusted, may) => {
    expect(tokenMayGo(new URL(front), new URL(service), trusted)).toBe(may);
  });
});
