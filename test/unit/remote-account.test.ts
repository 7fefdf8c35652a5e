/** Whose a token is, and what a remote's services say of themselves, as the servers of this field answer. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { type Account, serviceStatus, verifyToken, whoAmI } from "../../src/remote/account.ts";
import type { Services } from "../../src/remote/discovery.ts";
import { Secret } from "../../src/secret.ts";
import { type Faults, redirectTo, reply, startFaults } from "../support/faults.ts";
import { failureOf, knows, type TestClient, testClient } from "../support/http.ts";

const TOKEN = "1eb5bc1daeca0f5a215ec242c9690209ca0b3d71";
const HTML = { "content-type": "text/html; charset=utf-8" };
const signal = new AbortController().signal;

let server: Faults;
let elsewhere: Faults;
let client: TestClient;

beforeEach(async () => {
  server = await startFaults();
  elsewhere = await startFaults();
  client = testClient({
    credentials: knows(server.host, { kind: "bearer", token: new Secret(TOKEN), from: "the test" }),
  });
});
afterEach(async () => {
  await client.close();
  await server.close();
  await elsewhere.close();
});

const on = (path: string, status: number, body = "", headers: Record<string, string> = {}): void =>
  server.on({ path: new RegExp(`^${path}$`) }, reply(status, { body, headers }));
const asked = (): readonly string[] =>
  server.requests.map(({ path, headers }) => `${path} ${headers["authorization"] ?? "-"}`);

describe("verifyToken", () => {
  const verify = (services: Services = { library: server.url }): Promise<void> => verifyToken(client, services, signal);

  it("shows the token at once: these servers answer 404, not 401, to whoever shows none", async () => {
    on("/v1/token-status", 200);
    await verify();
    expect(asked()).toEqual([`/v1/token-status Bearer ${TOKEN}`]);
  });

  it("asks the token service, below its path", async () => {
    on("/auth/token/v1/token-status", 200, "{}");
    await verify({ library: elsewhere.url, token: new URL("/auth/token", server.url) });
    expect(elsewhere.requests).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ["200 with an empty body, as Singularity Registry Server", {}, ""],
    ["200 with an empty body that Django calls HTML", HTML, ""],
    ["200 with the user, as Hinkskalle", {}, '{"status":"welcome","data":{"username":"vanessa"}}'],
  ])("believes %s", async (_what, headers, body) => {
    on("/v1/token-status", 200, body, headers);
    expect(await verify()).toBeUndefined();
  });

  it.each([
    ["404, as Singularity Registry Server", 404, {}, ""],
    ["404 that Django calls HTML", 404, HTML, ""],
    [
      "401 with a challenge, as Hinkskalle",
      401,
      { "www-authenticate": 'bearer realm="https://h.example.org/v2/"' },
      "{}",
    ],
    ["401 without one", 401, {}, ""],
    ["403", 403, {}, '{"detail":"Invalid token."}'],
  ])(
    "says in Singularity's words that a token is wrong at %s",
    async (_what, status, headers: Record<string, string>, body) => {
      on("/v1/token-status", status, body, headers);
      expect(await failureOf(verify())).toEqual({
        code: "UNAUTHORIZED",
        message: "while verifying token: error response from server: Invalid Token",
        hint: "generate a new one on the server's token page; nothing was stored",
      });
    },
  );

  it("does not believe a web page", async () => {
    for (const status of [200, 404]) {
      server.clear();
      on("/v1/token-status", status, "<!doctype html><title>Welcome</title>", HTML);
      expect(await failureOf(verify())).toMatchObject({
        code: "REPLY_INVALID",
        message: "while verifying token: 127.0.0.1:PORT answered with a web page".replace(
          "127.0.0.1:PORT",
          server.host,
        ),
      });
    }
  });

  it("does not believe another server, which was never shown the token", async () => {
    server.on({}, redirectTo(new URL("/login", elsewhere.url).href, 302));
    elsewhere.on({}, reply(200, { body: "{}" }));
    expect(await failureOf(verify())).toMatchObject({
      code: "REPLY_INVALID",
      message: `while verifying token: ${server.host} leads to ${elsewhere.host}, where the token is not sent`,
    });
    expect(elsewhere.requests.map(({ headers }) => headers["authorization"])).toEqual([undefined]);
  });

  it("follows a slash, token in hand", async () => {
    server.on({ path: /^\/v1\/token-status$/ }, redirectTo("/v1/token-status/", 301));
    on("/v1/token-status/", 200);
    await verify();
    expect(asked()).toEqual([`/v1/token-status Bearer ${TOKEN}`, `/v1/token-status/ Bearer ${TOKEN}`]);
  });

  it("does not call a token wrong when the server is in trouble or answers no more today", async () => {
    on("/v1/token-status", 500);
    expect(await failureOf(verify())).toMatchObject({ code: "SERVER_ERROR" });
    server.clear();
    on("/v1/token-status", 403, "<h1>403 Forbidden</h1>", HTML);
    expect(await failureOf(verify())).toMatchObject({ code: "RATE_LIMITED" });
  });

  it("says so where nothing verifies tokens", async () => {
    expect(await failureOf(verify({}))).toMatchObject({
      code: "UNSUPPORTED",
      message: "while verifying token: no authentication service found",
    });
  });
});

describe("whoAmI", () => {
  const who = (services: Services = { library: server.url }): Promise<Account> => whoAmI(client, services, signal);
  const nobody = { username: undefined, email: undefined, secret: undefined };

  it("reads the user of Sylabs' cloud, with the password of its OCI registry", async () => {
    on(
      "/v1/rbac/users/current",
      200,
      '{"oidc_user_meta":{"secret":"oci-pass"},"email":"u@example.org","realname":"U","username":"user"}',
    );
    const { username, email, secret } = await who();
    expect({ username, email, secret: secret?.reveal() }).toEqual({
      username: "user",
      email: "u@example.org",
      secret: "oci-pass",
    });
    expect(asked()).toEqual([`/v1/rbac/users/current Bearer ${TOKEN}`]);
  });

  it("reads the token's own entity at Singularity Registry Server", async () => {
    on("/v1/rbac/users/current", 404, "<h1>Not Found</h1>", HTML);
    on("/v1/entities", 200, '{"data":{"id":"2","name":"alice","updatedAt":""}}');
    expect(await who()).toEqual({ ...nobody, username: "alice" });
  });

  it("reads whom Hinkskalle welcomes, where the entities are everybody's", async () => {
    on("/v1/rbac/users/current", 404, '{"message":"not found"}');
    on("/v1/entities", 200, '{"data":[{"name":"default"},{"name":"alice"}]}');
    on("/v1/token-status", 200, '{"status":"welcome","data":{"username":"vanessa"}}');
    expect(await who()).toEqual({ ...nobody, username: "vanessa" });
  });

  it.each([
    ["nothing", 404, "", {}],
    ["pages", 200, "<!doctype html>", HTML],
    ["null", 200, '{"data":null}', {}],
    ["empty bodies", 200, "", {}],
    ["lists", 200, "[]", {}],
    ["refusals", 403, "{}", {}],
  ])("is nobody where the server answers with %s", async (_what, status, body, headers: Record<string, string>) => {
    server.on({}, reply(status, { body, headers }));
    expect(await who()).toEqual(nobody);
  });

  it("is nobody where there is no library", async () => {
    expect(await who({ token: server.url })).toEqual(nobody);
    expect(server.requests).toEqual([]);
  });

  it("does not take the words of another server for the library's", async () => {
    server.on({}, redirectTo(new URL("/x", elsewhere.url).href, 302));
    elsewhere.on({}, reply(200, { body: '{"username":"mallory"}' }));
    expect(await who()).toEqual(nobody);
  });
});

describe("serviceStatus", () => {
  it("asks all services for their version, and shows those that do not answer", async () => {
    on("/version", 200, '{"data":{"version":"v1.9.9","apiVersion":"2.0.0"}}');
    elsewhere.on({ path: /^\/keys\/version$/ }, reply(200, { body: "hello" }));
    elsewhere.on({ path: /^\/token\/version$/ }, reply(404));
    elsewhere.on({ path: /^\/build\/version$/ }, reply(503));
    const below = (path: string): URL => new URL(path, elsewhere.url);
    const services = {
      library: server.url,
      keyserver: below("/keys"),
      token: below("/token"),
      builder: below("/build"),
      registry: below("/oci"),
    };
    const found = await serviceStatus(() => client, services, signal);
    expect(found.map(({ name, answers, version, uri }) => [name, answers, version, new URL(uri).pathname])).toEqual([
      ["Builder", false, undefined, "/build"],
      ["Keyserver", true, undefined, "/keys"],
      ["Library", true, "v1.9.9", "/"],
      ["Token", true, undefined, "/token"],
    ]);
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it("does not fail because a service is gone", async () => {
    await elsewhere.close();
    const found = await serviceStatus(() => client, { library: elsewhere.url }, signal);
    expect(found).toEqual([{ name: "Library", uri: elsewhere.url.origin, answers: false, version: undefined }]);
  });

  it("ends when it is told to", async () => {
    const ending = new AbortController();
    server.on({}, () => ending.abort(new SregistryError("INTERRUPTED", "enough")));
    const asking = serviceStatus(() => client, { library: server.url }, ending.signal);
    expect(await failureOf(asking)).toMatchObject({ code: "INTERRUPTED" });
  });
});
