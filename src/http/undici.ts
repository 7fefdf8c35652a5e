/**
 * The wire: one request, one answer of whatever status. The only import of undici. HTTP/1.1 on purpose: large downloads
 * over HTTP/2 break with INTERNAL_ERROR at NGC, GHCR and zot behind nginx (sylabs/singularity#2854).
 */
import { type OnReadOpts, Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { buildConnector, Pool } from "undici";
import type { Log } from "../call.ts";
import { SregistryError, systemCode } from "../errors.ts";
import { bareHost } from "./address.ts";
import { createBulkClient } from "./bulk.ts";
import { type TrustOptions, trustContext } from "./ca.ts";
import { Exchange } from "./exchange.ts";
import { mergeHeaders } from "./headers.ts";
import { networkError } from "./network-error.ts";
import { type Environment, type HttpProxy, proxyFor } from "./proxy.ts";
import { MAX_HEADER_SIZE } from "./response-head.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

export interface Timeouts {
  /** Milliseconds to establish a connection, TLS included. */
  readonly connect: number;
  /** Milliseconds from the last byte of a request to the headers of its answer. */
  readonly headers: number;
  /** Milliseconds in which no byte of a body moves. */
  readonly idle: number;
}

export interface WireOptions extends TrustOptions {
  readonly env: Environment;
  readonly userAgent: string;
  readonly timeouts: Timeouts;
  /** `host[:port]` whose certificates are not verified. */
  readonly insecureHosts: readonly string[];
  readonly log: Log;
}

type Connector = buildConnector.connector;

export function createWire(options: WireOptions): Transport {
  const pools = new Map<string, Promise<Pool>>();
  const connecting = new Set<Socket>();
  let trust: Promise<SecureContext | undefined> | undefined;

  async function tlsOptions(host: string) {
    trust ??= trustContext(options);
    const secureContext = await trust;
    const verified = !options.insecureHosts.includes(host);
    if (!verified) {
      options.log.warn(
        `the TLS certificate of ${host} is NOT verified (--insecure-tls): others may read and change what is transferred`,
      );
    }
    return { rejectUnauthorized: verified, ...(secureContext === undefined ? {} : { secureContext }) };
  }

  async function direct(url: URL, name: string, more: { readonly onread?: OnReadOpts } = {}): Promise<Connector> {
    const tls = url.protocol === "https:" ? await tlsOptions(url.host) : {};
    return careful(buildConnector({ ...tls, ...more, timeout: options.timeouts.connect }), name, connecting);
  }

  const bulk = createBulkClient({
    timeouts: options.timeouts,
    connect: async (url, onread) => connected(await direct(url, url.host, { onread }), url),
  });
  /** Origins that answer large requests without a length. */
  const unmeasured = new Set<string>();

  /** Undefined where undici is to be asked. */
  async function sendBulk(request: HttpRequest): Promise<HttpResponse | undefined> {
    const { url, body } = request;
    if (unmeasured.has(url.origin) || (body !== undefined && body.size === undefined)) return undefined;
    const response = await bulk.send(request, requestHeaders(request, undefined, options));
    if (response === undefined) unmeasured.add(url.origin);
    return response;
  }

  function makePool(url: URL, connect: Connector): Pool {
    return new Pool(url.origin, {
      connect,
      maxHeaderSize: MAX_HEADER_SIZE,
      headersTimeout: options.timeouts.connect,
      bodyTimeout: 0,
    });
  }

  /** A pool that speaks to `url`'s origin: at first hand, or through a tunnel of `proxy`. */
  async function openPool(url: URL, proxy: HttpProxy | undefined, peer: string): Promise<Pool> {
    if (proxy === undefined) return makePool(url, await direct(url, peer));
    const name = `proxy ${proxy.url.host} (${proxy.from})`;
    if (url.protocol === "http:") return makePool(proxy.url, await direct(proxy.url, name));
    const proxyPool = await poolFor(proxy.url, undefined, name);
    const tls = buildConnector({ ...(await tlsOptions(url.host)), timeout: options.timeouts.connect });
    return makePool(url, tunnel(proxyPool, proxy, name, careful(tls, url.host, connecting)));
  }

  /** `peer`: how errors call whom we connect to. */
  function poolFor(url: URL, proxy: HttpProxy | undefined, peer = url.host): Promise<Pool> {
    const key = [url.origin, peer, proxy?.url.origin ?? ""].join(" ");
    const known = pools.get(key);
    if (known !== undefined) return known;
    const made = openPool(url, proxy, peer);
    pools.set(key, made);
    made.catch(() => pools.delete(key));
    return made;
  }

  return {
    async send(request) {
      const proxy = proxyFor(request.url, options.env);
      const answered = request.bulk === true && proxy === undefined ? await sendBulk(request) : undefined;
      if (answered !== undefined) return answered;
      const pool = await poolFor(request.url, proxy);
      return exchange(pool, request, request.url.protocol === "http:" ? proxy : undefined, options);
    },
    /** Also ends what is still under way, so that nothing keeps the process alive. */
    async close() {
      const open = await Promise.allSettled(pools.values());
      pools.clear();
      bulk.close();
      for (const socket of connecting) socket.destroy();
      await Promise.all(open.map((pool) => (pool.status === "fulfilled" ? pool.value.destroy() : undefined)));
    },
  };
}

function exchange(
  pool: Pool,
  request: HttpRequest,
  proxy: HttpProxy | undefined,
  options: WireOptions,
): Promise<HttpResponse> {
  const { method, url } = request;
  const target = `${url.pathname}${url.search}`;
  const talk = new Exchange(request, options.timeouts);
  pool.dispatch(
    {
      method,
      // A proxy is asked in absolute form (RFC 9112, section 3.2.2).
      path: proxy === undefined ? target : `${url.origin}${target}`,
      headers: requestHeaders(request, proxy, options),
      body: talk.payload ?? null,
      // Exchange keeps its own clock: undici's does not watch uploads and counts in whole seconds.
      headersTimeout: 0,
      bodyTimeout: 0,
      // undici closes the connection after a HEAD unless told otherwise.
      reset: false,
    },
    talk,
  );
  return talk.response;
}

function requestHeaders(
  { url, headers, body }: HttpRequest,
  proxy: HttpProxy | undefined,
  { userAgent }: WireOptions,
): Record<string, string> {
  return mergeHeaders(
    { "user-agent": userAgent, accept: "*/*" },
    headers,
    { "accept-encoding": "identity" },
    body?.size === undefined ? undefined : { "content-length": String(body.size) },
    proxy === undefined ? undefined : { host: url.host },
    proxy?.authorization === undefined ? undefined : { "proxy-authorization": proxy.authorization },
  );
}

/** A connection to `url`'s origin, as undici would ask for it. */
function connected(connect: Connector, { protocol, host, hostname, port }: URL): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connect({ protocol, host, hostname: bareHost(hostname), port }, (error, socket) =>
      error === null ? resolve(socket) : reject(error),
    );
  });
}

