import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Credential } from "../../src/http/credential.ts";
import { verifyLogin } from "../../src/http/login.ts";
import { realmTrust, registrableDomain } from "../../src/http/realm.ts";
import { mergeScopes } from "../../src/http/scope.ts";
import type { HttpRequest } from "../../src/http/transport.ts";
import { Secret } from "../../src/secret.ts";
import { type Exchange, type Faults, redirectTo, reply, replyEarly, startFaults } from "../support/faults.ts";
import { basic, failureOf, knows, requestTo, type TestClient, testClient } from "../support/http.ts";

const PULL = "repository:lab/tool:pull";

let registry: Faults;
let elsewhere: Faults;
let client: TestClient | undefined;

beforeEach(async () => {
  registry = await startFaults();
  elsewhere = await startFaults();
});

afterEach(async () => {
  await client?.close();
  await registry.close();
  await elsewhere.close();
});

function use(made: TestClient): TestClient {
  client = made;
  return made;
}

function ask(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return requestTo(new URL(path, registry.url), {
    auth: { kind: "registry", repository: "lab/tool", scopes: [PULL] },
    ...more,
  });
}

const encode = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** Lets in whoever shows `authorization`; anybody else gets a 401 with `challenge`. */
function guard(authorization: string | RegExp, challenge: string | undefined, status = 200) {
  return (exchange: Exchange) => {
    const shown = exchange.seen.headers["authorization"] ?? "";
    const right = typeof authorization === "string" ? shown === authorization : authorization.test(shown);
    if (right) return reply(status, { body: "in" })(exchange);
    const headers = challenge === undefined ? {} : { "www-authenticate": challenge };
    return reply(401, { headers, body: '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}' })(
      exchange,
    );
  };
}

/** A token server that gives `t1`, `t2`, ... to whoever shows `authorization`. */
function tokens(authorization: string | undefined, more: Record<string, unknown> = {}) {
  let given = 0;
  return (exchange: Exchange) => {
    if (exchange.seen.headers["authorization"] !== authorization)
      return reply(401, { body: '{"details":"incorrect username or password"}' })(exchange);
    given += 1;
    return reply(200, { body: JSON.stringify({ token: `the-token-${given}`, ...more }) })(exchange);
  };
}

const bearer = (realm: URL | string, more = "") =>
  `Bearer realm="${realm}",service="a registry&co",scope="${PULL}"${more}`;
const shown = (faults: Faults) => faults.requests.map(({ path, headers }) => [path, headers["authorization"]]);

