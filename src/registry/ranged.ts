/** The body of a ranged read, held to what was asked for: exactly that range, or the whole from its start. */
import { SregistryError } from "../errors.ts";
import { parseContentRange } from "../http/range.ts";
import type { HttpResponse } from "../http/transport.ts";
import type { BodyPart, ByteRange } from "./registry.ts";

/** Bytes: for fewer, a connection that undici has open already is faster. */
const BULK = 4 * 1024 * 1024;

/** Whether a range of an image of `size` bytes is worth a connection for large bodies. */
export function isBulk({ start, end }: ByteRange, size: number | undefined): boolean {
  return (end ?? size ?? Number.POSITIVE_INFINITY) - start >= BULK;
}

export interface AskedRange {
  readonly start: number;
  readonly end?: number;
  /** Of the whole, where it is known. Bytes. */
  readonly size: number | undefined;
}

/** @throws SregistryError INTEGRITY for a length that does not fit, REPLY_INVALID for another range. */
export function rangedPart(response: HttpResponse, asked: AskedRange, name: string): BodyPart {
  try {
    return response.status === 206 ? partial(response, asked, name) : whole(response, asked, name);
  } catch (error) {
    response.body.destroy();
    throw error;
  }
}

function whole(response: HttpResponse, { size }: AskedRange, name: string): BodyPart {
  requireLength(response, size, name);
  return { start: 0, total: size ?? lengthOf(response), whole: true, body: response.body };
}

function partial(response: HttpResponse, { start, end, size }: AskedRange, name: string): BodyPart {
  const text = response.headers.get("content-range");
  const got = parseContentRange(text);
  const total = got?.total ?? size;
  const last = Math.min(end ?? total ?? Number.NaN, total ?? Number.POSITIVE_INFINITY);
  if (got?.start !== start || got.end !== last || (size ?? total) !== total) {
    const wanted = `bytes ${start}-${end === undefined ? "" : end - 1}`;
    throw new SregistryError(
      "REPLY_INVALID",
      `${response.url.host} was asked for ${wanted} of ${name} and sent ${text ?? "none that it names"}`,
    );
  }
  requireLength(response, last - start, `bytes ${start}-${last - 1} of ${name}`);
  return { start, total, body: response.body };
}

function requireLength(response: HttpResponse, expected: number | undefined, what: string): void {
  const length = lengthOf(response);
  if (length === undefined || expected === undefined || length === expected) return;
  throw new SregistryError(
    "INTEGRITY",
    `${what} should have ${expected} bytes, and ${response.url.host} announces ${length}`,
    { hint: "the copy there is damaged, or something between here and there answers for it" },
  );
}

function lengthOf({ headers }: HttpResponse): number | undefined {
  const text = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
