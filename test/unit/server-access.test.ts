/** Who is let in, how the server listens, and how it stops. */
import { randomBytes } from "node:crypto";
import { stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { Secret } from "../../src/secret.ts";
import { hostName } from "../../src/server/guard.ts";
import { createRegistryServer } from "../../src/server/server.ts";
import { type Answer, pushBlob, testServer, until } from "../support/registry-server.ts";

const code = ({ status, body }: Answer): unknown => [status, JSON.parse(body.toString()).errors[0].code];
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const BEGIN = "/v2/lab/tool/blobs/uploads/";

describe("the Host header (DNS rebinding)", () => {
  it.each([
    ["127.0.0.1:5000", 200],
    ["127.8.9.10", 200],
    ["localhost:5000", 200],
    ["LocalHost.", 200],
    ["registry.localhost", 200],
    ["[::1]:5000", 200],
    ["registry.example.org:5000", 200],
    ["evil.example:5000", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.evil.example", 421],
    ["10.0.0.1", 421],
    [".", 421],
  ])("%j gets %i", async (host, status) => {
    await using server = await testServer({ allowedHosts: ["Registry.Example.ORG"] });
    expect((await server.ask("GET", "/v2/", { headers: { host } })).status).toBe(status);
  });

  it("is read without port, brackets and last dot", () => {
    expect(["A.b:1", "[::1]:2", "::ffff:127.0.0.1", "[::FFFF:10.0.0.1]:80", "x.", "a b:c:d"].map(hostName)).toEqual([
      "a.b",
      "::1",
      "",
      "10.0.0.1",
      "x",
      "",
    ]);
  });

  it("is not all: a page of another origin may not write", async () => {
    await using server = await testServer();
    const host = new URL(server.url).host;
    const post = (origin: string): Promise<Answer> => server.ask("POST", BEGIN, { headers: { origin, host } });
    expect(code(await post("http://evil.example"))).toEqual([403, "DENIED"]);
    expect(code(await post("null"))).toEqual([403, "DENIED"]);
    expect((await post(`http://${host}`)).status).toBe(202);
  });
});

describe("tokens", () => {
  const tokens = [new Secret("first-token"), new Secret("second-token")];

  it("let in as Bearer, or as the password of any user", async () => {
    await using server = await testServer({ tokens });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await server.ask("POST", BEGIN, { headers })).status;
    expect(await status({ authorization: "Bearer second-token" })).toBe(202);
    expect(await status({ authorization: "bearer first-token" })).toBe(202);
    expect(await status(basic("anybody", "first-token"))).toBe(202);
    expect(await status(basic("first-token", ""))).toBe(401);
    expect(await status({ authorization: "Bearer first-toke" })).toBe(401);
    expect(await status({ authorization: "Digest first-token" })).toBe(401);
    expect(await status({})).toBe(401);
  });

  it("are asked for in the way that clients know, before the body is sent", async () => {
    await using server = await testServer({ tokens });
    const answer = await server.ask("GET", "/v2/");
    expect(code(answer)).toEqual([401, "UNAUTHORIZED"]);
    expect(answer.headers["www-authenticate"]).toBe('Basic realm="sregistry", charset="UTF-8"');
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.write(
      `POST ${BEGIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n`,
    );
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    socket.destroy();
    expect(first.toString()).toMatch(/^HTTP\/1.1 401 /);
  });

  it("are needed for writing only where reading is public", async () => {
    await using server = await testServer({ tokens, publicRead: true });
    const digest = digestOf("a blob");
    expect(code(await server.ask("POST", `${BEGIN}?digest=${digest}`, { body: "a blob" }))).toEqual([
      401,
      "UNAUTHORIZED",
    ]);
    const headers = basic("me", "second-token");
    expect((await server.ask("POST", `${BEGIN}?digest=${digest}`, { body: "a blob", headers })).status).toBe(201);
    expect((await server.ask("GET", `/v2/lab/tool/blobs/${digest}`)).body.toString()).toBe("a blob");
    expect((await server.ask("HEAD", `/v2/lab/tool/blobs/${digest}`, { headers: basic("", "") })).status).toBe(200);
    expect((await server.ask("GET", `/v2/lab/tool/blobs/${digest}`, { headers: basic("me", "wrong") })).status).toBe(
      401,
    );
    expect((await server.ask("GET", "/v2/")).status).toBe(401);
    expect((await server.ask("DELETE", `/v2/lab/tool/blobs/${digest}`)).status).toBe(401);
  });

  it("that nobody was given make public reading read-only", async () => {
    await using server = await testServer({ publicRead: true });
    expect((await server.ask("GET", "/v2/")).status).toBe(200);
    expect(code(await server.ask("POST", BEGIN))).toEqual([403, "DENIED"]);
  });
});

describe("listening", () => {
  const start = (host: string, port = 0): Promise<unknown> =>
    createRegistryServer({ store: openStore("/nowhere"), listen: { host, port }, log: silentLog });

  it("beyond loopback is refused without token and public reading", async () => {
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "node01"]) {
      await expect(start(host)).rejects.toMatchObject({
        code: "USAGE",
        message: `${host} can be reached from other machines, and nothing protects it`,
        hint: expect.stringContaining("--token-file"),
      });
    }
  });

  it("says when the address is taken", async () => {
    await using server = await testServer();
    const port = Number(new URL(server.url).port);
    await expect(start("127.0.0.1", port)).rejects.toMatchObject({
      code: "USAGE",
      message: `cannot listen on 127.0.0.1:${port}: another program listens there`,
    });
  });

  it("logs a line a request, without its query", async () => {
    const lines: string[] = [];
    await using server = await testServer({ log: { ...silentLog, verbose: (line) => void lines.push(line) } });
    await server.ask("GET", "/v2/_catalog?n=1&token=secret");
    await until(async () => lines.length > 0);
    expect(lines.map((line) => line.replace(/\d+ ms$/, "N ms"))).toEqual(["127.0.0.1 GET /v2/_catalog 200 N ms"]);
  });
});

