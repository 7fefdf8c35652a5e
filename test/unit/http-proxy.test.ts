import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readCapped } from "../../src/http/body.ts";
import type { TransportOptions } from "../../src/http/index.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { failureOf, requestTo, type TestClient, testClient } from "../support/http.ts";

let folder: string;
let tls: Server;
let tlsPort: number;
let client: TestClient | undefined;

/** A certificate authority and certificates signed by it, made here: nothing that could expire is committed. */
function makeCertificates(): void {
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  for (const [name, days] of [
    ["good", "2"],
    ["expired", "-1"],
  ] as const) {
    openssl(
      "req",
      ...key,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,DNS:reg.example",
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-copy_extensions",
      "copy",
      "-days",
      days,
      "-out",
      `${name}.pem`,
    );
  }
}

async function listen<T extends NetServer>(server: T): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

function secureServer(name: string): Server {
  const options = { key: readFileSync(join(folder, `${name}.key`)), cert: readFileSync(join(folder, `${name}.pem`)) };
  return createHttpsServer(
    options,
    (request, response) => void response.end(`${request.url} ${request.headers["proxy-authorization"] ?? "-"}`),
  );
}

function use(options: Partial<TransportOptions>): TestClient {
  client = testClient({ readFile: (path) => readFile(path, "utf8"), ...options });
  return client;
}

async function text(made: TestClient, url: string): Promise<string> {
  return (await readCapped(await made.send(requestTo(new URL(url))), 1000)).toString();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sregistry-http-"));
  makeCertificates();
  tls = secureServer("good");
  tlsPort = await listen(tls);
});

afterEach(async () => {
  await client?.close();
});

afterAll(() => {
  tls.closeAllConnections();
  tls.close();
  rmSync(folder, { recursive: true });
});

