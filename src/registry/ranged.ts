/** The body of a ranged read, held to what was asked for: exactly that range, or the whole from its start. */
import { SregistryError } from "../errors.ts";
import { parseContentRange } from "../http/range.ts";
import type { HttpResponse } from "../http/transport.ts";
import type { BodyPart } from "./registry.ts";

export interface AskedRange {
  readonly start: number;
  readonly end?: number;
  /** Of the whole, where it is known. Bytes. */
  readonly size: number | undefined;
}

/** @throws SregistryError INTEGRITY for another length than `size` promises, REPLY_INVALID for another range. */
export function rangedPart(response: HttpResponse, asked: AskedRange, name: string): BodyPart {
  const part = response.status === 206 ? partial(response, asked) : whole(response, asked, name);
  if (part !== undefined) return part;
  response.body.destroy();
  const wanted = `bytes ${asked.start}-${asked.end === undefined ? "" : asked.end - 1}`;
  const sent = response.headers.get("content-range") ?? "none that it names";
  throw new SregistryError("REPLY_INVALID", `${response.url.host} was asked for ${wanted} of ${name} and sent ${sent}`);
}

function whole(response: HttpResponse, { size }: AskedRange, name: string): BodyPart {
  const length = lengthOf(response);
  if (size === undefined || length === undefined || length === size) {
    return { start: 0, total: length ?? size, body: response.body };
  }
  response.body.destroy();
  throw new SregistryError(
    "INTEGRITY",
    `${name} should have ${size} bytes, and ${response.url.host} announces ${length}`,
    { hint: "the copy there is damaged, or something between here and there answers for it" },
  );
}

function partial(response: HttpResponse, { start, end, size }: AskedRange): BodyPart | undefined {
  const got = parseContentRange(response.headers.get("content-range"));
  if (got === undefined) return undefined;
  const total = got.total ?? size;
  const last = Math.min(end ?? total ?? Number.NaN, total ?? Number.POSITIVE_INFINITY);
  const length = lengthOf(response);
  const right = got.start === start && got.end === last && (size ?? total) === total;
  return right && (length ?? last - start) === last - start ? { start, total, body: response.body } : undefined;
}

function lengthOf({ headers }: HttpResponse): number | undefined {
  const text = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
