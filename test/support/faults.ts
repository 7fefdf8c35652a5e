/**
 * A faults proxy: a real HTTP server in front of an upstream (or of nothing) that misbehaves on order, and writes down every
 * request. Point a client at `url` instead of the upstream.
 *
 *   const faults = await startFaults({ upstream: registry.url });
 *   faults.on({ method: "GET", path: /\/blobs\// , times: 2 }, cutResponse({ after: 1_000_000, how: "rst" }));
 *   ... faults.requests, faults.count({ method: "GET" }) ...
 *   await faults.close();
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { PassThrough, Transform } from "node:stream";

/** One request as it arrived. `bodyBytes` grows while the body comes in. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  bodyBytes: number;
  /** The first 64 KiB of the body, as text. */
  bodyText: string;
  /** What the client was told; set when the exchange is over. */
  status: number | undefined;
}

export interface Match {
  readonly method?: string;
  /** Tested against path and query. */
  readonly path?: RegExp;
  readonly when?: (request: SeenRequest) => boolean;
}

export interface Rule extends Match {
  /** Matching requests let through before the fault sets in; default 0. */
  readonly skip?: number;
  /** How many requests are hit; default: all. */
  readonly times?: number;
}

/** What a fault may do with one exchange. */
export interface Exchange {
  readonly seen: SeenRequest;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Passes the exchange on to the upstream, bent as told. */
  forward(bend?: Bend): Promise<void>;
  /** Ends the client's connection. */
  cut(how: "rst" | "fin"): void;
}

export interface Bend {
  /** Changes the request's headers. */
  readonly requestHeaders?: (headers: Record<string, string>) => void;
  readonly requestBody?: Transform;
  /** Changes status and headers of the answer. */
  readonly head?: (head: { status: number; headers: Record<string, string> }) => void;
  readonly responseBody?: Transform;
}

export type Fault = (exchange: Exchange) => Promise<void> | void;

export interface Faults {
  readonly url: URL;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** Rules are asked in the order they were added; the first that matches and is not used up acts. */
  on(rule: Rule, fault: Fault): void;
  count(match?: Match): number;
  /** Forgets rules and requests. */
  clear(): void;
  close(): Promise<void>;
}

export async function startFaults(options: { readonly upstream?: URL } = {}): Promise<Faults> {
  const requests: SeenRequest[] = [];
  let rules: { rule: Rule; fault: Fault; matched: number }[] = [];
  const server = createServer((request, response) => {
    const seen = see(request);
    requests.push(seen);
    const found = rules.find((entry) => {
      if (!matches(entry.rule, seen)) return false;
      entry.matched += 1;
      const skip = entry.rule.skip ?? 0;
      return entry.matched > skip && entry.matched <= skip + (entry.rule.times ?? Number.POSITIVE_INFINITY);
    });
    const exchange = makeExchange(seen, request, response, options.upstream);
    const fault = found?.fault ?? (() => exchange.forward());
    // A client that gives up in the middle is what many tests are about.
    Promise.resolve(fault(exchange)).catch(() => exchange.cut("rst"));
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    host: `127.0.0.1:${port}`,
    requests,
    on: (rule, fault) => void rules.push({ rule, fault, matched: 0 }),
    count: (match = {}) => requests.filter((request) => matches(match, request)).length,
    clear() {
      requests.length = 0;
      rules = [];
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function see(request: IncomingMessage): SeenRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  const seen: SeenRequest = {
    method: request.method ?? "",
    path: request.url ?? "",
    headers,
    bodyBytes: 0,
    bodyText: "",
    status: undefined,
  };
  return seen;
}

function matches(match: Match, seen: SeenRequest): boolean {
  if (match.method !== undefined && match.method !== seen.method) return false;
  if (match.path !== undefined && !match.path.test(seen.path)) return false;
  return match.when === undefined || match.when(seen);
}

function makeExchange(
  seen: SeenRequest,
  request: IncomingMessage,
  response: ServerResponse,
  upstream: URL | undefined,
): Exchange {
  request.on("error", () => {});
  response.on("close", () => {
    seen.status = response.headersSent ? response.statusCode : undefined;
  });
  return {
    seen,
    request,
    response,
    forward: (bend = {}) => forward(seen, request, response, upstream, bend),
    cut: (how) => cutSocket(request.socket, how),
  };
}

function cutSocket(socket: Socket, how: "rst" | "fin"): void {
  if (how === "rst") socket.resetAndDestroy();
  else socket.destroySoon();
}

/** Counts a request body into `seen` on its way. */
function counting(seen: SeenRequest): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen.bodyBytes += chunk.length;
      if (seen.bodyText.length < 65_536)
        seen.bodyText += chunk.toString("latin1").slice(0, 65_536 - seen.bodyText.length);
      done(null, chunk);
    },
  });
}