describe("TLS", () => {
  test("an unknown authority is never tried again, and the hint says how to trust it", async () => {
    const made = use({});
    expect(await failureOf(made.send(requestTo(new URL(`https://localhost:${tlsPort}/`), { retry: "safe" })))).toEqual({
      code: "TLS_UNVERIFIED",
      message: `the TLS certificate of localhost:${tlsPort} cannot be verified: unable to verify the first certificate`,
      hint: "--ca-file FILE with the certificate authority of the registry",
    });
    expect(made.lines.filter((line) => line.startsWith("verbose"))).toEqual([]);
  });

  test("--ca-file, SSL_CERT_FILE", async () => {
    const ca = join(folder, "ca.pem");
    expect(await text(use({ caFile: ca }), `https://localhost:${tlsPort}/a`)).toBe("/a -");
    await client?.close();
    expect(await text(use({ env: { SSL_CERT_FILE: ca } }), `https://localhost:${tlsPort}/b`)).toBe("/b -");
  });

  test("NODE_EXTRA_CA_CERTS counts beside another file, and only warns when it is no good", async () => {
    const env = { SSL_CERT_FILE: join(folder, "expired.pem"), NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") };
    expect(await text(use({ env }), `https://localhost:${tlsPort}/a`)).toBe("/a -");
    await client?.close();
    const missing = { SSL_CERT_FILE: join(folder, "ca.pem"), NODE_EXTRA_CA_CERTS: join(folder, "none") };
    expect(await text(use({ env: missing }), `https://localhost:${tlsPort}/a`)).toBe("/a -");
    expect(client?.lines.filter((line) => line.startsWith("warn"))).toEqual([
      expect.stringMatching(/^warn: NODE_EXTRA_CA_CERTS: ".*none" cannot be read: ENOENT/),
    ]);
  });

  test("a file that is missing or holds no certificate", async () => {
    const url = new URL(`https://localhost:${tlsPort}/`);
    const missing = use({ caFile: join(folder, "none") });
    expect(await failureOf(missing.send(requestTo(url)))).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^--ca-file: ".*none" cannot be read: ENOENT/),
    });
    await missing.close();
    const wrong = use({ env: { SSL_CERT_FILE: join(folder, "ca.key") } });
    expect(await failureOf(wrong.send(requestTo(url)))).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^SSL_CERT_FILE: ".*ca\.key" holds no certificate in PEM form$/),
    });
  });

  test("another name, another time", async () => {
    const expired = secureServer("expired");
    const port = await listen(expired);
    const made = use({ caFile: join(folder, "ca.pem") });
    expect(await failureOf(made.send(requestTo(new URL(`https://127.0.0.1:${tlsPort}/`))))).toMatchObject({
      code: "TLS_UNVERIFIED",
      message: expect.stringContaining("does not match"),
    });
    expect(await failureOf(made.send(requestTo(new URL(`https://localhost:${port}/`))))).toMatchObject({
      code: "TLS_UNVERIFIED",
      message: expect.stringContaining("expired"),
    });
    expired.close();
  });

  test("unverified only for the host named, and loudly", async () => {
    const other = secureServer("good");
    const port = await listen(other);
    const made = use({ insecureHosts: [`LOCALHOST:${tlsPort}`] });
    expect(await text(made, `https://localhost:${tlsPort}/a`)).toBe("/a -");
    expect(await text(made, `https://localhost:${tlsPort}/b`)).toBe("/b -");
    expect(await failureOf(made.send(requestTo(new URL(`https://localhost:${port}/`))))).toMatchObject({
      code: "TLS_UNVERIFIED",
    });
    expect(made.lines.filter((line) => line.startsWith("warn"))).toEqual([
      `warn: the TLS certificate of localhost:${tlsPort} is NOT verified (--insecure-tls): others may read and change what is transferred`,
    ]);
    other.close();
  });

  test("a plain http registry asked by https", async () => {
    const plain = createHttpServer();
    const host = `127.0.0.1:${await listen(plain)}`;
    const made = use({});
    expect(await failureOf(made.send(requestTo(new URL(`https://${host}/`))))).toEqual({
      code: "REPLY_INVALID",
      message: `${host} does not speak TLS`,
      hint: "if it is a plain http registry, add --plain-http",
    });
    plain.on("clientError", (_error, socket) => socket.destroy());
    expect(await failureOf(made.send(requestTo(new URL(`https://${host}/`))))).toEqual({
      code: "NETWORK",
      message: `${host} closed the connection during the TLS handshake`,
      hint: "if it is a plain http registry, add --plain-http",
    });
    plain.close();
  });
});

