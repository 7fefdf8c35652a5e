import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../src/secret.ts";
import { cutResponse, type Faults, reply, startFaults } from "../support/faults.ts";
import { failureOf, requestTo, type TestClient, testClient } from "../support/http.ts";

let registry: Faults;
let client: TestClient;

beforeEach(async () => {
  registry = await startFaults();
  client = testClient();
});

afterEach(async () => {
  await client.close();
  await registry.close();
});

const failure = (path = "/v2/x") => failureOf(client.send(requestTo(new URL(path, registry.url))));

describe("a status nobody accepts", () => {
  test.each([
    [400, "REFUSED"],
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
    [404, "NOT_FOUND"],
    [405, "UNSUPPORTED"],
    [407, "UNAUTHORIZED"],
    [408, "TIMEOUT"],
    [409, "CONFLICT"],
    [413, "REFUSED"],
    [416, "REFUSED"],
    [429, "RATE_LIMITED"],
    [500, "SERVER_ERROR"],
    [501, "UNSUPPORTED"],
    [503, "SERVER_ERROR"],
    [599, "SERVER_ERROR"],
    [204, "REFUSED"],
  ])("%d is %s", async (status, code) => {
    registry.on({}, reply(status));
    expect((await failure()).code).toBe(code);
  });

  test("is told with the server's words, its request id and no secret", async () => {
    const secret = new Secret("hunter2hunter2");
    registry.on(
      {},
      reply(404, {
        body: `{"errors":[{"code":"NAME_UNKNOWN","message":"no ${secret.reveal()}"}]}`,
        headers: { "X-GitHub-Request-Id": "A:1" },
      }),
    );
    expect(await failure("/v2/x?token=abcdefgh&n=1")).toEqual({
      code: "NOT_FOUND",
      message: `Error response from ${registry.host}: NAME_UNKNOWN: no *** (status 404, GET ${registry.url}v2/x?token=***&n=1, request id A:1)`,
      hint: `check the name; a private one needs: sregistry login ${registry.host}`,
    });
    expect(client.lines.join("\n")).not.toContain("abcdefgh");
  });

  test("without words is told by its name", async () => {
    registry.on({}, reply(502));
    expect((await failure()).message).toBe(
      `Error response from ${registry.host}: Bad Gateway (status 502, GET ${registry.url}v2/x)`,
    );
  });

  test("of the server's own (500) comes with something to do", async () => {
    registry.on({}, reply(500));
    expect((await failure()).hint).toBe(`try again later; if it stays, tell the administrator of ${registry.host}`);
  });

  test("of a tag that is frozen says that another one is to be taken", async () => {
    registry.on({}, reply(409, { body: '{"errors":[{"code":"DENIED","message":"lab/tool:1 is frozen"}]}' }));
    expect(await failure()).toMatchObject({
      code: "CONFLICT",
      hint: "take another tag: this one stays as it is until its owner changes that",
    });
  });

  test("of Docker Hub's quota names it", async () => {
    registry.on(
      {},
      reply(429, {
        body: '{"message":"toomanyrequests"}',
        headers: { "ratelimit-limit": "100;w=21600", "docker-ratelimit-source": "192.0.2.7" },
      }),
    );
    expect((await failure()).message).toBe(
      `Error response from ${registry.host}: toomanyrequests (status 429, GET ${registry.url}v2/x, quota 100 in 6 h for 192.0.2.7)`,
    );
  });

  test("of many megabytes is read to the cap only, and one that breaks off still tells the status", async () => {
    registry.on({ path: /long/ }, reply(500, { body: `<title>too much</title>${"x".repeat(20_000_000)}` }));
    expect((await failure("/long")).message).toContain(": too much (status 500");
    const upstream = await startFaults();
    const broken = await startFaults({ upstream: upstream.url });
    upstream.on({}, reply(404, { body: "x".repeat(1000) }));
    broken.on({}, cutResponse({ after: 10, how: "rst" }));
    expect(await failureOf(client.send(requestTo(broken.url)))).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining(": Not Found (status 404"),
    });
    await broken.close();
    await upstream.close();
  });
});

test("what a registry warns of is shown once", async () => {
  registry.on({}, reply(200, { headers: { warning: '299 - "this \\"API\\" goes away", 299 - "be quick"' } }));
  for (const path of ["/a", "/b"]) await client.send(requestTo(new URL(path, registry.url)));
  expect(client.lines.filter((line) => line.startsWith("warn"))).toEqual([
    `warn: ${registry.host} says: this "API" goes away`,
    `warn: ${registry.host} says: be quick`,
  ]);
});

test("--debug shows what goes over the wire, without secrets", async () => {
  registry.on({}, reply(200, { headers: { "set-cookie": "session=1234567", "x-a": "b" } }));
  const url = new URL("/v2/?X-Amz-Signature=feedbeef&n=1", registry.url);
  await client.send(requestTo(url, { headers: { authorization: "Bearer abcdefghij", "x-b": "c" } }));
  const lines = client.lines.map((line) => line.replace(/in \d+ ms/, "in N ms").replace(/date: [^|]+ GMT/, "date: D"));
  expect(lines).toEqual([
    `debug: > GET ${registry.url}v2/?X-Amz-Signature=***&n=1 [authorization: Bearer *** | x-b: c]`,
    `debug: < 200 GET ${registry.url}v2/?X-Amz-Signature=***&n=1 in N ms [content-length: 0 | set-cookie: *** | x-a: b | date: D | connection: keep-alive | keep-alive: timeout=5]`,
  ]);
});
