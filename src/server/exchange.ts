/** One request and its answer, as the handlers see them. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Log } from "../call.ts";
import type { Store } from "../registry/local/index.ts";
import type { Access, Identity } from "./access.ts";
import { Failure } from "./failure.ts";
import type { UploadSessions } from "./library/sessions.ts";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly store: Store;
  readonly access: Access;
  /** Who asks, as the guard found it. */
  readonly identity: Identity;
  /** Uploads of the library protocol that are under way. */
  readonly uploads: UploadSessions;
  readonly log: Log;
}

/** `http://127.0.0.1:5000`, by the name that the client used, which is one that the guard let pass. */
export function baseUrl({ request }: Exchange): string {
  // Of a proxy that ends TLS before this server, which itself speaks plain HTTP only.
  const forwarded = request.headers["x-forwarded-proto"];
  return `${forwarded === "https" ? "https" : "http"}://${request.headers.host ?? "localhost"}`;
}

/** An answer without a body. */
export function reply({ response }: Exchange, status: number, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, status === 204 || status === 304 ? headers : { "content-length": 0, ...headers }).end();
}

export function replyBytes(
  { request, response }: Exchange,
  status: number,
  bytes: Uint8Array | string,
  headers: OutgoingHttpHeaders,
): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(bytes), ...headers });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

export function replyJson(exchange: Exchange, value: unknown, headers: OutgoingHttpHeaders = {}): void {
  replyBytes(exchange, 200, JSON.stringify(value), { "content-type": "application/json", ...headers });
}

/** Streams with backpressure; `headers` say how long the body is. A HEAD gets the headers alone. */
export async function replyStream(
  { request, response }: Exchange,
  status: number,
  headers: OutgoingHttpHeaders,
  open: () => Readable,
): Promise<void> {
  response.writeHead(status, headers);
  if (request.method === "HEAD") response.end();
  else await pipeline(open(), response);
}

/** The request's body. @throws Failure 413 for more than `limit` bytes. */
export async function readBody({ request }: Exchange, limit: number): Promise<Uint8Array> {
  const tooLarge = (): Failure => new Failure(413, "SIZE_INVALID", `the body is larger than ${limit} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) throw tooLarge();
  }
  return Buffer.concat(chunks);
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
