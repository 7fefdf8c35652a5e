/** The two requests of a signed push: the collection's number, then a form with the file. Each refusal is told in words. */
import type { Call } from "../../call.ts";
import { count, field, object, optional, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { readJson } from "../../http/body.ts";
import { serverHour } from "../../http/hmac.ts";
import { isHtml, isJson } from "../../http/media-type.ts";
import { errorWords } from "../../http/status.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { uriOf } from "../../reference/sregistry.ts";
import type { Source } from "../../transfer/source.ts";
import { jsonBody, type SregistryApi } from "./api.ts";
import { uploadForm } from "./form.ts";
import { unfreeze } from "./frozen.ts";
import type { ImageName } from "./names.ts";

/** Milliseconds: the server copies the file and makes its md5 before it answers. */
const LONG_ANSWER = 15 * 60_000;
const REFUSED = [301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 411, 413, 500];

/** @returns the collection's number; the collection is made when it is not there. @throws SregistryError as `upload` does. */
export async function announce(api: SregistryApi, image: ImageName, call: Call): Promise<number> {
  const { collection, name, tag } = image;
  const response = await api.send(
    {
      method: "POST",
      path: "/api/upload/chunked_upload",
      ...jsonBody({ collection, name, tag }),
      accept: [200, ...REFUSED],
      auth: { kind: "hmac", words: { action: "push", ...image } },
      redirect: "never",
    },
    call,
  );
  if (response.status !== 200 || isHtml(response)) throw await refusal(api, image, response);
  return readJson(response, (value, where) => field(object(value, where), "cid", count, where));
}

/**
 * Never sent again by itself: the same bytes for a tag that has them break the image there (sregistry 2.1).
 * @throws SregistryError FORBIDDEN, CONFLICT for a frozen tag, REFUSED, UNSUPPORTED.
 */
export async function upload(
  api: SregistryApi,
  image: ImageName,
  cid: number,
  source: Source,
  told: (offset: number) => void,
  call: Call,
): Promise<void> {
  const { name, tag } = image;
  const form = uploadForm({ name, collection: String(cid), tag }, source, { told, signal: call.signal });
  tellOfTheHour(image, call);
  const response = await api.send(
    {
      method: "POST",
      path: "/upload",
      ...form,
      accept: [200, ...REFUSED],
      auth: { kind: "hmac", words: { action: "upload", ...image } },
      redirect: "never",
      retry: "never",
      headersTimeout: LONG_ANSWER,
    },
    call,
  );
  if (response.status !== 200 || isHtml(response)) throw await refusal(api, image, response, source.size);
  const message = await readJson(response, (value, where) =>
    field(object(value, where), "message", optional(string), where),
  );
  if (message !== "Upload Complete") throw notStored(api, image, message ?? "no reason given");
}

/** Minutes before the full hour from which a signature may be old when the upload is through. */
const LATE = 50;

function tellOfTheHour(image: ImageName, { log }: Call): void {
  const minute = new Date().getUTCMinutes();
  if (minute < LATE) return;
  log.verbose(
    `${uriOf(image)}: the signature is good for ${60 - minute} minutes more; an upload that takes longer is sent again`,
  );
}

/** A failure that comes with status 200. */
function notStored({ name }: SregistryApi, image: ImageName, message: string): SregistryError {
  if (/already exists/i.test(message)) {
    return new SregistryError("CONFLICT", `${uriOf(image)} is frozen at ${name}: ${message}`, {
      hint: `push to another tag, or ${unfreeze(image)}`,
    });
  }
  return new SregistryError("REFUSED", `${name} did not store ${uriOf(image)}: ${message}`);
}

async function refusal(
  api: SregistryApi,
  image: ImageName,
  response: HttpResponse,
  size?: number,
): Promise<SregistryError> {
  const { status, url, headers } = response;
  const { name, base } = api;
  const words = await errorWords(response);
  const what = uriOf(image);
  if (status >= 300 && status < 400) return moved(api, headers.get("location"), status);
  if (status === 413) {
    return new SregistryError(
      "REFUSED",
      `${name} takes no upload as large as ${size ?? "this"} bytes (its web server's limit)`,
      {
        status,
        hint: "--protocol library has no such limit; or ask the administrator for a larger client_max_body_size",
      },
    );
  }
  if (status === 404 || status === 405) {
    return new SregistryError("UNSUPPORTED", `${name} takes no signed pushes: it has no ${url.pathname}`, {
      status,
      hint: "push with --protocol library",
    });
  }
  if (status === 401 || status === 403 || status === 500) {
    // Without the status: 500 is what the server says for every refusal, and asking again changes none.
    const reason = isJson(response) && words !== "" ? words : `credentials, clock or permission (status ${status})`;
    return new SregistryError("FORBIDDEN", `${name} refused the push of ${what}: ${reason}`, {
      // Our own server's words: the signature was taken, and nothing about token or clock is to be mended.
      hint: /belongs to/i.test(words)
        ? "ask the owner of the collection, or push to one of yours"
        : `compare the token with ${base.origin}/token (${api.login}), ${clockWords(response)}, and see that the collection is yours`,
    });
  }
  const code = status === 200 ? "REPLY_INVALID" : "REFUSED";
  return new SregistryError(
    code,
    `${name} did not take the push of ${what}: ${words || "it sent a web page"} (status ${status})`,
  );
}

function clockWords(response: HttpResponse): string {
  const hour = serverHour(response);
  return hour === undefined ? "set the clock" : `set the clock (there it is ${hour})`;
}

/** A POST that follows 301 becomes a GET, which the server answers with 500. */
function moved({ name, base }: SregistryApi, location: string | undefined, status: number): SregistryError {
  const there =
    location !== undefined && URL.canParse(location, base.href) ? new URL(location, base).origin : "elsewhere";
  return new SregistryError(
    "REFUSED",
    `${name} takes pushes at another address: it redirects to ${there} (status ${status})`,
    {
      hint: `name the server by that address: ${there}`,
    },
  );
}
