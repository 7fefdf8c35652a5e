import { type AddressInfo, createServer } from "node:net";
import { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { discard, readCapped } from "../../src/http/body.ts";
import { createTransport, type TransportOptions } from "../../src/http/index.ts";
import type { HttpRequest, Transport } from "../../src/http/transport.ts";
import {
  cutRequest,
  cutResponse,
  delay,
  type Faults,
  reply,
  replyEarly,
  stall,
  startFaults,
  tooMany,
  wrongLength,
} from "../support/faults.ts";

const MIB = 1024 * 1024;

let upstream: Faults;
let faults: Faults;
let transport: Transport;
let lines: string[];

function client(options: Partial<TransportOptions> = {}): Transport {
  const note = (line: string) => void lines.push(line);
  return createTransport({
    userAgent: "sregistry/test",
    retry: { base: 1, cap: 2 },
    timeouts: { headers: 300, idle: 300 },
    log: { info: note, warn: note, verbose: note, debug() {} },
    ...options,
  });
}

function get(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "GET",
    url: new URL(path, faults.url),
    accept: [200],
    auth: { kind: "none" },
    retry: "never",
    signal: new AbortController().signal,
    ...more,
  };
}

function put(
  path: string,
  bytes: Uint8Array | (() => Readable),
  size: number | undefined,
  more: Partial<HttpRequest> = {},
): HttpRequest {
  const open = () => (typeof bytes === "function" ? bytes() : bytes);
  return get(path, { method: "PUT", accept: [201], body: size === undefined ? { open } : { open, size }, ...more });
}

async function failure(promise: Promise<unknown>): Promise<Pick<SregistryError, "code" | "message">> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    return { code: error.code, message: error.message };
  }
  throw new Error("it did not fail");
}

function* zeros(size: number): Generator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024);
  for (let left = size; left > 0; left -= chunk.length) yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}

beforeEach(async () => {
  lines = [];
  upstream = await startFaults();
  faults = await startFaults({ upstream: upstream.url });
  transport = client();
});

afterEach(async () => {
  await transport.close();
  await faults.close();
  await upstream.close();
});

describe("one exchange", () => {
  test("a body comes whole, over a connection that is used again", async () => {
    const bytes = Buffer.alloc(3 * MIB, "sif");
    const ports = new Set<number | undefined>();
    faults.on({}, (exchange) => {
      ports.add(exchange.request.socket.remotePort);
      return reply(200, { body: bytes })(exchange);
    });
    for (const path of ["/a", "/b"]) {
      const response = await transport.send(get(path));
      expect(response.status).toBe(200);
      expect((await readCapped(response, 4 * MIB)).equals(bytes)).toBe(true);
    }
    await discard(await transport.send(get("/c", { method: "HEAD" })));
    await discard(await transport.send(get("/d")));
    expect(ports.size).toBe(1);
    expect(faults.requests.slice(0, 2).map(({ headers }) => headers)).toEqual([
      {
        host: faults.host,
        connection: "keep-alive",
        "user-agent": "sregistry/test",
        accept: "*/*",
        "accept-encoding": "identity",
      },
      {
        host: faults.host,
        connection: "keep-alive",
        "user-agent": "sregistry/test",
        accept: "*/*",
        "accept-encoding": "identity",
      },
    ]);
  });

  test("HEAD has no body, whatever length it tells", async () => {
    faults.on({}, reply(200, { body: "12345" }));
    const response = await transport.send(get("/a", { method: "HEAD" }));
    expect(response.headers.get("content-length")).toBe("5");
    expect((await readCapped(response, 10)).length).toBe(0);
  });

  test("a streamed body is sent with its length, or in chunks when that is unknown", async () => {
    faults.on({}, reply(201));
    await discard(await transport.send(put("/sized", () => Readable.from(zeros(2 * MIB)), 2 * MIB)));
    await discard(await transport.send(put("/chunked", () => Readable.from(zeros(2 * MIB)), undefined)));
    await discard(await transport.send(put("/memory", Buffer.alloc(MIB), MIB)));
    await discard(await transport.send(put("/empty", Buffer.alloc(0), 0)));
    expect(
      faults.requests.map(({ path, bodyBytes, headers }) => [
        path,
        bodyBytes,
        headers["content-length"],
        headers["transfer-encoding"],
      ]),
    ).toEqual([
      ["/sized", 2 * MIB, String(2 * MIB), undefined],
      ["/chunked", 2 * MIB, undefined, "chunked"],
      ["/memory", MIB, String(MIB), undefined],
      ["/empty", 0, "0", undefined],
    ]);
  });

  test("a reader that stops stops the server, and no idle time-out strikes", async () => {
    faults.on({}, reply(200, { body: Buffer.alloc(32 * MIB) }));
    const response = await transport.send(get("/a"));
    await new Promise((done) => setTimeout(done, 700));
    expect(response.body.readableLength).toBeLessThan(MIB);
    expect((await readCapped(response, 32 * MIB)).length).toBe(32 * MIB);
  });
});