describe("Basic", () => {
  test("only after a challenge, then at once, with the credential looked up once", async () => {
    const source = knows(registry.host, basic("alice", "open sesame"));
    const transport = use(testClient({ credentials: source }));
    registry.on({}, guard(encode("alice", "open sesame"), 'Basic realm="x"'));
    expect((await transport.send(ask("/v2/a"))).status).toBe(200);
    expect((await transport.send(ask("/v2/b"))).status).toBe(200);
    expect(shown(registry)).toEqual([
      ["/v2/a", undefined],
      ["/v2/a", encode("alice", "open sesame")],
      ["/v2/b", encode("alice", "open sesame")],
    ]);
    expect(source.queries.map(({ host, repository, secure }) => ({ host, repository, secure }))).toEqual([
      { host: registry.host, repository: "lab/tool", secure: false },
    ]);
    expect(transport.lines.join("\n")).not.toContain("open sesame");
    expect(transport.lines.join("\n")).not.toContain(encode("alice", "open sesame").slice(6));
  });

  test("nobody is asked for a credential where none is wanted", async () => {
    const source = knows(registry.host, basic("alice", "open sesame"));
    const transport = use(testClient({ credentials: source }));
    registry.on({}, reply(200));
    await transport.send(ask("/v2/a"));
    await transport.send(ask("/v2/a", { auth: { kind: "none" } }));
    expect([source.queries, shown(registry)]).toEqual([
      [],
      [
        ["/v2/a", undefined],
        ["/v2/a", undefined],
      ],
    ]);
  });

  test("a wrong password, no password, and an answer the caller wants to see", async () => {
    registry.on({}, guard("nobody", 'Negotiate, Basic realm="x"'));
    const wrong = use(testClient({ credentials: knows(registry.host, basic("alice", "guess")) }));
    expect(await failureOf(wrong.send(ask("/v2/a", { retry: "safe" })))).toEqual({
      code: "UNAUTHORIZED",
      message: `${registry.host} refuses the login of "alice" from the test: wrong, expired or revoked: UNAUTHORIZED: authentication required`,
      hint: `sregistry login ${registry.host}`,
    });
    expect(registry.count()).toBe(2);
    await wrong.close();
    const none = use(testClient());
    expect(await failureOf(none.send(ask("/v2/a")))).toEqual({
      code: "UNAUTHORIZED",
      message: `${registry.host} wants a login for lab/tool, and none is known: UNAUTHORIZED: authentication required`,
      hint: `sregistry login ${registry.host}`,
    });
    expect((await none.send(ask("/v2/a", { accept: [200, 401] }))).status).toBe(401);
  });

  test("an origin that can only be answered in ways we do not know", async () => {
    registry.on({}, guard("nobody", "Negotiate oYIB/abc=="));
    const transport = use(testClient({ credentials: knows(registry.host, basic("alice", "guess")) }));
    expect(await failureOf(transport.send(ask("/v2/a")))).toEqual({
      code: "UNAUTHORIZED",
      message: `the login for ${registry.host} from the test is of no use there: it offers negotiate: UNAUTHORIZED: authentication required`,
      hint: `sregistry login ${registry.host}`,
    });
  });

  test("a broken credential helper is an error, never `no credential`", async () => {
    registry.on({}, guard("nobody", "Basic"));
    const find = async () => {
      throw new Error("the helper hangs");
    };
    const transport = use(testClient({ credentials: { find } }));
    await expect(transport.send(ask("/v2/a"))).rejects.toThrow("the helper hangs");
  });

  test("the next attempt opens the body again after an early 401 in 100 MB", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, basic("alice", "open sesame")) }));
    registry.on(
      { when: ({ headers }) => headers["authorization"] === undefined },
      replyEarly(401, { headers: { "www-authenticate": "Basic" } }),
    );
    registry.on({}, reply(201));
    let opened = 0;
    const chunk = Buffer.alloc(1024 * 1024);
    const open = () => {
      opened += 1;
      return Readable.from(Array.from({ length: 100 }, () => chunk));
    };
    const response = await transport.send(
      ask("/v2/upload", { method: "PUT", body: { open, size: 100 * chunk.length }, accept: [201] }),
    );
    expect([response.status, opened, registry.requests[1]?.bodyBytes]).toEqual([201, 2, 100 * chunk.length]);
  });
});