function forward(
  seen: SeenRequest,
  request: IncomingMessage,
  response: ServerResponse,
  upstream: URL | undefined,
  bend: Bend,
): Promise<void> {
  if (upstream === undefined) {
    request.pipe(counting(seen)).resume();
    response
      .writeHead(404, { "content-type": "text/plain" })
      .end("the faults proxy has no upstream and no rule for this");
    return Promise.resolve();
  }
  // Host stays as the client wrote it, so that upload Locations lead back through the proxy.
  const headers = { ...seen.headers };
  bend.requestHeaders?.(headers);
  return new Promise((done, fail) => {
    const out = httpRequest(new URL(seen.path, upstream), { method: seen.method, headers }, (answer) => {
      const head = { status: answer.statusCode ?? 502, headers: {} as Record<string, string> };
      for (const [name, value] of Object.entries(answer.headers)) head.headers[name] = String(value);
      bend.head?.(head);
      response.writeHead(head.status, head.headers);
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      response.on("close", () => answer.destroy());
      answer.pipe(bend.responseBody ?? new PassThrough()).pipe(response);
      response.on("close", done);
    });
    out.on("error", fail);
    response.on("close", () => out.destroy());
    request
      .pipe(counting(seen))
      .pipe(bend.requestBody ?? new PassThrough())
      .pipe(out);
  });
}

/** Passes bytes on and calls `reached` once, when `limit` of them have gone through; what lies beyond is withheld. */
function gate(limit: number, reached: (through: Transform) => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, Math.max(0, limit - passed));
      passed += part.length;
      if (part.length > 0) this.push(part);
      // `done` is not called again: nothing more flows.
      if (part.length < chunk.length || passed >= limit) setImmediate(() => reached(this));
      else done();
    },
  });
}

/** Ends the connection after `after` bytes of the answer's body. */
export function cutResponse(options: { readonly after: number; readonly how?: "rst" | "fin" }): Fault {
  return (exchange) =>
    exchange.forward({ responseBody: gate(options.after, () => afterFlush(exchange, options.how ?? "fin")) });
}

function afterFlush({ response, cut }: Exchange, how: "rst" | "fin"): void {
  const flushed = () => (response.writableLength === 0 ? setTimeout(() => cut(how), 5) : setTimeout(flushed, 5));
  flushed();
}

/** Ends the client's connection after `after` bytes of the request's body have been read; the upstream sees a cut, too. */
export function cutRequest(options: { readonly after: number; readonly how?: "rst" | "fin" }): Fault {
  return (exchange) => exchange.forward({ requestBody: gate(options.after, () => exchange.cut(options.how ?? "rst")) });
}

/** Says nothing: no answer at all, or no more than `after` bytes of its body. */
export function stall(options: { readonly after?: number } = {}): Fault {
  const { after } = options;
  if (after === undefined) return ({ request, seen }) => void request.pipe(counting(seen)).resume();
  return (exchange) => exchange.forward({ responseBody: gate(after, () => {}) });
}

/** Answers by itself, after having read the request's body; the upstream hears nothing. */
export function reply(
  status: number,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Uint8Array } = {},
): Fault {
  return async ({ seen, request, response }) => {
    for await (const chunk of request.pipe(counting(seen))) void chunk;
    const body = options.body ?? "";
    response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...options.headers });
    response.end(seen.method === "HEAD" ? undefined : body);
  };
}

/** Answers at once and closes, whatever of the request's body is still on its way. */
export function replyEarly(
  status: number,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Fault {
  return ({ response, request }) => {
    response.writeHead(status, { connection: "close", ...options.headers });
    response.end(options.body ?? "", () => request.socket.destroySoon());
  };
}

/** 429 (or another status) with Retry-After in seconds. */
export function tooMany(retryAfter: number | string, status = 429): Fault {
  return reply(status, { headers: { "retry-after": String(retryAfter) } });
}

/** Announces another Content-Length than it sends, and closes when it has sent everything. */
export function wrongLength(difference: number): Fault {
  return (exchange) =>
    exchange.forward({
      head: ({ headers }) => {
        headers["content-length"] = String(Number(headers["content-length"] ?? 0) + difference);
        headers["connection"] = "close";
      },
    });
}

/** Behaves as a server without ranges: 200 and everything. */
export const ignoreRange: Fault = (exchange) =>
  exchange.forward({
    requestHeaders: (headers) => {
      delete headers["range"];
      delete headers["if-range"];
    },
  });

/** Flips one bit of the byte at `offset` of the answer's body. */
export function wrongByte(offset: number): Fault {
  return (exchange) => {
    let at = 0;
    const responseBody = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const inside = offset - at;
        const copy = Buffer.from(chunk);
        if (inside >= 0 && inside < copy.length) copy.writeUInt8(copy.readUInt8(inside) ^ 1, inside);
        at += chunk.length;
        done(null, copy);
      },
    });
    return exchange.forward({ responseBody });
  };
}

/** A 206 whose Content-Range is a lie, over the answer the upstream gives. */
export function forgedRange(contentRange: string): Fault {
  return (exchange) =>
    exchange.forward({
      head: (head) => {
        head.status = 206;
        head.headers["content-range"] = contentRange;
      },
    });
}

/** Sends the client elsewhere. A string may be relative; a function gets the path and query asked for. */
export function redirectTo(target: string | ((path: string) => string), status = 307): Fault {
  return (exchange) => {
    const location = typeof target === "string" ? target : target(exchange.seen.path);
    return reply(status, { headers: { location } })(exchange);
  };
}

/** At most `bytesPerSecond` of the answer's body. */
export function slow(bytesPerSecond: number): Fault {
  return (exchange) => {
    const responseBody = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1000);
      },
    });
    return exchange.forward({ responseBody });
  };
}

/** Waits before the exchange goes on as it would. */
export function delay(milliseconds: number): Fault {
  return async (exchange) => {
    await new Promise((done) => setTimeout(done, milliseconds));
    await exchange.forward();
  };
}