describe("early answers", () => {
  test.each([401, 413, 416])(
    "a %d while 100 MB are sent settles the promise and later write errors are of no interest",
    async (status) => {
      faults.on({}, replyEarly(status, { body: "no" }));
      for (let round = 0; round < 5; round += 1) {
        const response = await transport.send(
          put(`/${round}`, () => Readable.from(zeros(100 * MIB)), 100 * MIB, { accept: [status] }),
        );
        expect(response.status).toBe(status);
        expect((await readCapped(response, 10)).toString()).toBe("no");
      }
    },
  );
});

/** In a thread of its own, so that it acts while the client's thread does not look. */
const ANSWERS_AND_RESETS = `
  const { createServer } = require("node:net");
  const { parentPort } = require("node:worker_threads");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write("HTTP/1.1 413 Too Large\\r\\ncontent-length: 2\\r\\n\\r\\nno", () => setTimeout(() => socket.resetAndDestroy(), 5));
    });
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

test("an answer and a reset that are both there before the next write: the answer is heard", async () => {
  const server = new Worker(ANSWERS_AND_RESETS, { eval: true });
  const port = await new Promise((done) => server.once("message", done));
  const url = new URL(`http://127.0.0.1:${port}/`);
  const blocking = async function* () {
    yield Buffer.alloc(1000);
    // Let undici write it, then look away until the other side is gone.
    await new Promise((done) => setTimeout(done, 2));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    yield* zeros(4 * MIB);
  };
  for (let round = 0; round < 5; round += 1) {
    const response = await transport.send(
      put("/", () => Readable.from(blocking()), 1000 + 4 * MIB, { url, accept: [413] }),
    );
    expect((await readCapped(response, 10)).toString()).toBe("no");
  }
  await server.terminate();
});

