/** The signature of Singularity Registry Server's own protocol: the old client's vectors, the hour, and whom it goes to. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { hmacSignature, hmacTimestamp } from "../../src/hmac.ts";
import { type HmacLogin, hmac, hmacAuthorization } from "../../src/http/hmac.ts";
import type { Auth, HmacWords, HttpRequest, HttpResponse, Transport } from "../../src/http/transport.ts";
import { Secret } from "../../src/secret.ts";
import { type Faults, redirectTo, reply, startFaults } from "../support/faults.ts";
import { failureOf, requestTo, type TestClient, testClient } from "../support/http.ts";

const TOKEN = "5027225717bf0030465db1e7099e496022c42181";
const HOUR = "20261121T02Z";
const WORDS: HmacWords = { action: "push", collection: "dinosaur", name: "avocado", tag: "delicious" };
const SIGNED: Auth = { kind: "hmac", words: WORDS };

describe("the signature", () => {
  it.each([
    ["push|dinosaur|avocado|delicious", "f2d5bc3e9f1b9f874417c1c71193fd40e10f74af0bc1280ebe8aa063b5b77c53"],
    ["upload|dinosaur|avocado|delicious", "6f23343ef99817d7825897df1e14f7390b46044a974e081627e905dacb9254bf"],
    ["pull|banana|pudding|milkshake", "8775912e3eb9f79660c490d3475a9fa9aefc781568c7705cfd9ec6e804c87f6c"],
    ["delete|banana|pudding|milkshake", "37318d32ef6dcd2a9e3389d2c03573e342875a44790cd8f60a3a0592364c3302"],
    ["build|banana|pudding|latest", "2105013be79f29b29c67d95ffc857c3e1f189549f655b6a53e653c41524769f2"],
  ])("of %s is the Python client's", (text, expected) => {
    const [action = "", collection = "", name = "", tag = ""] = text.split("|");
    expect(hmacSignature(TOKEN, { action, collection, name, tag }, HOUR)).toBe(expected);
  });

  it("stands in a header that the server can take apart: one blank, none behind the comma", () => {
    expect(hmacAuthorization({ username: "vanessa", token: new Secret(TOKEN) }, WORDS, HOUR)).toBe(
      "SREGISTRY-HMAC-SHA256 Credential=push/dmFuZXNzYQ==/20261121T02Z," +
        "Signature=f2d5bc3e9f1b9f874417c1c71193fd40e10f74af0bc1280ebe8aa063b5b77c53",
    );
  });

  it("is not made for a user name whose base64 has a slash: the server cuts the header at each", async () => {
    const login = { username: "ab?", token: new Secret(TOKEN) };
    expect(Buffer.from("ab?").toString("base64")).toBe("YWI/");
    expect(await failureOf((async () => hmacAuthorization(login, WORDS, HOUR))())).toEqual({
      code: "UNSUPPORTED",
      message: 'the user name "ab?" cannot sign: Singularity Registry Server misreads the slash in its base64 form',
      hint: "push with --protocol library, which needs the token alone",
    });
  });

  it("is of an hour in UTC", () => {
    expect(hmacTimestamp(new Date("2026-11-21T02:59:59.999Z"))).toBe("20261121T02Z");
    expect(hmacTimestamp(new Date("2026-12-31T23:30:00-01:00"))).toBe("20270101T00Z");
  });
});

/** A server that takes the hour on its own clock alone, as sregistry 2.1 does. */
class Clock {
  readonly login: HmacLogin = { origin: "https://registry.org", username: "vanessa", token: new Secret(TOKEN) };
  readonly hours: string[] = [];
  here = Date.parse("2026-11-21T02:10:00Z");
  there = this.here;
  /** Milliseconds that a request takes. */
  takes = 0;
  readonly said: string[] = [];
  status = 500;
  headers: Readonly<Record<string, string>> = {};

  readonly server: Transport = {
    send: async (request: HttpRequest): Promise<HttpResponse> => {
      this.here += this.takes;
      this.there += this.takes;
      const hour = /\/(\d{8}T\d\dZ),/.exec(request.headers?.["authorization"] ?? "")?.[1];
      this.hours.push(hour ?? "unsigned");
      const status = hour === undefined || hour === hmacTimestamp(new Date(this.there)) ? 200 : this.status;
      const headers = new Map(Object.entries({ date: new Date(this.there).toUTCString(), ...this.headers }));
      const { Readable } = await import("node:stream");
      return { status, headers, url: request.url, body: Readable.from([]) };
    },
    close: async () => undefined,
  };

  readonly client = hmac(this.server, {
    login: this.login,
    log: { ...silentLog, verbose: (text) => void this.said.push(text) },
    now: () => this.here,
  });

  async ask(auth: Auth = SIGNED): Promise<number> {
    return (await this.client.send(requestTo(new URL("https://registry.org/upload"), { auth }))).status;
  }
}

