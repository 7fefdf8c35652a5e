/** The bytes of an image. Each request, of whatever range, counts as a download where there is a limit. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { isHtml, isJson } from "../../http/media-type.ts";
import { errorWords } from "../../http/status.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { formatReference } from "../../reference/format.ts";
import { isBulk, rangedPart } from "../ranged.ts";
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
    accept: [200, 206, 403, 404, 500],
    headers: ranged ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {},
    auth: { kind: "none" },
    retry: "safe",
    bulk: isBulk({ start, ...(end === undefined ? {} : { end }) }, image.size),
    signal: call.signal,
    waiting: call.waiting,
  });
  if (response.status >= 400) throw await refused(hub, image, response);
  const name = formatReference(image.reference);
  if (isHtml(response)) {
    await discard(response);
    throw new SregistryError("REPLY_INVALID", `${response.url.host} sent a web page where ${name} was expected`);
  }
  // Of an image without a digest nothing else tells that it is not whole; and words are not looked for in its bytes.
  if (!ranged && response.status === 206) {
    await discard(response);
    throw new SregistryError(
      "REPLY_INVALID",
      `${response.url.host} sent a part of ${name}, which was to come as a whole`,
    );
  }
  return rangedPart(response, { start, size: image.size, ...(end === undefined ? {} : { end }) }, name);
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