describe("what breaks on the way", () => {
  test("connection refused", async () => {
    const gone = await startFaults();
    await gone.close();
    const { host, url } = gone;
    expect(await failure(transport.send(get("/", { url })))).toEqual({
      code: "NETWORK",
      message: `${host} refused the connection: nothing listens there`,
    });
  });

  test("an unknown name", async () => {
    expect(
      await failure(transport.send(get("/", { url: new URL("http://registry.invalid/"), retry: "safe" }))),
    ).toEqual({
      code: "NETWORK",
      message: "the host name registry.invalid is not known to DNS",
    });
    expect(lines).toEqual([]);
  });

  test.each(["rst", "fin"] as const)("a body cut by %s fails at the reader", async (how) => {
    upstream.on({}, reply(200, { body: Buffer.alloc(2 * MIB) }));
    faults.on({}, cutResponse({ after: MIB, how }));
    const response = await transport.send(get("/a"));
    const error = await failure(readCapped(response, 4 * MIB));
    expect(error.code).toBe("NETWORK");
    expect(error.message).toMatch(
      new RegExp(`^${faults.host} (reset the connection|closed the connection before everything was transferred)$`),
    );
  });

  test("an answer shorter than announced", async () => {
    upstream.on({}, reply(200, { body: "12345" }));
    faults.on({}, wrongLength(5));
    expect(await failure(transport.send(get("/a")).then((response) => readCapped(response, 10)))).toEqual({
      code: "NETWORK",
      message: `${faults.host} closed the connection before everything was transferred`,
    });
  });

  test("a body nobody reads may break without harm", async () => {
    upstream.on({}, reply(200, { body: Buffer.alloc(2 * MIB) }));
    faults.on({}, cutResponse({ after: 10, how: "rst" }));
    await transport.send(get("/a"));
    await new Promise((done) => setTimeout(done, 100));
  });

  test("a request body cut by the server", async () => {
    upstream.on({}, reply(201));
    faults.on({}, cutRequest({ after: MIB }));
    expect((await failure(transport.send(put("/a", () => Readable.from(zeros(64 * MIB)), 64 * MIB)))).code).toBe(
      "NETWORK",
    );
  });

  test("no headers in time", async () => {
    faults.on({}, stall());
    expect(await failure(transport.send(get("/a")))).toEqual({
      code: "TIMEOUT",
      message: `${faults.host} did not answer for 0.3 s`,
    });
  });

  test("a request may wait longer for its answer", async () => {
    upstream.on({}, reply(200));
    faults.on({}, delay(500));
    expect((await transport.send(get("/a", { headersTimeout: 5000 }))).status).toBe(200);
  });

  test("a body that stalls", async () => {
    upstream.on({}, reply(200, { body: "1234567890" }));
    faults.on({}, stall({ after: 5 }));
    const response = await transport.send(get("/a"));
    expect(await failure(readCapped(response, 10))).toEqual({
      code: "TIMEOUT",
      message: `${faults.host} sent nothing more for 0.3 s`,
    });
  });

  test("a server that takes no more of the body", async () => {
    faults.on({}, ({ request }) => void request.pause());
    expect(await failure(transport.send(put("/a", () => Readable.from(zeros(64 * MIB)), 64 * MIB)))).toEqual({
      code: "TIMEOUT",
      message: `${faults.host} took none of the data sent to it for 0.3 s`,
    });
  });

  test("a source that fails is not the network's fault", async () => {
    faults.on({}, reply(201));
    const broken = () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(10);
          throw new SregistryError("INTEGRITY", "the file changed");
        })(),
      );
    expect(await failure(transport.send(put("/a", broken, 20, { retry: "safe" })))).toEqual({
      code: "INTEGRITY",
      message: "the file changed",
    });
    const short = () => Readable.from(zeros(10));
    expect((await failure(transport.send(put("/a", short, 20, { retry: "safe" })))).code).toBe("INTEGRITY");
    expect(lines).toEqual([]);
  });

  test("a source that cannot be opened", async () => {
    const open = () => {
      throw new SregistryError("DISK", "the file is gone");
    };
    expect(await failure(transport.send(get("/a", { method: "PUT", body: { size: 1, open } })))).toEqual({
      code: "DISK",
      message: "the file is gone",
    });
  });

  test("a forged Content-Encoding", async () => {
    faults.on({}, reply(200, { body: "x", headers: { "content-encoding": "gzip" } }));
    expect(await failure(transport.send(get("/a")))).toEqual({
      code: "REPLY_INVALID",
      message: `${faults.host} answered with Content-Encoding "gzip", though identity was asked for`,
    });
  });

  test("headers without end", async () => {
    faults.on({}, ({ request }) => {
      const { socket } = request;
      socket.write("HTTP/1.1 200 OK\r\nx-long: ");
      const more = () => void (socket.writable && socket.write("a".repeat(65_536), more));
      more();
    });
    expect(await failure(transport.send(get("/a")))).toEqual({
      code: "REPLY_INVALID",
      message: `the headers of ${faults.host} are too long`,
    });
  });

  test("a body without end is cut off at the cap", async () => {
    faults.on({}, ({ response }) => {
      response.writeHead(200);
      const more = () => void (response.destroyed || response.write("a".repeat(65_536), more));
      more();
    });
    expect(await failure(transport.send(get("/a")).then((response) => readCapped(response, 100_000)))).toEqual({
      code: "REPLY_INVALID",
      message: `the answer of ${faults.host} to /a is longer than 100000 bytes`,
    });
  });

  test("something that is not HTTP", async () => {
    faults.on({}, ({ request }) => void request.socket.end("SSH-2.0-OpenSSH_9.9\r\n"));
    expect(await failure(transport.send(get("/a")))).toEqual({
      code: "REPLY_INVALID",
      message: `${faults.host} did not answer in HTTP/1.1 (Response does not match the HTTP/1.1 protocol (Expected HTTP/, RTSP/ or ICE/))`,
    });
  });

  test("a chunked answer without its end", async () => {
    faults.on(
      {},
      ({ request }) =>
        void request.socket.end(
          "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\n12345\r\n",
        ),
    );
    const response = await transport.send(get("/a"));
    expect(await failure(readCapped(response, 10))).toEqual({
      code: "NETWORK",
      message: `${faults.host} closed the connection before everything was transferred`,
    });
  });

  test("a header value with a line break never leaves", async () => {
    expect(await failure(transport.send(get("/a", { headers: { "x-a": "b\r\nx-evil: 1" } })))).toEqual({
      code: "USAGE",
      message: "the value of header x-a has a character that HTTP does not allow",
    });
    expect(faults.requests).toEqual([]);
  });
});

