/** Signed requests at the server: what is accepted, what is refused and how, and who the signer is. */

import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hmacSignature, hmacTimestamp } from "../../src/hmac.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { Secret } from "../../src/secret.ts";
import { createAccess } from "../../src/server/access.ts";
import { isSignedWith, isTimely, parseSigned } from "../../src/server/sregistry/hmac.ts";
import {
  addUser,
  announce,
  bearer,
  formOf,
  hmacPush,
  type ImageUri,
  type Signer,
  signed,
} from "../support/hmac-requests.ts";
import { type Answer, type TestServer, testServer } from "../support/registry-server.ts";

const TOKEN = "5027225717bf0030465db1e7099e496022c42181";
const VECTORS = [
  ["push", "dinosaur", "avocado", "delicious", "f2d5bc3e9f1b9f874417c1c71193fd40e10f74af0bc1280ebe8aa063b5b77c53"],
  ["upload", "dinosaur", "avocado", "delicious", "6f23343ef99817d7825897df1e14f7390b46044a974e081627e905dacb9254bf"],
  ["pull", "banana", "pudding", "milkshake", "8775912e3eb9f79660c490d3475a9fa9aefc781568c7705cfd9ec6e804c87f6c"],
  ["delete", "banana", "pudding", "milkshake", "37318d32ef6dcd2a9e3389d2c03573e342875a44790cd8f60a3a0592364c3302"],
  ["build", "banana", "pudding", "latest", "2105013be79f29b29c67d95ffc857c3e1f189549f655b6a53e653c41524769f2"],
] as const;
const HOUR = "20261121T02Z";

describe("a signature", () => {
  it.each(VECTORS)("to %s %s/%s:%s is the Python client's", (action, collection, name, tag, signature) => {
    expect(hmacSignature(TOKEN, { action, collection, name, tag }, HOUR)).toBe(signature);
    const header = parseSigned(
      `SREGISTRY-HMAC-SHA256 Credential=${action}/dmFuZXNzYQ==/${HOUR},Signature=${signature}`,
    );
    expect(header).toEqual({ kind: action, user: "vanessa", timestamp: HOUR, signature });
    if (header === undefined) return;
    const subject = { collection, name, tag };
    expect(isSignedWith(new Secret(TOKEN), header, subject)).toBe(true);
    expect(isSignedWith(new Secret(`${TOKEN}0`), header, subject)).toBe(false);
    expect(isSignedWith(new Secret(TOKEN), { ...header, kind: "share" }, subject)).toBe(false);
    expect(isSignedWith(new Secret(TOKEN), { ...header, timestamp: "20261121T03Z" }, subject)).toBe(false);
    expect(isSignedWith(new Secret(TOKEN), header, { ...subject, tag: "other" })).toBe(false);
  });

  it("is good for its hour and the next one", () => {
    const header = { kind: "push", user: "vanessa", timestamp: HOUR, signature: "" };
    const timely = (time: string): boolean => isTimely(header, new Date(time));
    expect(timely("2026-11-21T01:59:59Z")).toBe(false);
    expect(timely("2026-11-21T02:00:00Z")).toBe(true);
    expect(timely("2026-11-21T03:59:59Z")).toBe(true);
    expect(timely("2026-11-21T04:00:00Z")).toBe(false);
    expect(hmacTimestamp(new Date("2026-11-21T02:59:59.999Z"))).toBe(HOUR);
  });

  it("comes in a header of one form", () => {
    const hex = "0".repeat(64);
    for (const wrong of [
      undefined,
      "",
      `Bearer ${TOKEN}`,
      "SREGISTRY-HMAC-SHA256",
      `SREGISTRY-HMAC-SHA256 Credential=push/dmFuZXNzYQ==/${HOUR}`,
      `SREGISTRY-HMAC-SHA256 Credential=push/dmFuZXNzYQ==/${HOUR},Signature=${hex}0`,
      `SREGISTRY-HMAC-SHA256 Credential=push/dmFuZXNzYQ==/20261121,Signature=${hex}`,
      `SREGISTRY-HMAC-SHA256 Credential=push//${HOUR},Signature=${hex}`,
    ]) {
      expect(parseSigned(wrong)).toBeUndefined();
    }
  });

  it("names any user, also one whose base64 has a slash", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }), (user) => {
        const credential = `pull/${Buffer.from(user).toString("base64")}/${HOUR}`;
        const header = parseSigned(`SREGISTRY-HMAC-SHA256 Credential=${credential},Signature=${"a".repeat(64)}`);
        expect(header?.user).toBe(user);
      }),
    );
  });
});