describe("the hour", () => {
  it("is that of each attempt, so that what crosses the full hour is signed once more", async () => {
    const clock = new Clock();
    clock.here = clock.there = Date.parse("2026-11-21T02:59:59Z");
    clock.takes = 5000;
    expect(await clock.ask()).toBe(200);
    expect(clock.hours).toEqual(["20261121T02Z", "20261121T03Z"]);
    expect(clock.said).toEqual([
      "registry.org refused a signature of 20261121T02Z, and its clock says 20261121T03Z: signing again",
    ]);
  });

  it.each([401, 403, 500])("of a skewed clock is the server's after a refusal with %d", async (status) => {
    const clock = new Clock();
    clock.there += 3 * 3_600_000;
    clock.status = status;
    expect(await clock.ask()).toBe(200);
    expect(clock.hours).toEqual(["20261121T02Z", "20261121T05Z"]);
  });

  it("is the server's at once when an answer before told its time", async () => {
    const clock = new Clock();
    clock.there -= 90 * 60_000;
    await clock.ask({ kind: "none" });
    expect(await clock.ask()).toBe(200);
    expect(clock.hours).toEqual(["unsigned", "20261121T00Z"]);
  });

  it("is tried once more only, and not when the hour is the one that was signed", async () => {
    const clock = new Clock();
    const refused = hmac(
      { ...clock.server, send: async (request) => ({ ...(await clock.server.send(request)), status: 500 }) },
      { login: clock.login, log: silentLog, now: () => clock.here },
    );
    const request = requestTo(new URL("https://registry.org/upload"), { auth: SIGNED });
    expect((await refused.send(request)).status).toBe(500);
    expect(clock.hours).toEqual(["20261121T02Z"]);
    clock.there += 3_600_000;
    expect((await refused.send(request)).status).toBe(500);
    expect(clock.hours).toEqual(["20261121T02Z", "20261121T02Z", "20261121T03Z"]);
  });

  it("is not taken from an answer out of a cache, or from nonsense", async () => {
    const clock = new Clock();
    for (const headers of [{ age: "90000" }, { date: "yesterday" }]) {
      clock.headers = { date: "Fri, 20 Nov 2026 02:00:00 GMT", ...headers };
      expect(await clock.ask()).toBe(200);
    }
    expect(clock.hours).toEqual(["20261121T02Z", "20261121T02Z"]);
  });
});

describe("whom it goes to", () => {
  let registry: Faults;
  let storage: Faults;
  let client: TestClient;

  beforeEach(async () => {
    registry = await startFaults();
    storage = await startFaults();
    const login = { origin: registry.url.origin, username: "vanessa", token: new Secret(TOKEN) };
    client = testClient({ hmac: login });
  });
  afterEach(async () => {
    await client.close();
    await registry.close();
    await storage.close();
  });

  const sent = (faults: Faults): readonly (string | undefined)[] =>
    faults.requests.map(({ headers }) => headers["authorization"]);
  const ours = expect.stringMatching(
    /^SREGISTRY-HMAC-SHA256 Credential=push\/dmFuZXNzYQ==\/\d{8}T\d\dZ,Signature=\w{64}$/,
  );

  it("is one origin, and nothing but what is to be signed", async () => {
    registry.on({}, reply(200));
    storage.on({}, reply(200));
    await client.send(requestTo(registry.url, { auth: SIGNED }));
    await client.send(requestTo(registry.url));
    await client.send(requestTo(storage.url, { auth: SIGNED }));
    expect([sent(registry), sent(storage)]).toEqual([[ours, undefined], [undefined]]);
  });

  it("is nobody behind a redirect to another origin", async () => {
    registry.on({}, redirectTo(storage.url.href));
    storage.on({}, reply(200));
    await client.send(requestTo(registry.url, { auth: SIGNED }));
    expect([sent(registry), sent(storage)]).toEqual([[ours], [undefined]]);
  });

  it("is nobody without a login", async () => {
    await using anonymous = Object.assign(testClient(), {
      async [Symbol.asyncDispose]() {
        await anonymous.close();
      },
    });
    registry.on({}, reply(200));
    await anonymous.send(requestTo(registry.url, { auth: SIGNED }));
    expect(sent(registry)).toEqual([undefined]);
  });

  it("gets the whole body again with the second signature", async () => {
    const date = new Date(Date.now() + 2 * 3_600_000).toUTCString();
    registry.on({ times: 1 }, reply(500, { headers: { date } }));
    registry.on({}, reply(200));
    const body = { size: 3, open: () => Buffer.from("SIF") };
    await client.send(requestTo(registry.url, { method: "POST", body, auth: SIGNED }));
    expect(registry.requests.map(({ bodyText }) => bodyText)).toEqual(["SIF", "SIF"]);
    expect(new Set(sent(registry)).size).toBe(2);
  });

  it("shows neither token nor signature in the log or in an error", async () => {
    registry.on({}, async (exchange) => {
      await reply(400, { body: `no: ${exchange.seen.headers["authorization"]}` })(exchange);
    });
    const failure = await failureOf(client.send(requestTo(registry.url, { auth: SIGNED })));
    const signature = /Signature=(\w+)/.exec(sent(registry)[0] ?? "")?.[1] ?? "";
    expect(signature).toHaveLength(64);
    const told = [...client.lines, failure.message].join("\n");
    expect(told).not.toContain(signature);
    expect(told).not.toContain(TOKEN);
  });
});
