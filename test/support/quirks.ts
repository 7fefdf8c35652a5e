/**
 * A small registry with the habits of the ones we cannot run here, and those of the ones we can at the moment they matter.
 * It keeps everything in memory, writes down every request, and cuts connections on order at an exact byte. Faults that
 * need no state (bursts of 429, wrong bytes, ignored ranges) are those of faults.ts, put in front of it.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf } from "../../src/reference/digest.ts";
import { answer, Content, type Exchange, refuse } from "./quirks-content.ts";

export interface Quirks {
  /** What is left of a session whose PATCH or PUT was cut: nothing, every byte, or whole parts of so many bytes. */
  readonly afterCut?: "lost" | "kept" | number;
  /** A GET or PATCH at another Location than the newest ends the session (registry:2 up to 2.8). */
  readonly staleLocationEnds?: boolean;
  /** PATCH: answered 201, and Range stays at the end of the first chunk (ECR). */
  readonly rangeStuck?: boolean;
  /** PATCH: never looked at, always refused with this status. */
  readonly refusesPatch?: number;
  /** PATCH: chunks with more bytes get this status. */
  readonly largestChunk?: { readonly bytes: number; readonly status: 413 | 416 };
  /** PUT: blobs with more bytes in one request get 413. */
  readonly largestPut?: number;
  readonly chunkMinLength?: number;
  readonly location?: "absolute" | "relative" | "elsewhere";
  /** Config media types whose manifests are taken; any other is refused as Quay does. */
  readonly configTypes?: readonly string[];
  /** Requests that one token is good for; absent: nobody asks for one. */
  readonly tokenUses?: number;
  readonly mounts?: "yes" | "no" | "forbidden";
  /** DELETE of a tag: as distribution v3 (202), registry:2 (400), or nothing is deleted at all (405). */
  readonly deletes?: "tags" | "digests" | "nothing";
  readonly pageSize?: number;
  readonly links?: "relative" | "absolute" | "loop" | "foreign";
  readonly referrersApi?: boolean;
  /** Answers without Docker-Content-Digest. */
  readonly digestUntold?: boolean;
}

export const REGISTRY_2: Quirks = { afterCut: "lost", staleLocationEnds: true, deletes: "digests" };
export const DISTRIBUTION_3: Quirks = { afterCut: "kept" };
export const DISTRIBUTION_3_ON_S3: Quirks = { afterCut: 5 * 1024 * 1024 };
export const ECR: Quirks = { rangeStuck: true, afterCut: "kept" };
export const GHCR: Quirks = { largestChunk: { bytes: 4 * 1024 * 1024, status: 416 }, deletes: "nothing" };
export const GAR: Quirks = { refusesPatch: 405 };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** At the second listener, where `location: "elsewhere"` leads. */
  readonly elsewhere: boolean;
  bodyBytes: number;
  status: number | undefined;
}

/** What happens to the body of the `nth` request of `method` (from 1): it is cut, or only a part of it is kept. */
export interface Mishap {
  readonly method: "PATCH" | "PUT";
  readonly nth: number;
  readonly after: number;
  readonly how: "cut" | "keep";
}

export interface QuirkyRegistry {
  readonly url: URL;
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** `METHOD route bytes` of each request, ids and digests shortened: what tests compare. */
  story(): readonly string[];
  /** Bytes of all PATCH and PUT bodies at upload sessions. */
  uploaded(): number;
  readonly content: Content;
  arrange(mishap: Mishap): void;
  /** Ends all sessions, as a restart of registry:2 without http.secret does. */
  restart(): void;
  forget(): void;
  close(): Promise<void>;
}

interface Session {
  bytes: Buffer;
  firstChunk: number | undefined;
}

export async function startQuirks(quirks: Quirks = {}): Promise<QuirkyRegistry> {
  const registry = new Registry(quirks);
  await registry.listen();
  return registry;
}

class Registry implements QuirkyRegistry {
  readonly requests: SeenRequest[] = [];
  readonly content: Content;
  readonly #quirks: Quirks;
  readonly #sessions = new Map<string, Session>();
  readonly #tokens = new Map<string, number>();
  readonly #mishaps: Mishap[] = [];
  readonly #servers: readonly Server[];