const IMAGE: ImageUri = "dinosaur/avocado:delicious";
const told = ({ status, body }: Answer): unknown => [status, JSON.parse(body.toString())];

async function site(): Promise<TestServer & { readonly vanessa: Signer; readonly mallory: Signer }> {
  const server = await testServer({ publicRead: true });
  const [vanessa, mallory] = [await addUser(server, "vanessa"), await addUser(server, "mallory")];
  return { ...server, vanessa, mallory };
}

describe("a signed push", () => {
  it("by an unknown user, with a wrong token, kind or hour is 403 and not 500", async () => {
    await using server = await site();
    const { vanessa, ask } = server;
    const status = async (headers: Record<string, string>): Promise<unknown> => {
      const body = JSON.stringify({ collection: "dinosaur", name: "avocado", tag: "delicious" });
      return told(await ask("POST", "/api/upload/chunked_upload", { headers, body }));
    };
    const wrong = [
      403,
      {
        detail:
          "the signature is not right for dinosaur/avocado:delicious, as it is called here: check name, user and token",
      },
    ];
    expect(await status(signed({ ...vanessa, name: "nobody" }, "push", IMAGE))).toEqual(wrong);
    expect(await status(signed({ ...vanessa, token: TOKEN }, "push", IMAGE))).toEqual(wrong);
    expect(await status(signed(vanessa, "push", "dinosaur/avocado:other"))).toEqual(wrong);
    expect(await status(signed(vanessa, "pull", IMAGE))).toEqual([
      403,
      { detail: "the request is signed for pull, and this is push" },
    ]);
    expect(await status(signed(vanessa, "push", IMAGE, new Date("2020-01-01T05:00:00Z")))).toEqual([
      403,
      { detail: expect.stringMatching(/^the signature is of 20200101T05Z, and here it is 2\d{3}-.*: set the clock$/) },
    ]);
    expect(await status({ authorization: "SREGISTRY-HMAC-SHA256 nonsense" })).toEqual([
      403,
      { detail: "the Authorization header is no signature: Credential=...,Signature=... is expected" },
    ]);
    expect(await status({})).toEqual([403, { detail: "Authentication Required" }]);
  });

  it("of the hour before is taken: it may have been signed at 02:59:59", async () => {
    await using server = await site();
    const headers = signed(server.vanessa, "push", IMAGE, new Date(Date.now() - 3_600_000));
    const body = JSON.stringify({ collection: "dinosaur", name: "avocado", tag: "delicious" });
    expect((await server.ask("POST", "/api/upload/chunked_upload/", { headers, body })).status).toBe(200);
  });

  it("makes the collection the user's, and nobody else's", async () => {
    await using server = await site();
    const { vanessa, mallory } = server;
    expect(told(await hmacPush(server, vanessa, IMAGE, "SIF"))).toEqual([200, { message: "Upload Complete" }]);
    const denied = [403, { detail: "the collection dinosaur belongs to somebody else" }];
    expect(told(await hmacPush(server, mallory, IMAGE, "other"))).toEqual(denied);
    expect(told(await hmacPush(server, mallory, "dinosaur/other:1", "other"))).toEqual(denied);
  });

  it("is signed for the collection's name as the server makes it", async () => {
    await using server = await site();
    const push = (signedAs: ImageUri): Promise<Answer> =>
      server.ask("POST", "/api/upload/chunked_upload", {
        headers: signed(server.vanessa, "push", signedAs),
        body: JSON.stringify({ collection: "New_Coll.X", name: "app" }),
      });
    expect((await push("new-coll-x/app:latest")).status).toBe(200);
    expect(told(await push("New_Coll.X/app:latest"))).toEqual([
      403,
      {
        detail:
          "the signature is not right for new-coll-x/app:latest, as it is called here: check name, user and token",
      },
    ]);
  });

  it("whose upload is signed by somebody else, or for something else, keeps nothing", async () => {
    await using server = await site();
    const { vanessa, mallory, ask, root } = server;
    const { cid } = JSON.parse((await announce(server, vanessa, IMAGE)).body.toString());
    const upload = (headers: Record<string, string>, order: readonly string[]): Promise<Answer> => {
      const fields: Record<string, string> = {
        name: "avocado",
        collection: String(cid),
        tag: "delicious",
        file1: "SIF".repeat(1e5),
      };
      const form = formOf(order.map((name) => [name, fields[name] ?? ""]));
      return ask("POST", "/upload", { headers: { ...form.headers, ...headers }, body: form.body });
    };
    const orders = [
      ["name", "collection", "tag", "file1"],
      ["file1", "name", "collection", "tag"],
    ];
    const stranger = signed({ ...vanessa, name: "nobody" }, "upload", IMAGE);
    expect((await upload(stranger, ["file1", "name", "collection", "tag"])).status).toBe(403);
    expect((await readdir(root)).sort()).toEqual([".sregistry"]);
    for (const order of orders) {
      expect((await upload(signed(vanessa, "push", IMAGE), order)).status).toBe(403);
      expect((await upload(signed(vanessa, "upload", "dinosaur/avocado:other"), order)).status).toBe(403);
      expect((await upload(signed(mallory, "upload", IMAGE), order)).status).toBe(403);
      expect((await upload({}, order)).status).toBe(403);
    }
    const left = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(left.map(({ name }) => name).sort()).toEqual(["collections.json", "users.json"]);
    expect((await readdir(root)).filter((name) => name === "dinosaur")).toEqual([]);
  });
});