describe("a proxy", () => {
  const credential = `Basic ${Buffer.from("alice:open:sesame").toString("base64")}`;
  let proxy: Server;
  let proxyHost: string;
  let upstream: Faults;
  let asked: string[];
  let tunnelStatus: string;

  beforeEach(async () => {
    upstream = await startFaults();
    upstream.on({}, reply(200, { body: "plain" }));
    asked = [];
    tunnelStatus = "200 Connection established";
    // Whatever name is asked for, the proxy knows where it is: names need no DNS here.
    proxy = createHttpServer((request, response) => {
      asked.push(
        `${request.method} ${request.url} ${request.headers.host} ${request.headers["proxy-authorization"] ?? "-"}`,
      );
      response.end("by proxy");
    });
    proxy.on("connect", (request, socket: Socket, head) => {
      asked.push(`CONNECT ${request.url} ${request.headers.host} ${request.headers["proxy-authorization"] ?? "-"}`);
      socket.on("error", () => {});
      if (!tunnelStatus.startsWith("200")) {
        socket.end(`HTTP/1.1 ${tunnelStatus}\r\n\r\n`);
        return;
      }
      const out = connect(tlsPort, "127.0.0.1", () => {
        socket.write(`HTTP/1.1 ${tunnelStatus}\r\n\r\n`);
        out.write(head);
        out.pipe(socket).pipe(out);
      });
      out.on("error", () => socket.destroy());
      socket.on("close", () => out.destroy());
    });
    proxyHost = `127.0.0.1:${await listen(proxy)}`;
  });

  afterEach(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await upstream.close();
  });

  test("is asked in absolute form for http, with its password", async () => {
    const made = use({ env: { HTTP_PROXY: `http://alice:open%3Asesame@${proxyHost}`, NO_PROXY: ".other" } });
    expect(await text(made, "http://reg.example/v2/?n=1")).toBe("by proxy");
    expect(asked).toEqual([`GET http://reg.example/v2/?n=1 reg.example ${credential}`]);
    expect(made.lines.join("\n")).not.toContain("sesame");
  });

  test("is asked for a tunnel for https; the password is for the proxy alone", async () => {
    const made = use({
      env: { https_proxy: `http://alice:open%3Asesame@${proxyHost}` },
      caFile: join(folder, "ca.pem"),
    });
    expect(await text(made, "https://reg.example/v2/")).toBe("/v2/ -");
    expect(await text(made, "https://reg.example/again")).toBe("/again -");
    expect(asked).toEqual([`CONNECT reg.example:443 reg.example:443 ${credential}`]);
  });

  test("does not weaken TLS", async () => {
    const made = use({ env: { https_proxy: proxyHost } });
    expect(await failureOf(made.send(requestTo(new URL("https://reg.example:8443/"))))).toMatchObject({
      code: "TLS_UNVERIFIED",
      message: expect.stringContaining("of reg.example:8443 cannot"),
    });
    expect(asked).toEqual(["CONNECT reg.example:8443 reg.example:8443 -"]);
  });

  test("is left out for NO_PROXY and loopback", async () => {
    const env = { HTTP_PROXY: `http://${proxyHost}`, NO_PROXY: "reg.invalid" };
    const made = use({ env });
    expect(await text(made, upstream.url.href)).toBe("plain");
    expect(await failureOf(made.send(requestTo(new URL("http://reg.invalid/"))))).toMatchObject({
      code: "NETWORK",
      message: "the host name reg.invalid is not known to DNS",
    });
    expect(asked).toEqual([]);
  });

  test.each([
    ["407 Proxy Authentication Required", "UNAUTHORIZED", "wants a login (407)"],
    ["403 Forbidden", "FORBIDDEN", "opens no tunnel to reg.example:443: status 403"],
    ["502 Bad Gateway", "SERVER_ERROR", "opens no tunnel to reg.example:443: status 502"],
  ])("that answers %s", async (status, code, words) => {
    tunnelStatus = status;
    const made = use({ env: { HTTPS_PROXY: `http://${proxyHost}` } });
    expect(await failureOf(made.send(requestTo(new URL("https://reg.example/"))))).toMatchObject({
      code,
      message: `proxy ${proxyHost} (HTTPS_PROXY) ${words}`,
    });
  });

  test("that is not there, and one whose headers never end", async () => {
    const gone = await startFaults();
    await gone.close();
    const env = { HTTPS_PROXY: `http://${gone.host}`, HTTP_PROXY: `http://${gone.host}` };
    const made = use({ env });
    for (const [scheme, from] of [
      ["http", "HTTP_PROXY"],
      ["https", "HTTPS_PROXY"],
    ]) {
      expect(await failureOf(made.send(requestTo(new URL(`${scheme}://reg.example/`))))).toMatchObject({
        code: "NETWORK",
        message: `proxy ${gone.host} (${from}) refused the connection: nothing listens there`,
      });
    }
    await made.close();
    proxy.removeAllListeners("connect").on("connect", (_request, socket: Socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 200 OK\r\nx-long: ");
      const more = () => void (socket.writable && socket.write("a".repeat(65_536), more));
      more();
    });
    const flooded = use({ env: { HTTPS_PROXY: `http://${proxyHost}` } });
    expect(await failureOf(flooded.send(requestTo(new URL("https://reg.example/"))))).toMatchObject({
      code: "REPLY_INVALID",
      message: `the headers of proxy ${proxyHost} (HTTPS_PROXY) are too long`,
    });
  });
});