describe("a fixed Bearer token", () => {
  const token: Credential = { kind: "bearer", from: "remote.yaml", token: new Secret("library-token") };

  test("is sent after a 401, or at once to an endpoint that never challenges", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, token) }));
    registry.on({ path: /eager/ }, guard("Bearer library-token", undefined));
    registry.on({}, guard("Bearer library-token", undefined));
    await transport.send(ask("/v1/eager", { auth: { kind: "registry", scopes: [], eager: true } }));
    await transport.send(ask("/v1/a", { auth: { kind: "registry", scopes: [] } }));
    expect(shown(registry)).toEqual([
      ["/v1/eager", "Bearer library-token"],
      ["/v1/a", "Bearer library-token"],
    ]);
  });

  test("refused", async () => {
    registry.on({}, guard("nobody", `Bearer realm="${elsewhere.url}"`));
    const transport = use(testClient({ credentials: knows(registry.host, token) }));
    expect(await failureOf(transport.send(ask("/v1/a")))).toEqual({
      code: "UNAUTHORIZED",
      message: `${registry.host} refuses the token from remote.yaml: wrong, expired or revoked: UNAUTHORIZED: authentication required`,
      hint: "sregistry remote login NAME",
    });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe("a token server", () => {
  const realm = () => new URL("/token?account=x", registry.url);

  test("is asked once per set of scopes, with service and scope encoded", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, basic("alice", "open sesame")) }));
    registry.on({ path: /^\/token/ }, tokens(encode("alice", "open sesame")));
    registry.on({}, guard(/^Bearer the-token-/, bearer(realm())));
    await Promise.all([transport.send(ask("/v2/a")), transport.send(ask("/v2/b"))]);
    const before = registry.count();
    await transport.send(ask("/v2/c"));
    const push = ["repository:lab/tool:pull,push", "repository:other/one:pull"];
    await transport.send(ask("/v2/d", { auth: { kind: "registry", repository: "lab/tool", scopes: push } }));
    expect(shown(registry).slice(before)).toEqual([
      ["/v2/c", "Bearer the-token-1"],
      [
        "/token?account=x&service=a%20registry%26co&scope=repository%3Alab%2Ftool%3Apull%2Cpush&scope=repository%3Aother%2Fone%3Apull",
        encode("alice", "open sesame"),
      ],
      ["/v2/d", "Bearer the-token-2"],
    ]);
  });

  test("gives an anonymous token to whoever has no login", async () => {
    const transport = use(testClient());
    registry.on({ path: /^\/token/ }, reply(200, { body: '{"access_token":"for everybody"}' }));
    registry.on({}, guard("Bearer for everybody", bearer(realm())));
    expect((await transport.send(ask("/v2/a"))).status).toBe(200);
    expect(shown(registry)[1]).toEqual([
      `/token?account=x&service=a%20registry%26co&scope=${encodeURIComponent(PULL)}`,
      undefined,
    ]);
    expect(transport.lines.join("\n")).not.toContain("for everybody");
  });

  test("renews a token at 80 % of its life, and one that was revoked at once", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, basic("alice", "open sesame")) }));
    registry.on({ path: /^\/token/, times: 1 }, reply(200, { body: '{"token":"brief","expires_in":0.1}' }));
    registry.on({ path: /^\/token/, times: 1 }, reply(200, { body: '{"token":"revoked"}' }));
    registry.on({ path: /^\/token/, times: 1 }, reply(200, { body: '{"token":"last"}' }));
    registry.on({ path: /brief/ }, guard("Bearer brief", bearer(realm())));
    registry.on({ path: /second/ }, guard("Bearer revoked", bearer(realm())));
    registry.on({ path: /upload/ }, guard("Bearer last", bearer(realm()), 202));
    await transport.send(ask("/v2/brief"));
    await new Promise((done) => setTimeout(done, 100));
    await transport.send(ask("/v2/second"));
    let opened = 0;
    const open = () => {
      opened += 1;
      return Readable.from([Buffer.alloc(70_000)]);
    };
    await transport.send(ask("/v2/upload", { method: "PATCH", accept: [202], body: { size: 70_000, open } }));
    expect(shown(registry).map(([path, authorization]) => [path?.split("?")[0], authorization])).toEqual([
      ["/v2/brief", undefined],
      ["/token", encode("alice", "open sesame")],
      ["/v2/brief", "Bearer brief"],
      ["/token", encode("alice", "open sesame")],
      ["/v2/second", "Bearer revoked"],
      ["/v2/upload", "Bearer revoked"],
      ["/token", encode("alice", "open sesame")],
      ["/v2/upload", "Bearer last"],
    ]);
    expect(opened).toBe(2);
  });

  test("exchanges an identity token by POST, or by GET where POST is unknown", async () => {
    const identity: Credential = {
      kind: "identity",
      from: "the test",
      username: "alice",
      token: new Secret("refresh-me"),
    };
    const transport = use(testClient({ credentials: knows(registry.host, identity) }));
    registry.on({ path: /^\/token/, method: "POST", times: 1 }, reply(200, { body: '{"access_token":"by-post"}' }));
    registry.on({ path: /^\/token/, method: "POST" }, reply(405));
    registry.on({ path: /^\/token/ }, reply(200, { body: '{"token":"by-get"}' }));
    registry.on({ path: /one/ }, guard("Bearer by-post", bearer(realm())));
    registry.on({ path: /two/ }, guard("Bearer by-get", bearer(realm())));
    await transport.send(ask("/v2/one"));
    await transport.send(ask("/v2/two"));
    expect(
      registry.requests
        .filter(({ path }) => path.startsWith("/token"))
        .map(({ method, bodyText, headers }) => [method, bodyText, headers["authorization"]]),
    ).toEqual([
      [
        "POST",
        `grant_type=refresh_token&client_id=sregistry&service=a+registry%26co&scope=${encodeURIComponent(PULL)}&refresh_token=refresh-me`,
        undefined,
      ],
      ["POST", expect.stringContaining("refresh-me"), undefined],
      ["GET", "", encode("alice", "refresh-me")],
    ]);
    expect(transport.lines.join("\n")).not.toContain("refresh-me");
  });

  test("tells a wrong login from one without the right, and from none", async () => {
    registry.on({ path: /^\/token/ }, tokens(encode("alice", "open sesame")));
    registry.on({}, guard("nobody", bearer(realm(), ',error="insufficient_scope"')));
    const wrong = use(testClient({ credentials: knows(registry.host, basic("alice", "guess")) }));
    expect(await failureOf(wrong.send(ask("/v2/a", { retry: "safe" })))).toEqual({
      code: "UNAUTHORIZED",
      message: `${registry.host} refuses the login of "alice" from the test: wrong, expired or revoked: incorrect username or password`,
      hint: `sregistry login ${registry.host}`,
    });
    await wrong.close();
    const weak = use(testClient({ credentials: knows(registry.host, basic("alice", "open sesame")) }));
    expect(await failureOf(weak.send(ask("/v2/a")))).toEqual({
      code: "FORBIDDEN",
      message: `the login of "alice" from the test may not access lab/tool at ${registry.host}: UNAUTHORIZED: authentication required`,
      hint: `ask the owner for the right, or log in as somebody else: sregistry login ${registry.host}`,
    });
    await weak.close();
    const none = use(testClient());
    expect(await failureOf(none.send(ask("/v2/a")))).toEqual({
      code: "UNAUTHORIZED",
      message: `${registry.host} wants a login, and none is known: incorrect username or password`,
      hint: `sregistry login ${registry.host}`,
    });
  });

  test("that fails for a moment is asked again, also for a request that may not be repeated", async () => {
    const transport = use(testClient());
    registry.on({ path: /^\/token/, times: 2 }, reply(503));
    registry.on({ path: /^\/token/ }, reply(200, { body: '{"token":"t-after-all"}' }));
    registry.on({}, guard("Bearer t-after-all", bearer(realm()), 202));
    await transport.send(ask("/v2/uploads/", { method: "POST", accept: [202] }));
    expect(registry.count({ path: /^\/token/ })).toBe(3);
  });

  test("that fails for good is not asked 25 times", async () => {
    const transport = use(testClient());
    registry.on({ path: /^\/token/ }, reply(503));
    registry.on({}, guard("nobody", bearer(realm())));
    expect((await failureOf(transport.send(ask("/v2/a", { retry: "safe" })))).code).toBe("SERVER_ERROR");
    expect(registry.count({ path: /^\/token/ })).toBe(5);
  });

  test("on another host fails as the registry's: its user has never heard of it", async () => {
    const transport = use(testClient());
    elsewhere.on({}, reply(200, { body: "no JSON" }));
    registry.on({}, guard("nobody", bearer(new URL("/token", elsewhere.url))));
    expect(await failureOf(transport.send(ask("/v2/a")))).toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(new RegExp(`^the token server that ${registry.host} names: `)),
    });
  });

  test("that sends no token, or far too much", async () => {
    const transport = use(testClient());
    registry.on({ path: /^\/token/, times: 1 }, reply(200, { body: '{"expires_in":60}' }));
    registry.on({ path: /^\/token/ }, reply(200, { body: JSON.stringify({ token: "x".repeat(70_000) }) }));
    registry.on({}, guard("nobody", bearer(realm())));
    expect(await failureOf(transport.send(ask("/v2/a")))).toMatchObject({
      code: "REPLY_INVALID",
      message: `answer of ${registry.host} to /token: neither token nor access_token is in it`,
    });
    expect(await failureOf(transport.send(ask("/v2/a")))).toMatchObject({
      code: "REPLY_INVALID",
      message: `the answer of ${registry.host} to /token is longer than 65536 bytes`,
    });
  });
});