describe("a signed upload that is refused", () => {
  const boundary = "x".repeat(20);
  const field = (name: string, content: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;

  /** The answer to a form whose file never ends. */
  async function refusal(server: TestServer, authorization: string, fields: string): Promise<string> {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined);
    const head = `Host: localhost\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: 90000000`;
    socket.write(`POST /upload HTTP/1.1\r\n${head}\r\nAuthorization: ${authorization}\r\n\r\n`);
    socket.write(fields + field("file1", "SIF".repeat(50_000)));
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    socket.destroy();
    return first.toString();
  }

  it("does not fill the disk before: its bytes are not taken", async () => {
    await using server = await site();
    const { vanessa, mallory } = server;
    const { cid } = JSON.parse((await announce(server, vanessa, IMAGE)).body.toString());
    const before = await readdir(server.root, { recursive: true });
    const fields = field("collection", String(cid)) + field("name", "avocado");
    const wrong = signed({ ...vanessa, token: mallory.token }, "upload", IMAGE)["authorization"] ?? "";
    const right = signed(vanessa, "upload", IMAGE)["authorization"] ?? "";
    const words = "the signature is not right for dinosaur/avocado";
    expect(await refusal(server, wrong, fields + field("tag", "delicious"))).toMatch(`{"detail":"${words}:delicious`);
    // The tag is part of what is signed.
    expect(await refusal(server, right, fields)).toMatch(`{"detail":"${words}:None`);
    for (const early of ["", field("name", "avocado"), field("collection", String(cid)) + field("tag", "delicious")]) {
      expect(await refusal(server, right, early)).toMatch('{"detail":"file1 comes before collection and name');
    }
    expect(await readdir(server.root, { recursive: true })).toEqual(before);
  });

  it("is nobody's who has a token: their form may have any order", async () => {
    await using server = await site();
    const { vanessa, ask } = server;
    const { cid } = JSON.parse((await announce(server, vanessa, IMAGE)).body.toString());
    const form = formOf([
      ["file1", "SIF"],
      ["name", "avocado"],
      ["collection", String(cid)],
      ["tag", "delicious"],
    ]);
    expect(
      told(await ask("POST", "/upload", { headers: { ...form.headers, ...bearer(vanessa) }, body: form.body })),
    ).toEqual([200, { message: "Upload Complete" }]);
  });
});

