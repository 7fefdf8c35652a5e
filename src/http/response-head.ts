/** Status line and headers of an HTTP/1.1 answer (RFC 9112), for the connections that read without undici. */
import { SregistryError } from "../errors.ts";

export interface ResponseHead {
  readonly status: number;
  /** Lower-case names; a header that came several times is joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** How the body ends: after so many bytes, as its chunks say, or with the connection. */
  readonly body: number | "chunked" | "until closed";
  /** Another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** Bytes of the head itself. */
  readonly size: number;
}

/** Bytes of a header block; presigned Locations and Links stay far below. */
export const MAX_HEADER_SIZE = 32 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const END = "\r\n\r\n";

/**
 * Undefined until all of the head is in `bytes`. `host`: for messages.
 * @throws SregistryError REPLY_INVALID for what is no HTTP/1.1, is longer than `MAX_HEADER_SIZE`, or says two things about
 * where its body ends (request smuggling, RFC 9112 section 6.3).
 */
export function parseResponseHead(bytes: Buffer, host: string): ResponseHead | undefined {
  const end = bytes.indexOf(END);
  if (end === -1 || end > MAX_HEADER_SIZE) {
    if (!"HTTP/1.".startsWith(bytes.toString("latin1", 0, 7))) throw invalid(host, "no status line");
    if (bytes.length > MAX_HEADER_SIZE) throw invalid(host, `headers of more than ${MAX_HEADER_SIZE} bytes`);
    return undefined;
  }
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = STATUS_LINE.exec(first);
  if (status === null) throw invalid(host, "no status line");
  const headers = parseHeaders(lines, host);
  const number = Number(status[2]);
  return {
    status: number,
    headers,
    body: bodyOf(number, headers, host),
    keepAlive: status[1] === "1" && !/\bclose\b/i.test(headers.get("connection") ?? ""),
    size: end + END.length,
  };
}

function parseHeaders(lines: readonly string[], host: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = "", value = ""] = HEADER_LINE.exec(line) ?? [];
    if (name === "") throw invalid(host, "a line among its headers that is none");
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value.trimEnd() : `${before}, ${value.trimEnd()}`);
  }
  return headers;
}

function bodyOf(status: number, headers: ReadonlyMap<string, string>, host: string): ResponseHead["body"] {
  if (status < 200 || status === 204 || status === 304) return 0;
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding")?.trim().toLowerCase();
  if (coding !== undefined) {
    if (length !== undefined) throw invalid(host, "both Content-Length and Transfer-Encoding");
    if (coding !== "chunked") throw invalid(host, `Transfer-Encoding ${JSON.stringify(coding.slice(0, 80))}`);
    return "chunked";
  }
  if (length === undefined) return "until closed";
  if (!/^\d{1,15}$/.test(length)) throw invalid(host, `Content-Length ${JSON.stringify(length.slice(0, 80))}`);
  return Number(length);
}

function invalid(host: string, what: string): SregistryError {
  return new SregistryError("REPLY_INVALID", `${host} did not answer in HTTP/1.1 (${what})`);
}

const CHUNK_SIZE = /^([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * The content of a whole chunked body (RFC 9112, section 7.1); undefined while it is incomplete. For short ones: `bytes` is
 * looked through from its start each time.
 * @throws SregistryError REPLY_INVALID.
 */
export function dechunk(bytes: Buffer, host: string): Buffer | undefined {
  const content: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const size = CHUNK_SIZE.exec(bytes.toString("latin1", at, end))?.[1];
    if (size === undefined) throw invalid(host, "a chunk without a size");
    const start = end + 2;
    const next = start + Number.parseInt(size, 16);
    // Trailers are of no interest; the connection is not used again.
    if (next === start) return Buffer.concat(content);
    if (next + 2 > bytes.length) return undefined;
    if (bytes.toString("latin1", next, next + 2) !== "\r\n") throw invalid(host, "a chunk longer than its size");
    content.push(bytes.subarray(start, next));
    at = next + 2;
  }
}
