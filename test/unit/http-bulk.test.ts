/** Large bodies past undici, over real sockets: the same answers, failures and rules as any other request. */
import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { readCapped } from "../../src/http/body.ts";
import { createBulkClient } from "../../src/http/bulk.ts";
import { createTransport } from "../../src/http/index.ts";
import { pour } from "../../src/http/pour.ts";
import { dechunk, MAX_HEADER_SIZE, parseResponseHead } from "../../src/http/response-head.ts";
import type { Body, HttpRequest, HttpResponse, Transport } from "../../src/http/transport.ts";

const MIB = 1024 * 1024;

type Script = (socket: Socket, request: string, connection: number) => Promise<void> | void;

let server: Server;
let script: Script;
let connections: number;
let requests: string[];
let sockets: Set<Socket>;
let transport: Transport;

beforeEach(async () => {
  connections = 0;
  requests = [];
  sockets = new Set();
  server = createServer((socket) => {
    connections += 1;
    const own = connections;
    sockets.add(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length && !/early/.test(text)) return;
      requests.push(text);
      const request = text;
      text = "";
      Promise.resolve(script(socket, request, own)).catch(() => socket.destroy());
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  transport = createTransport({
    userAgent: "sregistry-test",
    retry: { tries: 1 },
    timeouts: { connect: 1000, headers: 1000, idle: 1000 },
  });
});
afterEach(async () => {
  await transport.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => server.close(done));
});

function bulk(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  const { port } = server.address() as AddressInfo;
  return {
    method: "GET",
    url: new URL(`http://127.0.0.1:${port}${path}`),
    accept: [200, 202, 206, 404],
    auth: { kind: "none" },
    retry: "never",
    bulk: true,
    signal: new AbortController().signal,
    ...more,
  };
}

/** What arrives, and in how many pieces. */
async function poured(response: HttpResponse): Promise<{ readonly bytes: Buffer; readonly pieces: number }> {
  const pieces: Buffer[] = [];
  await pour(response.body, async (piece) => void pieces.push(Buffer.from(piece)));
  return { bytes: Buffer.concat(pieces), pieces: pieces.length };
}

async function failure(work: Promise<unknown>): Promise<SregistryError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SregistryError) return error;
  throw new Error(`not a SregistryError: ${String(error)}`);
}

