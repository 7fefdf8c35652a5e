import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readCapped } from "../../src/http/body.ts";
import { redirect } from "../../src/http/redirect.ts";
import type { HttpRequest, HttpResponse, Transport } from "../../src/http/transport.ts";
import { cutResponse, type Faults, redirectTo, reply, startFaults } from "../support/faults.ts";
import { basic, failureOf, knows, requestTo, type TestClient, testClient } from "../support/http.ts";

let registry: Faults;
let storage: Faults;
let client: TestClient;

beforeEach(async () => {
  registry = await startFaults();
  storage = await startFaults();
  client = testClient({ credentials: knows(registry.host, basic("alice", "open sesame")) });
});

afterEach(async () => {
  await client.close();
  await registry.close();
  await storage.close();
});

function ask(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return requestTo(new URL(path, registry.url), {
    auth: { kind: "registry", repository: "lab/tool", scopes: [] },
    ...more,
  });
}

describe("followed by hand", () => {
  test.each([301, 302, 303, 307, 308])(
    "a %d to storage takes along the allow-list and nothing else",
    async (status) => {
      registry.on(
        { when: ({ headers }) => headers["authorization"] === undefined },
        reply(401, { headers: { "www-authenticate": "Basic" } }),
      );
      registry.on({}, redirectTo(`${storage.url}blob?sig=1#part`, status));
      storage.on({}, reply(206, { body: "bytes" }));
      const headers = {
        Accept: "a/b",
        Range: "bytes=5-",
        "If-Range": '"e"',
        "X-Auth-Token": "t0ken",
        Cookie: "session=1",
        "x-amz-security-token": "aws",
        "Private-Token": "gl",
      };
      const response = await client.send(ask("/v2/blobs/x", { headers, accept: [206] }));
      expect(response.url.href).toBe(`${storage.url}blob?sig=1`);
      expect((await readCapped(response, 10)).toString()).toBe("bytes");
      expect(storage.requests.map(({ method, path, headers }) => [method, path, headers])).toEqual([
        [
          "GET",
          "/blob?sig=1",
          {
            host: storage.host,
            connection: "keep-alive",
            "user-agent": "sregistry/test",
            "accept-encoding": "identity",
            accept: "a/b",
            range: "bytes=5-",
            "if-range": '"e"',
          },
        ],
      ]);
    },
  );

  test("storage that asks for a login gets none", async () => {
    registry.on({}, redirectTo(storage.url.href));
    storage.on({}, reply(401, { headers: { "www-authenticate": 'Basic realm="your password, please"' } }));
    expect((await failureOf(client.send(ask("/v2/blobs/x")))).code).toBe("UNAUTHORIZED");
    expect(storage.requests.map(({ headers }) => headers["authorization"])).toEqual([undefined]);
  });

  test("nor does the registry itself when storage sends back to it", async () => {
    registry.on({ path: /first/ }, redirectTo(storage.url.href));
    storage.on({}, redirectTo(`${registry.url}second`));
    registry.on({ path: /second/ }, reply(200));
    await client.send(ask("/first", { headers: { authorization: "Bearer mine" } }));
    expect(registry.requests.map(({ headers }) => headers["authorization"])).toEqual(["Bearer mine", undefined]);
  });

  test("within the origin everything goes along", async () => {
    registry.on({ path: /^\/old/ }, redirectTo("/new", 308));
    registry.on({}, reply(201));
    const body = { size: 3, open: () => Buffer.from("abc") };
    await client.send(ask("/old", { method: "PUT", headers: { authorization: "Bearer mine" }, body, accept: [201] }));
    expect(
      registry.requests.map(({ method, path, headers, bodyText }) => [
        method,
        path,
        headers["authorization"],
        bodyText,
      ]),
    ).toEqual([
      ["PUT", "/old", "Bearer mine", "abc"],
      ["PUT", "/new", "Bearer mine", "abc"],
    ]);
  });

  test("a resumed or repeated read begins at the registry again", async () => {
    let signed = 0;
    registry.on(
      {},
      redirectTo(() => {
        signed += 1;
        return `${storage.url}blob?sig=${signed}`;
      }),
    );
    storage.on({ times: 1 }, reply(503));
    storage.on({}, reply(200));
    await client.send(ask("/v2/blobs/x", { retry: "safe" }));
    expect(storage.requests.map(({ path }) => path)).toEqual(["/blob?sig=1", "/blob?sig=2"]);
  });
});