/** Names the peer in connection errors, remembers sockets that still connect, and lets early answers through. */
function careful(connect: Connector, name: string, connecting: Set<Socket>): Connector {
  return (options, callback) => {
    const made: unknown = connect(options, (...result) => {
      if (made instanceof Socket) connecting.delete(made);
      if (result[0] !== null) return callback(networkError(result[0], name), null);
      holdWriteErrors(result[1]);
      return callback(null, result[1]);
    });
    if (made instanceof Socket) connecting.add(made);
  };
}

/** Milliseconds in which an answer may still be read after a write has failed. */
const LAST_WORDS = 1000;

/**
 * A server may refuse a large body early (401, 413, 416) and close. The next write then fails with EPIPE, and Node would
 * destroy the socket with the answer unread in it. So such an error waits until the reading side has come to its end.
 */
function holdWriteErrors(socket: Socket): void {
  const hold = (done: (error?: Error | null) => void) => (error?: Error | null) => {
    const code = systemCode(error);
    if (code !== "EPIPE" && code !== "ECONNRESET") return done(error);
    const timer = setTimeout(() => done(error), LAST_WORDS);
    socket.once("close", () => clearTimeout(timer));
  };
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, done) => write(chunk, encoding, hold(done));
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, hold(done));
}

/** A connector that asks `proxy` for a tunnel and speaks TLS with the registry inside it. */
function tunnel(proxyPool: Pool, proxy: HttpProxy, name: string, tls: Connector): Connector {
  return (options, callback) => {
    const authority = options.port ? `${options.host}` : `${options.host}:443`;
    const credential = proxy.authorization === undefined ? {} : { "proxy-authorization": proxy.authorization };
    proxyPool
      .connect({ path: authority, headers: { host: authority, ...credential } })
      .then(({ statusCode, socket }) => {
        if (statusCode === 200 && socket instanceof Socket) return tls({ ...options, httpSocket: socket }, callback);
        socket.on("error", () => {}).destroy();
        return callback(tunnelRefused(statusCode, name, authority), null);
      })
      .catch((error: unknown) => callback(networkError(error, name), null));
  };
}

function tunnelRefused(status: number, name: string, authority: string): SregistryError {
  if (status === 407) {
    return new SregistryError("UNAUTHORIZED", `${name} wants a login (407)`, {
      status,
      hint: "export HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT",
    });
  }
  const code = status === 403 ? "FORBIDDEN" : status >= 500 ? "SERVER_ERROR" : "REFUSED";
  return new SregistryError(code, `${name} opens no tunnel to ${authority}: status ${status}`, { status });
}