describe("stopping", () => {
  it("lets a running upload end, and takes no other", async () => {
    await using server = await testServer();
    const blob = randomBytes(1_200_000);
    const location = (await server.ask("POST", BEGIN)).headers.location ?? "";
    const data = join(server.root, "lab", "tool", ".uploads", location.split("/").at(-1) ?? "", "data");
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    const answers: Buffer[] = [];
    socket.on("data", (chunk) => void answers.push(chunk));
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${blob.length}\r\n\r\n`);
    socket.write(blob.subarray(0, 600_000));
    await until(async () => (await stat(data)).size > 0);
    const closed = server.server.close(20_000);
    await expect(server.ask("GET", "/v2/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    socket.write(blob.subarray(600_000));
    await closed;
    expect(Buffer.concat(answers).toString()).toMatch(/^HTTP\/1.1 202 /);
    expect((await stat(data)).size).toBe(blob.length);
  });

  it("cuts off what does not end, and keeps what arrived", async () => {
    await using server = await testServer();
    const location = (await server.ask("POST", BEGIN)).headers.location ?? "";
    const data = join(server.root, "lab", "tool", ".uploads", location.split("/").at(-1) ?? "", "data");
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined);
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n`);
    socket.write(randomBytes(600_000));
    await until(async () => (await stat(data)).size > 0);
    await server.server.close(1);
    expect((await stat(data)).size).toBeGreaterThan(500_000);
  });
});

it("says that the store is damaged, and tells the log where", async () => {
  const warnings: string[] = [];
  await using server = await testServer({ log: { ...silentLog, warn: (line) => void warnings.push(line) } });
  await pushBlob(server, "lab/tool", "a blob");
  await writeFile(join(server.root, "lab", "tool", "index.json"), "{");
  const answer = await server.ask("GET", "/v2/lab/tool/tags/list");
  expect([answer.status, answer.body.toString().includes(server.root)]).toEqual([500, false]);
  expect(warnings).toEqual([expect.stringContaining(join(server.root, "lab", "tool", "index.json"))]);
});