describe("a realm that is not the registry's own", () => {
  const login = basic("alice", "open sesame");

  test("never gets the password; an anonymous token may do", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, login) }));
    elsewhere.on({}, tokens(undefined));
    registry.on({}, guard("Bearer the-token-1", bearer(elsewhere.url)));
    expect((await transport.send(ask("/v2/a"))).status).toBe(200);
    expect(elsewhere.requests.map(({ headers }) => headers["authorization"])).toEqual([undefined]);
  });

  test("and when an anonymous token will not do, both hosts are named", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, login) }));
    elsewhere.on({ times: 1 }, tokens(undefined));
    elsewhere.on({}, reply(401));
    registry.on({}, guard("nobody", bearer(elsewhere.url)));
    const expected = {
      code: "UNAUTHORIZED",
      message: expect.stringContaining(
        `${registry.host} wants its login sent to ${elsewhere.url.origin}, which is not known to belong to it; it was not sent there`,
      ),
      hint: `if ${elsewhere.host} is the right token server: --trust-realm ${elsewhere.host}`,
    };
    expect(await failureOf(transport.send(ask("/v2/a")))).toEqual(expected);
    expect(await failureOf(transport.send(ask("/v2/b")))).toEqual(expected);
    expect(new Set(elsewhere.requests.map(({ headers }) => headers["authorization"]))).toEqual(new Set([undefined]));
  });

  test("gets it when the user vouches for it", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, login), trustedRealms: [elsewhere.host] }));
    elsewhere.on({}, tokens(encode("alice", "open sesame")));
    registry.on({}, guard("Bearer the-token-1", bearer(elsewhere.url)));
    expect((await transport.send(ask("/v2/a"))).status).toBe(200);
  });

  test("a token server that sends us elsewhere is not followed", async () => {
    const transport = use(testClient({ credentials: knows(registry.host, login) }));
    elsewhere.on({}, tokens(encode("alice", "open sesame")));
    registry.on({ path: /^\/token/ }, redirectTo(elsewhere.url.href, 302));
    registry.on({}, guard("nobody", bearer(new URL("/token", registry.url))));
    expect((await failureOf(transport.send(ask("/v2/a")))).code).toBe("REFUSED");
    expect(elsewhere.requests).toEqual([]);
  });

  test("a realm that is no URL, or inside this machine while the registry is not", async () => {
    const transport = use(testClient());
    registry.on({}, guard("nobody", 'Bearer realm="/token"'));
    expect(await failureOf(transport.send(ask("/v2/a")))).toMatchObject({
      code: "REPLY_INVALID",
      message: `${registry.host} names a token server that is no URL: "/token"`,
    });
  });

  test.each([
    ["https://reg.example", "https://reg.example/token", "credentials"],
    ["https://reg.example", "https://reg.example:443/token", "credentials"],
    ["https://reg.example", "https://reg.example:8443/token", "credentials"],
    ["https://reg.example", "http://reg.example/token", "refused"],
    ["http://reg.example", "https://reg.example/token", "anonymous"],
    ["https://registry.gitlab.com", "https://gitlab.com/jwt/auth", "credentials"],
    ["https://registry.lab.example.org", "https://auth.example.org/t", "credentials"],
    ["https://registry-1.docker.io", "https://auth.docker.io/token", "credentials"],
    ["https://registry-1.docker.io", "https://auth.docker.io.evil.example/token", "anonymous"],
    ["https://registry-1.docker.io", "http://auth.docker.io/token", "refused"],
    ["https://reg.example", "https://evil.test/token", "anonymous"],
    ["https://reg.example", "https://notreg.example/token", "anonymous"],
    ["https://a.lab.co.uk", "https://b.evil.co.uk/token", "anonymous"],
    ["https://me.github.io", "https://you.github.io/token", "anonymous"],
    ["https://1.dkr.ecr.eu-west-1.amazonaws.com", "https://2.s3.amazonaws.com", "anonymous"],
    ["https://reg.example", "https://user@reg.example/token", "refused"],
    ["https://reg.example", "ftp://reg.example/token", "refused"],
    ["https://reg.example", "https://169.254.169.254/latest", "refused"],
    ["https://reg.example", "https://127.0.0.1/token", "refused"],
    ["https://reg.example", "https://localhost/token", "refused"],
    ["https://reg.example", "https://10.1.2.3/token", "refused"],
    ["https://reg.example", "https://[::ffff:10.1.2.3]/token", "refused"],
    ["https://reg.example", "https://0x7f.1/token", "refused"],
    ["https://10.1.2.3:5000", "https://10.1.2.3:5001/token", "anonymous"],
    ["https://10.1.2.3:5000", "https://10.1.2.4:5000/token", "refused"],
    ["http://127.0.0.1:5000", "http://127.0.0.1:5001/token", "anonymous"],
  ] as const)("%s -> %s: %s", (from, to, trust) => {
    expect(realmTrust(new URL(from), new URL(to), [])).toBe(trust);
  });

  test("vouching is for one host and never for plain http", () => {
    const from = new URL("https://reg.example");
    expect(realmTrust(from, new URL("https://auth.test/token"), ["auth.test"])).toBe("credentials");
    expect(realmTrust(from, new URL("https://auth.test/token"), ["https://auth.test"])).toBe("credentials");
    expect(realmTrust(from, new URL("https://auth.test:444/token"), ["auth.test"])).toBe("anonymous");
    expect(realmTrust(from, new URL("https://x.auth.test/token"), ["auth.test"])).toBe("anonymous");
    expect(realmTrust(from, new URL("http://auth.test/token"), ["auth.test"])).toBe("refused");
  });

  test.each([
    ["a.example.org", "example.org"],
    ["example.org.", "example.org"],
    ["a.b.co.uk", "b.co.uk"],
    ["co.uk", undefined],
    ["localhost", undefined],
    ["10.0.0.1", undefined],
    ["me.github.io", "me.github.io"],
    ["x.me.github.io", "x.me.github.io"],
  ])("the registrable domain of %s", (host, domain) => {
    expect(registrableDomain(host)).toBe(domain);
  });
});