describe("stopping", () => {
  test("while waiting, while reading, and before anything", async () => {
    const reason = new SregistryError("TERMINATED", "stopped by SIGTERM");
    faults.on({ path: /stall/ }, stall());
    upstream.on({}, reply(200, { body: Buffer.alloc(4 * MIB) }));
    faults.on({}, stall({ after: MIB }));
    const waiting = new AbortController();
    const sent = failure(transport.send(get("/stall", { signal: waiting.signal, retry: "safe" })));
    setTimeout(() => waiting.abort(reason), 20);
    expect(await sent).toEqual({ code: "TERMINATED", message: "stopped by SIGTERM" });

    const reading = new AbortController();
    const response = await transport.send(get("/read", { signal: reading.signal }));
    setTimeout(() => reading.abort(), 20);
    expect(await failure(readCapped(response, 8 * MIB))).toEqual({
      code: "INTERRUPTED",
      message: "stopped before it was done",
    });

    const opened: string[] = [];
    const open = () => {
      opened.push("opened");
      return Buffer.alloc(1);
    };
    const request = get("/never", { method: "PUT", body: { open }, signal: AbortSignal.abort(reason) });
    expect(await failure(transport.send(request))).toEqual({ code: "TERMINATED", message: "stopped by SIGTERM" });
    expect(opened).toEqual([]);
  });

  test("--timeout is a TIMEOUT and not tried again", async () => {
    faults.on({}, stall());
    const sent = transport.send(get("/a", { signal: AbortSignal.timeout(50), retry: "safe" }));
    expect(await failure(sent)).toEqual({ code: "TIMEOUT", message: "the time set with --timeout is over" });
    expect(faults.count()).toBe(1);
  });

  test("while a TLS handshake hangs; close ends the connection, too", async () => {
    const ended: Promise<unknown>[] = [];
    const silent = createServer((socket) => {
      socket.on("error", () => {}).resume();
      ended.push(new Promise((done) => socket.once("close", done)));
    });
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const url = new URL(`https://127.0.0.1:${(silent.address() as AddressInfo).port}/`);
    const stop = new AbortController();
    const sent = failure(transport.send(get("/", { url, signal: stop.signal })));
    setTimeout(() => stop.abort(), 50);
    expect((await sent).code).toBe("INTERRUPTED");
    await transport.close();
    expect(ended.length).toBe(1);
    await Promise.all(ended);
    silent.close();
  });

  test("close ends what is under way", async () => {
    faults.on({}, stall());
    const sent = failure(transport.send(get("/a")));
    await new Promise((done) => setTimeout(done, 50));
    await transport.close();
    expect((await sent).code).toBe("NETWORK");
  });
});

describe("trying again", () => {
  test("safe requests, with the body opened anew, counted and told", async () => {
    const stats = { retries: 0 };
    await transport.close();
    transport = client({ stats });
    faults.on({ times: 2 }, reply(503, { body: "busy" }));
    faults.on({ times: 1 }, ({ cut }) => cut("rst"));
    faults.on({}, reply(201));
    let opened = 0;
    const open = () => {
      opened += 1;
      return Readable.from(zeros(10));
    };
    const response = await transport.send(put("/a?sig=hush", open, 10, { retry: "safe" }));
    expect([response.status, opened, stats.retries, faults.count()]).toEqual([201, 4, 3, 4]);
    expect(lines.map((line) => line.replace(/again in \S+ s/, "again in N s"))).toEqual([
      `try 1 of 5 failed, again in N s: PUT ${faults.url}a?sig=***: Error response from ${faults.host}: busy (status 503, PUT ${faults.url}a?sig=***)`,
      `try 2 of 5 failed, again in N s: PUT ${faults.url}a?sig=***: Error response from ${faults.host}: busy (status 503, PUT ${faults.url}a?sig=***)`,
      expect.stringMatching(
        /^try 3 of 5 failed, again in N s: PUT .*: 127\.0\.0\.1:\d+ (reset the connection|closed the connection.*)$/,
      ),
    ]);
  });

  test("five tries in all", async () => {
    faults.on({}, reply(500));
    expect((await failure(transport.send(get("/a", { retry: "safe" })))).code).toBe("SERVER_ERROR");
    expect(faults.count()).toBe(5);
  });

  test.each([400, 401, 403, 404, 409, 416, 501, 505])("never a %d", async (status) => {
    faults.on({}, reply(status));
    await failure(transport.send(get("/a", { retry: "safe" })));
    expect(faults.count()).toBe(1);
  });

  test("never what the caller accepts, or what is not safe", async () => {
    faults.on({}, reply(503));
    await transport.send(get("/a", { retry: "safe", accept: [503] }));
    await failure(transport.send(get("/a", { retry: "never" })));
    expect(faults.count()).toBe(2);
  });

  test("a Retry-After that is too long ends it with the time", async () => {
    faults.on({}, tooMany(3600));
    const error = await failure(transport.send(get("/a", { retry: "safe" })));
    expect(error.code).toBe("RATE_LIMITED");
    expect(error.message).toMatch(
      /\(status 429, GET .*\/a\); it asks to be left alone for 3600 s, until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    );
    expect(faults.count()).toBe(1);
  });

  test("a short Retry-After is kept", async () => {
    faults.on({ times: 1 }, tooMany(0));
    faults.on({}, reply(200));
    await transport.send(get("/a", { retry: "safe" }));
    expect(lines[0]).toMatch(/^try 1 of 5 failed, again in 0 s: /);
  });
});