describe("not followed", () => {
  test("circles, endless ways, no Location", async () => {
    registry.on({ path: /circle/ }, redirectTo("/circle#again"));
    registry.on(
      { path: /endless/ },
      redirectTo((path) => `${path}x`),
    );
    registry.on({ path: /nowhere/ }, reply(302));
    registry.on({ path: /strange/ }, redirectTo("file:///etc/passwd"));
    registry.on({ path: /userinfo/ }, redirectTo(`http://a:b@${storage.host}/`));
    expect(await failureOf(client.send(ask("/circle")))).toMatchObject({
      code: "REPLY_INVALID",
      message: `${registry.host} redirects in a circle (GET /circle)`,
    });
    expect(await failureOf(client.send(ask("/endless")))).toMatchObject({
      code: "REPLY_INVALID",
      message: `${registry.host} redirects more than 10 times (GET /endless)`,
    });
    for (const path of ["/nowhere", "/strange", "/userinfo"]) {
      expect(await failureOf(client.send(ask(path)))).toMatchObject({
        code: "REPLY_INVALID",
        message: `${registry.host} answered ${path === "/nowhere" ? 302 : 307} without an http(s) Location to follow`,
      });
    }
    expect(registry.count({ path: /endless/ })).toBe(11);
    expect(storage.requests).toEqual([]);
  });

  test("a body to another origin, or a POST that would become a GET", async () => {
    const body = { size: 3, open: () => Buffer.from("abc") };
    registry.on({ path: /away/ }, redirectTo(storage.url.href));
    registry.on({ path: /here/ }, redirectTo("/v2/", 303));
    for (const path of ["/away", "/here"]) {
      expect(await failureOf(client.send(ask(path, { method: "POST", body })))).toMatchObject({ code: "REFUSED" });
    }
    expect([storage.count(), registry.count()]).toEqual([0, 2]);
  });

  test("when the caller wants to see the redirect itself", async () => {
    registry.on({}, redirectTo(storage.url.href));
    const response = await client.send(ask("/v2/blobs/x", { method: "HEAD", redirect: "never", accept: [200, 307] }));
    expect([response.status, response.headers.get("location"), storage.count()]).toEqual([307, storage.url.href, 0]);
  });
});

describe("where a redirect may lead", () => {
  /** A transport that answers every request to `from` with a redirect, and anything else with 200. */
  function scripted(
    from: string,
    to: string,
    addresses: readonly string[],
  ): { transport: Transport; request: HttpRequest } {
    const send = async ({ url }: HttpRequest): Promise<HttpResponse> => ({
      status: url.href === from ? 302 : 200,
      headers: new Map([["location", to]]),
      url,
      body: Readable.from([]),
    });
    const transport = redirect({ send, close: async () => {} }, { resolve: async () => addresses });
    return { transport, request: requestTo(new URL(from)) };
  }

  test.each([
    ["https://reg.example/", "https://cdn.example/", [], "followed"],
    ["http://reg.example/", "https://cdn.example/", [], "followed"],
    ["https://reg.example/", "http://reg.example/", [], "refused"],
    ["https://reg.example/", "http://cdn.example/", [], "refused"],
    ["https://reg.example/", "https://127.0.0.1/", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://localhost/", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://[::1]/", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://169.254.169.254/latest/meta-data", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://[::ffff:169.254.169.254]/", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://2130706433/", ["10.0.0.1"], "refused"],
    ["https://reg.example/", "https://10.0.0.9:9000/", ["93.184.216.34"], "refused"],
    ["https://reg.example/", "https://10.0.0.9:9000/", ["10.0.0.1", "93.184.216.34"], "refused"],
    ["https://reg.example/", "https://10.0.0.9:9000/", [], "refused"],
    ["https://93.184.216.34/", "https://10.0.0.9:9000/", [], "refused"],
    ["https://reg.lab/", "https://10.0.0.9:9000/", ["10.0.0.1"], "followed"],
    ["http://10.0.0.1:5000/", "http://10.0.0.9:9000/", [], "followed"],
    ["http://10.0.0.1:5000/", "http://127.0.0.1:9000/", [], "refused"],
    ["http://localhost:5000/", "http://127.0.0.1:9000/", [], "followed"],
    ["http://127.0.0.1:5000/", "http://10.0.0.9:9000/", [], "followed"],
  ] as const)("%s -> %s (%j): %s", async (from, to, addresses, expected) => {
    const { transport, request } = scripted(from, to, addresses);
    const outcome = await transport.send(request).then(
      ({ url }) => (url.href === new URL(to).href ? "followed" : url.href),
      (error: unknown) => (error instanceof Error && error.message.includes("not followed") ? "refused" : error),
    );
    expect(outcome).toBe(expected);
  });
});

test("a redirect whose body breaks is still a redirect", async () => {
  const upstream = await startFaults();
  const broken = await startFaults({ upstream: upstream.url });
  upstream.on({ path: /from/ }, reply(307, { headers: { location: "/to" }, body: "x".repeat(5000) }));
  upstream.on({}, reply(200, { body: "there" }));
  broken.on({ path: /from/ }, cutResponse({ after: 100, how: "rst" }));
  const response = await client.send(requestTo(new URL("/from", broken.url)));
  expect((await readCapped(response, 10)).toString()).toBe("there");
  await broken.close();
  await upstream.close();
});

test("a redirect to a host that is not there does not blame a name that nobody typed", async () => {
  registry.on({}, redirectTo("http://127.0.0.1:1/sso", 302));
  expect(await failureOf(client.send(ask("/v2/", { retry: "never" })))).toMatchObject({
    code: "NETWORK",
    message: `${registry.host} redirected to 127.0.0.1:1: 127.0.0.1:1 refused the connection: nothing listens there`,
    hint: `is ${registry.host} the registry's address, or does it want a login in the browser?`,
  });
});