test("scopes of one resource become one, the challenged resource first", () => {
  expect(mergeScopes("repository:a/b:pull", ["repository:c:pull", "repository:a/b:pull,push"])).toEqual([
    "repository:a/b:pull,push",
    "repository:c:pull",
  ]);
  expect(mergeScopes(undefined, [])).toEqual([]);
  expect(mergeScopes("aws", [])).toEqual(["aws"]);
});

describe("login", () => {
  const login = (credential: Credential) =>
    verifyLogin(use(testClient()), { base: registry.url, credential, signal: new AbortController().signal });

  test("by Basic", async () => {
    registry.on({}, guard(encode("alice", "open sesame"), "Basic"));
    expect(await login(basic("alice", "open sesame"))).toEqual({ proven: true });
    expect(await failureOf(login(basic("alice", "guess")))).toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining('refuses the login of "alice"'),
    });
  });

  test("by Bearer", async () => {
    registry.on({ path: /^\/token/ }, tokens(encode("alice", "open sesame")));
    registry.on({}, guard(/^Bearer the-token/, `Bearer realm="${new URL("/token", registry.url)}",service="s"`));
    expect(await login(basic("alice", "open sesame"))).toEqual({ proven: true });
    expect(await failureOf(login(basic("alice", "guess")))).toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining('refuses the login of "alice"'),
    });
  });

  test("a registry that asks for nothing proves nothing", async () => {
    registry.on({}, reply(200));
    expect(await login(basic("alice", "guess"))).toEqual({ proven: false });
  });

  test("an anonymous token proves nothing either", async () => {
    elsewhere.on({}, tokens(undefined));
    registry.on({}, guard(/^Bearer the-token/, `Bearer realm="${elsewhere.url}"`));
    expect(await failureOf(login(basic("alice", "open sesame")))).toMatchObject({
      code: "UNAUTHORIZED",
      hint: `if ${elsewhere.host} is the right token server: --trust-realm ${elsewhere.host}`,
    });
    expect(elsewhere.requests).toEqual([]);
  });

  test("what is no registry", async () => {
    registry.on({}, reply(404, { body: "<html><head><title>Not here</title></head></html>" }));
    expect(await failureOf(login(basic("alice", "guess")))).toMatchObject({ code: "NOT_FOUND" });
  });
});
