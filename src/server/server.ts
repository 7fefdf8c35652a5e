/** `sregistry serve`: HTTP over a store. Routes are a table; what they do is the store's. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../call.ts";
import { SregistryError, systemCode } from "../errors.ts";
import type { Store } from "../registry/local/index.ts";
import type { Secret } from "../secret.ts";
import { createAccess, NOBODY } from "./access.ts";
import { type Exchange, replyBytes } from "./exchange.ts";
import { type ErrorForm, Failure, toFailure } from "./failure.ts";
import { createGuard, hostName, isLoopback } from "./guard.ts";
import { UploadSessions } from "./library/sessions.ts";
import { createRouter } from "./router.ts";
import { ROUTES } from "./routes.ts";

export interface ServerOptions {
  readonly store: Store;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /**
   * Any of them may read and write everything; the store's users may write what is theirs. Neither: everybody who can
   * connect may, which is allowed on loopback only.
   */
  readonly tokens?: readonly Secret[];
  /** Everybody may read; writing needs a token. */
  readonly publicRead?: boolean;
  /** Names that the server is called by, besides loopback's and `listen.host`. */
  readonly allowedHosts?: readonly string[];
  /** Bytes of one part of a large upload by the library protocol; default 64 MiB. */
  readonly multipartPartSize?: number;
  readonly log: Log;
}

export interface RegistryServer {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  /** Takes no more requests, lets those that run end for `graceMs` (default 10 s), then cuts them off. */
  close(graceMs?: number): Promise<void>;
}

/** Milliseconds. Requests as a whole have no limit: an upload takes as long as it takes. */
const HEADERS_TIMEOUT = 60_000;
const IDLE_TIMEOUT = 15 * 60_000;
/** For a client to read an answer that came before its body was sent. */
const LINGER = 10_000;
const GRACE = 10_000;

/** @throws SregistryError USAGE for an address that others reach without token and without publicRead, or that is taken. */
export async function createRegistryServer(options: ServerOptions): Promise<RegistryServer> {
  const { store, listen, tokens = [], publicRead = false, allowedHosts = [], log } = options;
  const host = hostName(isIPv6(listen.host) ? `[${listen.host}]` : listen.host);
  const access = createAccess(store);
  const users = await access.users.list();
  if (!isLoopback(host) && tokens.length === 0 && users.length === 0 && !publicRead) {
    throw new SregistryError("USAGE", `${listen.host} can be reached from other machines, and nothing protects it`, {
      hint: "--token-file FILE or sregistry serve user add NAME lets those in who have a token, --public-read lets all read",
    });
  }
  const guard = createGuard({
    tokens,
    users: access.users,
    collections: access.collections,
    closed: users.length > 0,
    publicRead,
    loopback: isLoopback(host),
    hosts: [host, ...allowedHosts.map(hostName)].filter((name) => name !== ""),
  });
  const router = createRouter(ROUTES);
  const uploads = new UploadSessions(options.multipartPartSize);
  const server = createServer({ requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT, keepAliveTimeout: 65_000 });
  server.timeout = IDLE_TIMEOUT;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [path = "", query = ""] = split(request.url ?? "/");
    const common = { request, response, query: new URLSearchParams(query), store, access, uploads, log };
    watch(common, path, server);
    const match = router(request.method ?? "", path);
    const route = match instanceof Failure ? undefined : match.route;
    try {
      const identity = await guard(request, path, route);
      if (match instanceof Failure) throw match;
      const parameters = match.parameters();
      if (request.headers.expect !== undefined) response.writeContinue();
      await match.route.handle({ ...common, identity }, parameters);
    } catch (error) {
      fail({ ...common, identity: NOBODY }, path, error, route?.errors);
    }
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response);
  server.on("request", listener);
  // Answered by hand, so that a client is refused before it sends its body.
  server.on("checkContinue", listener);
  const port = await startListening(server, listen);
  return {
    url: `http://${isIPv6(listen.host) ? `[${listen.host}]` : listen.host}:${port}`,
    async close(graceMs = GRACE) {
      await closeGently(server, graceMs);
      await uploads.close();
    },
  };
}

function split(target: string): readonly [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

/** What every answer gets, the line in the log, and the end of a body that nobody reads any more. */
function watch({ request, response, log }: Omit<Exchange, "identity">, path: string, server: Server): void {
  const started = Date.now();
  response.setHeader("x-content-type-options", "nosniff");
  if (path.startsWith("/v2")) response.setHeader("docker-distribution-api-version", "registry/2.0");
  if (!server.listening) response.setHeader("connection", "close");
  response.once("finish", () => {
    if (!request.complete) setTimeout(() => request.socket.destroy(), LINGER).unref();
  });
  response.once("close", () => {
    const cut = response.writableFinished ? "" : " (cut off)";
    const { method, socket } = request;
    log.verbose(
      `${socket.remoteAddress ?? "-"} ${method} ${withoutSecret(path)} ${response.statusCode}${cut} ${Date.now() - started} ms`,
    );
  });
}

/** Whoever knows an upload's URL may use it. */
function withoutSecret(path: string): string {
  return path.replace(/(\/_upload\/).+/, "$1***");
}

function fail(exchange: Exchange, path: string, error: unknown, form: ErrorForm | undefined): void {
  const { request, response, log } = exchange;
  if (request.socket.destroyed) return;
  const failure = toFailure(error);
  if (failure.status >= 500)
    log.warn(`${request.method} ${withoutSecret(path)}: ${failure.message}${reason(failure.cause)}`);
  if (response.headersSent) {
    // The body has begun: only a broken connection tells the client that it is not whole.
    response.destroy();
    return;
  }
  replyBytes(exchange, failure.status, failure.body(form), { "content-type": "application/json", ...failure.headers });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : "";
}

async function startListening(server: Server, { host, port }: ServerOptions["listen"]): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new SregistryError(
      "USAGE",
      `cannot listen on ${host}:${port}: ${LISTEN_WORDS[systemCode(cause) ?? ""] ?? cause}`,
      {
        hint: "--listen 127.0.0.1:0 takes a free port",
        cause,
      },
    );
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

const LISTEN_WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "ports below 1024 are for root",
  ENOTFOUND: "the name is not known",
};

async function closeGently(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const end = AbortSignal.timeout(graceMs);
  let over = false;
  void closed.then(() => {
    over = true;
  });
  while (!over && !end.aborted) {
    // A connection that is kept alive turns idle only when its answer is out.
    server.closeIdleConnections();
    await Promise.race([closed, sleep(50)]);
  }
  server.closeAllConnections();
  await closed;
}