  constructor(quirks: Quirks) {
    this.#quirks = quirks;
    this.content = new Content(quirks);
    this.#servers = [false, true].map((elsewhere) =>
      createServer((request, response) => {
        // A body that the client cut short ends here; what is left of the session is settled where it was read.
        this.#serve(request, response, elsewhere).catch(() => response.destroy());
      }),
    );
  }

  async listen(): Promise<void> {
    for (const server of this.#servers) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  }

  get host(): string {
    return hostOf(this.#servers[0]!);
  }

  get url(): URL {
    return new URL(`http://${this.host}/`);
  }

  arrange(mishap: Mishap): void {
    this.#mishaps.push(mishap);
  }

  restart(): void {
    this.#sessions.clear();
  }

  forget(): void {
    this.requests.length = 0;
  }

  story(): readonly string[] {
    return this.requests.map(({ method, path, bodyBytes }) => {
      const route = path
        .replace(/^\/v2\//, "")
        .replace(/uploads\/[0-9a-f-]{36}/, "uploads/ID")
        .replace(/[?&]_state=\d+/, "")
        .replace(/[?&]digest=sha256.*/, "?digest")
        .replace(/sha256:[0-9a-f]{64}/, "DIGEST");
      return `${method} ${route}${bodyBytes === 0 ? "" : ` ${bodyBytes}`}`;
    });
  }

  uploaded(): number {
    const sent = this.requests.filter(({ path }) => /\/blobs\/uploads\//.test(path));
    return sent.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, elsewhere: boolean): Promise<void> {
    const { method = "", url: path = "", headers } = request;
    const seen: SeenRequest = { method, path, headers, elsewhere, bodyBytes: 0, status: undefined };
    this.requests.push(seen);
    response.on("close", () => {
      seen.status = response.headersSent ? response.statusCode : undefined;
    });
    const exchange: Exchange = { request, response, seen, url: new URL(path, `http://${headers.host}/`) };
    if (path.startsWith("/token")) return this.#giveToken(exchange);
    if (!elsewhere && !this.#admitted(exchange)) return;
    const [, repository = "", kind = "", rest = ""] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/(.*)$/.exec(exchange.url.pathname) ?? [];
    if (kind === "blobs/uploads") return this.#upload(exchange, repository, rest);
    if (kind === "blobs") return this.content.blob(exchange, `${repository}@${rest}`);
    if (kind === "manifests") return this.content.manifest(exchange, repository, rest);
    if (kind === "tags") return this.content.list(exchange, "tags", this.content.tagsOf(repository));
    if (kind === "referrers" && this.#quirks.referrersApi === true)
      return this.content.referrers(exchange, repository, rest);
    if (path.startsWith("/v2/_catalog")) {
      return this.content.list(exchange, "repositories", this.content.repositories());
    }
    answer(exchange, 404, { "content-type": "text/plain" }, "404 page not found\n");
  }

  // Tokens

  #giveToken({ response }: Exchange): void {
    const token = `token-${randomUUID()}`;
    this.#tokens.set(token, this.#quirks.tokenUses ?? 0);
    response.end(JSON.stringify({ token, expires_in: 3600 }));
  }

  #admitted(exchange: Exchange): boolean {
    if (this.#quirks.tokenUses === undefined) return true;
    const token = exchange.request.headers.authorization?.replace(/^Bearer /, "") ?? "";
    const left = this.#tokens.get(token) ?? 0;
    this.#tokens.set(token, left - 1);
    if (left > 0) return true;
    const realm = `Bearer realm="http://${exchange.request.headers.host}/token",service="quirks"`;
    exchange.request.resume();
    refuse(exchange, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": realm });
    return false;
  }

  // Uploads

  async #upload(exchange: Exchange, repository: string, id: string): Promise<void> {
    const { method } = exchange.seen;
    if (method === "POST") return this.#begin(exchange, repository);
    const session = this.#sessions.get(id);
    const state = exchange.url.searchParams.get("_state");
    const stale = state !== null && session !== undefined && Number(state) !== session.bytes.length;
    if (stale && this.#quirks.staleLocationEnds === true) this.#sessions.delete(id);
    if (session === undefined || !this.#sessions.has(id)) {
      exchange.request.resume();
      return refuse(exchange, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    }
    if (method === "GET") return answer(exchange, 204, this.#where(exchange, repository, id, session));
    if (method === "PATCH") return this.#patch(exchange, repository, id, session);
    if (method === "PUT") return this.#finish(exchange, repository, id, session);
    refuse(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
  }

  #begin(exchange: Exchange, repository: string) {
    const { searchParams } = exchange.url;
    const { mounts = "no", chunkMinLength } = this.#quirks;
    const mount = searchParams.get("mount");
    const found = this.content.blobs.get(`${searchParams.get("from")}@${mount}`);
    if (mount !== null && mounts === "forbidden") return refuse(exchange, 403, "DENIED", "requested access is denied");
    if (mount !== null && found !== undefined && mounts === "yes") {
      this.content.blobs.set(`${repository}@${mount}`, found);
      return answer(exchange, 201);
    }
    const id = randomUUID();
    const session: Session = { bytes: Buffer.alloc(0), firstChunk: undefined };
    this.#sessions.set(id, session);
    const least = chunkMinLength === undefined ? {} : { "oci-chunk-min-length": String(chunkMinLength) };
    answer(exchange, 202, { ...this.#where(exchange, repository, id, session), ...least });
  }

  #where({ request }: Exchange, repository: string, id: string, session: Session): Record<string, string> {
    const { location = "absolute", rangeStuck } = this.#quirks;
    const path = `/v2/${repository}/blobs/uploads/${id}?_state=${session.bytes.length}`;
    const host = location === "elsewhere" ? hostOf(this.#servers[1]!) : request.headers.host;
    const held = rangeStuck === true ? (session.firstChunk ?? 0) : session.bytes.length;
    return {
      location: location === "relative" ? path : `http://${host}${path}`,
      range: `0-${Math.max(0, held - 1)}`,
    };
  }

  async #patch(exchange: Exchange, repository: string, id: string, session: Session): Promise<void> {
    const { refusesPatch, largestChunk, rangeStuck } = this.#quirks;
    if (refusesPatch !== undefined) {
      exchange.request.resume();
      return refuse(exchange, refusesPatch, "UNSUPPORTED", "chunked upload is not supported");
    }
    const announced = Number(exchange.request.headers["content-length"]);
    if (largestChunk !== undefined && announced > largestChunk.bytes) {
      exchange.request.resume();
      const words = "the request body is too large and exceeds the maximum permissible limit";
      return refuse(exchange, largestChunk.status, "RANGE_INVALID", words);
    }
    if (!this.#inStep(exchange, session)) return;
    const whole = await this.#receive(exchange, id, session);
    if (!whole) return;
    session.firstChunk ??= session.bytes.length;
    answer(exchange, rangeStuck === true ? 201 : 202, this.#where(exchange, repository, id, session));
  }

  async #finish(exchange: Exchange, repository: string, id: string, session: Session): Promise<void> {
    const announced = Number(exchange.request.headers["content-length"] ?? 0);
    if (announced > (this.#quirks.largestPut ?? Number.POSITIVE_INFINITY)) {
      exchange.request.resume();
      return answer(exchange, 413, { "content-type": "text/html" }, "<h1>413 Request Entity Too Large</h1>");
    }
    if (!this.#inStep(exchange, session)) return;
    if (!(await this.#receive(exchange, id, session))) return;
    const digest = digestOf(session.bytes);
    this.#sessions.delete(id);
    if (exchange.url.searchParams.get("digest") !== digest) {
      return refuse(exchange, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    this.content.blobs.set(`${repository}@${digest}`, session.bytes);
    answer(exchange, 201, { "docker-content-digest": digest });
  }

  /** Content-Range is `a-b`; ACR refuses the form of RFC 9110. A body without one goes to the end of what is there. */
  #inStep(exchange: Exchange, session: Session): boolean {
    const range = exchange.request.headers["content-range"];
    const start = Number(range === undefined ? session.bytes.length : /^(\d+)-\d+$/.exec(range)?.[1]);
    if (start === session.bytes.length) return true;
    exchange.request.resume();
    refuse(
      exchange,
      416,
      "RANGE_INVALID",
      `First byte of the layer part is ${start} instead of ${session.bytes.length}`,
    );
    return false;
  }

  /** Reads the body into the session; false when the connection was cut, by us or by the client. */
  async #receive({ request, seen }: Exchange, id: string, session: Session): Promise<boolean> {
    const before = session.bytes;
    const nth = this.requests.filter(({ method, path }) => method === seen.method && /\/uploads\//.test(path)).length;
    const mishap = this.#mishaps.find((one) => one.method === seen.method && one.nth === nth);
    const limit = mishap?.after ?? Number.POSITIVE_INFINITY;
    const settle = (cut: boolean): void => {
      session.bytes = Buffer.concat(chunks);
      if (cut) this.#settleCut(id, session);
    };
    const chunks: Buffer[] = [before];
    let kept = 0;
    try {
      for await (const chunk of request) {
        const bytes: Buffer = chunk;
        seen.bodyBytes += bytes.length;
        chunks.push(bytes.subarray(0, Math.max(0, limit - kept)));
        kept += bytes.length;
        if (mishap?.how !== "cut" || kept < limit) continue;
        // The session is settled before the client can ask about it.
        settle(true);
        request.socket.resetAndDestroy();
        return false;
      }
    } catch {
      settle(true);
      return false;
    }
    settle(false);
    return true;
  }

  #settleCut(id: string, session: Session): void {
    const { afterCut = "lost" } = this.#quirks;
    if (afterCut === "lost") this.#sessions.delete(id);
    else if (afterCut !== "kept") {
      session.bytes = session.bytes.subarray(0, session.bytes.length - (session.bytes.length % afterCut));
    }
  }
}

function hostOf(server: Server): string {
  const { port } = server.address() as AddressInfo;
  return `127.0.0.1:${port}`;
}