describe("a signed pull", () => {
  it("opens a private image to its owner alone", async () => {
    await using server = await site();
    const { vanessa, mallory, ask } = server;
    await createAccess(openStore(server.root)).collections.create("secret", "vanessa", true);
    const image: ImageUri = "secret/app:1";
    expect(told(await hmacPush(server, vanessa, image, "SIF"))).toEqual([200, { message: "Upload Complete" }]);
    const get = (headers: Record<string, string> = {}): Promise<Answer> =>
      ask("GET", "/api/container/secret/app:1", { headers });
    expect(told(await get())).toEqual([403, { detail: "Authentication Required" }]);
    expect(told(await get(signed(mallory, "pull", image)))).toEqual([404, { detail: "Not found." }]);
    expect(told(await get(signed({ ...vanessa, token: TOKEN }, "pull", image)))).toEqual([
      403,
      { detail: "the signature is not right for secret/app:1, as it is called here: check name, user and token" },
    ]);
    expect(told(await ask("GET", "/api/container/secret/other:1"))).toEqual([
      403,
      { detail: "Authentication Required" },
    ]);
    expect((await get(bearer(vanessa))).status).toBe(200);
    const { status, body } = await get(signed(vanessa, "pull", image));
    expect(status).toBe(200);
    const url = new URL(JSON.parse(body.toString()).image);
    expect((await ask("GET", url.pathname + url.search)).body.toString()).toBe("SIF");
    for (const path of [
      "/api/containers/",
      "/api/collections/",
      "/api/container/search/name/app",
      "/api/labels/search",
    ]) {
      expect((await ask("GET", path)).body.toString()).not.toContain("secret");
      expect((await ask("GET", path, { headers: bearer(mallory) })).body.toString()).not.toContain("secret");
    }
    expect((await ask("GET", "/api/containers/", { headers: bearer(vanessa) })).body.toString()).toContain("secret");
    expect(told(await ask("GET", "/api/collection/secret"))).toEqual([200, {}]);
  });

  it("without tag is signed for latest", async () => {
    await using server = await site();
    await hmacPush(server, server.vanessa, "dinosaur/avocado:latest", "SIF");
    const headers = signed(server.vanessa, "pull", "dinosaur/avocado:latest");
    expect((await server.ask("GET", "/api/container/dinosaur/avocado", { headers })).status).toBe(200);
  });

  it("is what a server without public reading asks for", async () => {
    await using server = await testServer();
    const vanessa = await addUser(server, "vanessa");
    await hmacPush(server, vanessa, IMAGE, "SIF");
    const path = "/api/container/dinosaur/avocado:delicious";
    expect(told(await server.ask("GET", path))).toEqual([403, { detail: "Authentication Required" }]);
    expect((await server.ask("GET", path, { headers: signed(vanessa, "pull", IMAGE) })).status).toBe(200);
    expect((await server.ask("GET", "/api/collections/")).status).toBe(401);
  });
});

describe("a signed deletion", () => {
  it("is for the owner: the original server lets every user delete everything", async () => {
    await using server = await site();
    const { vanessa, mallory, ask } = server;
    await hmacPush(server, vanessa, IMAGE, "SIF");
    const remove = async (path: string, headers: Record<string, string>): Promise<unknown> => {
      const { status, body } = await ask("DELETE", `/api/container/${path}`, { headers });
      return [status, body.toString()];
    };
    const path = "dinosaur/avocado:delicious";
    expect(await remove(path, {})).toEqual([403, '{"detail":"Authentication Required"}']);
    expect(await remove(path, signed(mallory, "delete", IMAGE))).toEqual([
      403,
      '{"detail":"the collection dinosaur belongs to somebody else"}',
    ]);
    expect(await remove("dinosaur/other:1", signed(vanessa, "delete", "dinosaur/other:1"))).toEqual([
      404,
      '{"detail":"Container Not Found"}',
    ]);
    expect(await remove("dinosaur/avocado", signed(vanessa, "delete", "dinosaur/avocado:latest"))).toEqual([
      404,
      '{"detail":"Container Not Found"}',
    ]);
    expect(await remove(path, signed(vanessa, "delete", IMAGE))).toEqual([204, ""]);
    expect((await ask("GET", `/api/container/${path}`)).status).toBe(404);
  });
});