const answer = (bytes: Uint8Array, more = "") => [
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n${more}\r\n`),
  bytes,
];

function whole(bytes: Uint8Array, more = ""): Script {
  return (socket) => {
    for (const part of answer(bytes, more)) socket.write(part);
  };
}

describe("a large answer", () => {
  it.each([0, 1, 65_536, MIB - 1, MIB, MIB + 1, 5 * MIB + 17])("of %d bytes arrives as it was sent", async (size) => {
    const bytes = randomBytes(size);
    script = whole(bytes);
    const got = await poured(await transport.send(bulk("/a")));
    expect(got.bytes.equals(bytes)).toBe(true);
    expect(got.pieces).toBeLessThanOrEqual(size / MIB + 2 + 40);
  });

  it("can be read as a stream too", async () => {
    const bytes = randomBytes(3 * MIB);
    script = whole(bytes);
    expect((await readCapped(await transport.send(bulk("/a")), 4 * MIB)).equals(bytes)).toBe(true);
  });

  it("leaves its connection to the next request, whether it was poured or streamed", async () => {
    const bytes = randomBytes(2 * MIB);
    script = whole(bytes);
    for (let turn = 0; turn < 40; turn += 1) {
      const response = await transport.send(bulk(`/${turn}`));
      const got = turn % 2 === 0 ? (await poured(response)).bytes : await readCapped(response, 4 * MIB);
      expect(got.equals(bytes)).toBe(true);
    }
    expect(connections).toBe(1);
  });

  it("that says Connection: close takes its connection with it", async () => {
    script = whole(randomBytes(10), "Connection: close\r\n");
    await poured(await transport.send(bulk("/1")));
    await poured(await transport.send(bulk("/2")));
    expect(connections).toBe(2);
  });

  it("comes in small pieces without one being lost or doubled", async () => {
    const bytes = randomBytes(300_000);
    script = async (socket) => {
      const all = Buffer.concat(answer(bytes));
      for (let at = 0; at < all.length; ) {
        const next = at + 1 + Math.floor(Math.random() * 9000);
        socket.write(all.subarray(at, next));
        at = next;
        await new Promise((done) => setTimeout(done, 1));
      }
    };
    expect((await poured(await transport.send(bulk("/a")))).bytes.equals(bytes)).toBe(true);
  });

  it("after 100 and 103 is the one that counts", async () => {
    script = (socket) => {
      socket.write("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
      for (const part of answer(Buffer.from("image"))) socket.write(part);
    };
    expect((await poured(await transport.send(bulk("/a")))).bytes.toString()).toBe("image");
  });

  it("without a length is asked for again in the ordinary way, and so is all that follows", async () => {
    script = (socket, request) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nimage\r\n0\r\n\r\n");
      void request;
    };
    for (const path of ["/1", "/2"]) {
      expect((await poured(await transport.send(bulk(path)))).bytes.toString()).toBe("image");
    }
    expect(requests.map((text) => text.split(" ")[1])).toEqual(["/1", "/1", "/2"]);
  });

  it.each(["chunked", "until closed"])("that refuses (%s) keeps the server's words", async (kind) => {
    script = (socket) => {
      if (kind === "chunked") {
        socket.write("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nnever\r\n");
        setTimeout(() => socket.write("3\r\n, n\r\n1\r\no\r\n0\r\n\r\n"), 20);
      } else socket.end("HTTP/1.1 403 No\r\n\r\nnever, no");
    };
    expect((await failure(transport.send(bulk("/a")))).message).toContain("never, no");
  });
});

describe("a large answer that goes wrong", () => {
  it.each(["fin", "rst"])("in the middle (%s) hands over what came before it fails", async (how) => {
    const bytes = randomBytes(1_500_000);
    script = (socket) => {
      const [head, body] = answer(bytes);
      socket.write(head ?? "");
      socket.write((body ?? Buffer.alloc(0)).subarray(0, 1_200_000), () =>
        setTimeout(() => (how === "fin" ? socket.end() : socket.resetAndDestroy()), 50),
      );
    };
    const response = await transport.send(bulk("/a"));
    const pieces: Buffer[] = [];
    const error = await failure(pour(response.body, async (piece) => void pieces.push(Buffer.from(piece))));
    expect(error.code).toBe("NETWORK");
    expect(Buffer.concat(pieces).equals(bytes.subarray(0, 1_200_000))).toBe(true);
  });

  it("that stalls is given up, after what came of it was handed over", async () => {
    script = (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning");
    };
    const response = await transport.send(bulk("/a"));
    let text = "";
    const error = await failure(
      pour(response.body, async (piece) => {
        text += piece.toString();
      }),
    );
    expect([error.code, text]).toEqual(["TIMEOUT", "beginning"]);
    expect(error.message).toContain("sent nothing more for 1 s");
  });

  it("that never comes is given up", async () => {
    script = () => {};
    expect(await failure(transport.send(bulk("/a")))).toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("did not answer for 1 s"),
    });
  });

  it("with more bytes than announced is refused, whenever they come", async () => {
    script = (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nimage, and more");
    expect((await failure(transport.send(bulk("/a")).then(poured))).code).toBe("REPLY_INVALID");
    const bytes = randomBytes(2 * MIB);
    script = (socket) => {
      for (const part of answer(bytes.subarray(0, bytes.length - 10))) socket.write(part);
      socket.write("0123456789");
    };
    // Whether the rest is seen with what was announced is chance; the connection is not used again in any case.
    const got = await transport
      .send(bulk("/b"))
      .then(poured)
      .then(({ bytes: all }) => all.length)
      .catch((error: SregistryError) => error.code);
    expect(["REPLY_INVALID", bytes.length - 10]).toContain(got);
    script = whole(Buffer.from("next"));
    expect((await poured(await transport.send(bulk("/c")))).bytes.toString()).toBe("next");
  });

  it("with a Content-Encoding is refused", async () => {
    script = whole(Buffer.from("image"), "Content-Encoding: gzip\r\n");
    expect((await failure(transport.send(bulk("/a")))).message).toContain("Content-Encoding");
  });

  it.each([
    ["SSH-2.0-OpenSSH_9\r\n", "no status line"],
    [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(MAX_HEADER_SIZE)}\r\n\r\n`, "headers of more than"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both Content-Length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 'Content-Length "5, 6"'],
    ["HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "a line among its headers"],
  ])("in no HTTP/1.1 is called so (%#)", async (text, words) => {
    script = (socket) => void socket.write(text);
    const error = await failure(transport.send(bulk("/a")));
    expect(error.code).toBe("REPLY_INVALID");
    expect(error.message).toContain(words);
  });

  it("ends at once when it is not wanted any more", async () => {
    const ended = new AbortController();
    const closed = new Promise<void>((done) => {
      script = (socket) => {
        socket.on("close", done);
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${10 * MIB}\r\n\r\n`);
        const more = () => void (socket.destroyed || socket.write(randomBytes(1000), () => setTimeout(more, 1)));
        more();
      };
    });
    const response = await transport.send(bulk("/a", { signal: ended.signal }));
    const work = failure(pour(response.body, async () => ended.abort()));
    expect((await work).code).toBe("INTERRUPTED");
    await closed;
  });

  it("is not waited for while the connection is still being made, once it is not wanted any more", async () => {
    const ended = new AbortController();
    let made: (socket: Socket) => void = () => {};
    const client = createBulkClient({
      timeouts: { headers: 300, idle: 300 },
      connect: () => new Promise((resolve) => (made = resolve)),
    });
    const asked = failure(client.send(bulk("/a", { signal: ended.signal }), {}));
    ended.abort();
    expect((await asked).code).toBe("INTERRUPTED");
    const late = connect((server.address() as AddressInfo).port, "127.0.0.1");
    made(late);
    await new Promise((done) => late.once("close", done));
    expect(late.destroyed).toBe(true);
  });

  it("is not read ahead of whoever takes it", async () => {
    const bytes = Buffer.alloc(64 * MIB);
    script = whole(bytes);
    const response = await transport.send(bulk("/a"));
    let taken = 0;
    let release: () => void = () => {};
    const held = new Promise<void>((done) => {
      release = done;
    });
    const pouring = pour(response.body, async (piece) => {
      taken += piece.length;
      if (taken >= 4 * MIB) await held;
    });
    await new Promise((done) => setTimeout(done, 400));
    expect(taken).toBeLessThan(6 * MIB);
    release();
    await pouring;
    expect(taken).toBe(bytes.length);
  });
});

describe("a large request", () => {
  const sent = (bytes: Buffer): Body => ({
    size: bytes.length,
    open: () => Readable.from([bytes]),
    async pour(take) {
      const piece = Buffer.alloc(100_000);
      for (let at = 0; at < bytes.length; at += piece.length) {
        const length = bytes.copy(piece, 0, at);
        await take(piece.subarray(0, length));
        piece.fill(0);
      }
    },
  });

  it.each(["poured", "opened"])("arrives as it was %s", async (kind) => {
    const bytes = randomBytes(3 * MIB);
    script = (socket) => void socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nLocation: /next\r\n\r\n");
    const { pour: _pour, ...opened } = sent(bytes);
    const body = kind === "poured" ? sent(bytes) : opened;
    for (const path of ["/1", "/2"]) {
      const response = await transport.send(bulk(path, { method: "PATCH", body }));
      expect([response.status, response.headers.get("location")]).toEqual([202, "/next"]);
    }
    expect(connections).toBe(1);
    for (const text of requests) {
      expect(text.startsWith("PATCH ")).toBe(true);
      expect(Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1").equals(bytes)).toBe(true);
    }
  });

  it("that is refused early is not sent to its end, and its connection not used again", async () => {
    script = (socket, request) => {
      if (request.includes("/early")) {
        socket.pause();
        socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 7\r\n\r\ntoo big");
      } else socket.write("HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n");
    };
    const large = sent(Buffer.alloc(64 * MIB));
    const error = await failure(transport.send(bulk("/early", { method: "PATCH", body: large })));
    expect([error.status, error.message.includes("too big")]).toEqual([413, true]);
    expect((await transport.send(bulk("/b", { method: "PATCH", body: sent(Buffer.alloc(10)) }))).status).toBe(202);
    expect(connections).toBe(2);
  });

  it("that nobody takes is given up", async () => {
    server.removeAllListeners("connection");
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.pause();
    });
    const error = await failure(transport.send(bulk("/a", { method: "PUT", body: sent(Buffer.alloc(64 * MIB)) })));
    expect(error).toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("took none of the data") });
  });

  it("whose source fails says so, and is no network error", async () => {
    script = () => {};
    const body: Body = {
      size: 100,
      open: () =>
        new Readable({
          read() {
            this.destroy(new Error("EIO: i/o error, read"));
          },
        }),
    };
    expect((await failure(transport.send(bulk("/a", { method: "PUT", body })))).code).toBe("DISK");
  });
});

describe("parsing", () => {
  it("finds the same head wherever the bytes are cut", () => {
    const text = "HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nX-A: 1\r\nx-a: 2\r\nConnection: Close\r\n\r\n";
    fc.assert(
      fc.property(fc.nat(text.length - 1), (cut) => {
        expect(parseResponseHead(Buffer.from(text.slice(0, cut)), "h")).toBe(undefined);
        const head = parseResponseHead(Buffer.from(`${text}body`), "h");
        expect(head).toEqual({
          status: 206,
          headers: new Map([
            ["content-length", "12"],
            ["x-a", "1, 2"],
            ["connection", "Close"],
          ]),
          body: 12,
          keepAlive: false,
          size: text.length,
        });
      }),
    );
  });

  it("never fails but with REPLY_INVALID, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, chunks) => {
        const input = chunks ? Buffer.from(bytes) : Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\n"), bytes]);
        try {
          (chunks ? dechunk : parseResponseHead)(input, "h");
        } catch (error) {
          expect(error).toMatchObject({ code: "REPLY_INVALID" });
        }
      }),
    );
  });

  it("puts chunks together again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 }),
        fc.nat(),
        (parts, cut) => {
          const body = Buffer.concat([
            ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)};x\r\n`), part, Buffer.from("\r\n")]),
            Buffer.from("0\r\n"),
          ]);
          expect(dechunk(body, "h")?.equals(Buffer.concat(parts))).toBe(true);
          expect(dechunk(body.subarray(0, cut % body.length), "h")).toBe(undefined);
        },
      ),
    );
  });
});
