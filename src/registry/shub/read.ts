/** The bytes of an image. Each request, of whatever range, counts as a download where there is a limit. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { isHtml, isJson } from "../../http/media-type.ts";
import { parseContentRange } from "../../http/range.ts";
import { errorWords } from "../../http/status.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { formatReference } from "../../reference/format.ts";
import type { BodyPart, ByteRange, ImageInfo } from "../registry.ts";
import type { Hub } from "./hub.ts";

/**
 * GET only: Singularity Registry Server 2.1 counts a HEAD as a download. It knows no ranges either; others do, so one is asked
 * for when not everything is wanted. @throws SregistryError NOT_FOUND where the record is there and the file is not.
 */
export async function readImage(
  hub: Hub,
  url: URL,
  image: ImageInfo,
  { start, end }: ByteRange,
  call: Call,
): Promise<BodyPart> {
  const ranged = start > 0 || end !== undefined;
  const response = await hub.transport.send({
    method: "GET",
    url,
    accept: ranged ? [200, 206, 403, 404, 500] : [200, 403, 404, 500],
    headers: ranged ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {},
    auth: { kind: "none" },
    retry: "safe",
    signal: call.signal,
  });
  if (response.status >= 400) throw await refused(hub, image, response);
  if (isHtml(response)) {
    await discard(response);
    const name = formatReference(image.reference);
    throw new SregistryError("REPLY_INVALID", `${response.url.host} sent a web page where ${name} was expected`);
  }
  return response.status === 206 ? part(response, start, end, image) : whole(response, image);
}

function whole(response: HttpResponse, { size, reference }: ImageInfo): BodyPart {
  const length = lengthOf(response);
  if (size === undefined || length === undefined || length === size) {
    return { start: 0, total: length ?? size, body: response.body };
  }
  response.body.destroy();
  throw new SregistryError(
    "INTEGRITY",
    `${formatReference(reference)} should have ${size} bytes, and ${response.url.host} announces ${length}`,
  );
}

function part(response: HttpResponse, start: number, end: number | undefined, { size }: ImageInfo): BodyPart {
  const text = response.headers.get("content-range");
  const got = parseContentRange(text);
  const total = got?.total ?? size;
  const last = Math.min(end ?? total ?? Number.NaN, total ?? Number.POSITIVE_INFINITY);
  const right = got !== undefined && got.start === start && got.end === last && (size ?? total) === total;
  const length = lengthOf(response);
  if (right && (length === undefined || length === got.end - start)) return { start, total, body: response.body };
  response.body.destroy();
  throw new SregistryError(
    "REPLY_INVALID",
    `${response.url.host} was asked for bytes ${start}-${end === undefined ? "" : end - 1} and sent ${text ?? "none that it names"}`,
  );
}

function lengthOf({ headers }: HttpResponse): number | undefined {
  const text = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function refused({ name }: Hub, { reference }: ImageInfo, response: HttpResponse): Promise<SregistryError> {
  const { status } = response;
  const json = isJson(response);
  const words = await errorWords(response);
  const image = formatReference(reference);
  if (status === 404) {
    return new SregistryError(
      "NOT_FOUND",
      `${name} has a record of ${image} and not its file: it was pushed by the library protocol, or is lost`,
      { status, hint: "pull it by library://" },
    );
  }
  if (status === 403 && json)
    return new SregistryError("FORBIDDEN", `${name} does not give out ${image}: ${words}`, { status });
  if (status === 403) {
    return new SregistryError(
      "RATE_LIMITED",
      `${name} gives out ${image} no more: a download limit is reached (100 a week of an image or collection, 50 requests a day)`,
      { hint: "try again tomorrow, or ask the administrator for a higher limit" },
    );
  }
  // Without its status: asking again would cost another download of few, and the file stays lost.
  return new SregistryError(
    "SERVER_ERROR",
    `${name} failed to send ${image} (status ${status}): its file may be lost`,
    {
      hint: "ask the owner to push it again",
    },
  );
}
