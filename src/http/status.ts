/** Decorator: a status that the caller does not accept becomes a SregistryError with the server's decoded words. */
import { STATUS_CODES } from "node:http";
import { type ErrorCode, type ErrorDetails, SregistryError } from "../errors.ts";
import { redact } from "../secret.ts";
import { ERROR_LIMIT, readUpTo } from "./body.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";
import { plain, serverWords } from "./words.ts";

export function status(inner: Transport): Transport {
  return {
    async send(request) {
      const response = await inner.send(request);
      if (request.accept.includes(response.status)) return response;
      throw await refusal(request, response);
    },
    close: () => inner.close(),
  };
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "UNSUPPORTED",
  407: "UNAUTHORIZED",
  408: "TIMEOUT",
  409: "CONFLICT",
  429: "RATE_LIMITED",
  501: "UNSUPPORTED",
};

const REQUEST_IDS = ["x-request-id", "x-github-request-id", "x-ms-correlation-request-id", "x-amz-request-id"];

/** The error that `response` means. Reads (and ends) its body. */
export async function refusal(request: HttpRequest, response: HttpResponse): Promise<SregistryError> {
  const { status: number } = response;
  const where = redact(`${request.method} ${response.url.href}`);
  const words = (await errorWords(response)) || (STATUS_CODES[number] ?? "no reason given");
  const message = `Error response from ${response.url.host}: ${words} (status ${number}, ${where}${notes(response)})`;
  return new SregistryError(codeOf(number), message, details(response, words));
}

/** The server's own words; "" when it has none. Reads (and ends) the body. */
export async function errorWords(response: HttpResponse): Promise<string> {
  const coding = response.headers.get("content-encoding") ?? "identity";
  if (coding !== "identity" && coding !== "") {
    response.body.destroy();
    return "";
  }
  try {
    return serverWords((await readUpTo(response, ERROR_LIMIT)).bytes);
  } catch {
    // The status has been received and is the failure to report; that its explanation was cut off changes nothing.
    return "";
  }
}

function codeOf(number: number): ErrorCode {
  return (
    CODES[number] ?? (number >= 500 ? "SERVER_ERROR" : number === 425 || number === 499 ? "SERVER_ERROR" : "REFUSED")
  );
}

/** `host` as `sregistry login` takes it: Docker Hub's API hosts are known to users as docker.io. */
export function loginName(host: string): string {
  return host === "registry-1.docker.io" || host === "index.docker.io" ? "docker.io" : host;
}

function details(response: HttpResponse, words: string): ErrorDetails {
  const { status: number, url, headers } = response;
  const retryAfter = parseRetryAfter(headers.get("retry-after"), Date.now());
  const hint = hintFor(number, loginName(url.host), words);
  return {
    status: number,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function hintFor(number: number, host: string, words: string): string | undefined {
  if (number >= 400 && number < 500 && /\b(?:frozen|immutable)\b/i.test(words))
    return "take another tag: this one stays as it is until its owner changes that";
  if (number === 401 || (number === 429 && host === "docker.io")) return `sregistry login ${host}`;
  if (number === 407) return "export HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT";
  // GHCR, GitLab and Docker Hub say "denied" or "not found" to whoever is not logged in.
  if (number === 403 || number === 404) return `check the name; a private one needs: sregistry login ${host}`;
  if (number >= 500 && number !== 501) return `try again later; if it stays, tell the administrator of ${host}`;
  return undefined;
}

function notes(response: HttpResponse): string {
  const id = REQUEST_IDS.map((name) => response.headers.get(name)).find((value) => value !== undefined);
  return `${id === undefined ? "" : `, request id ${plain(id)}`}${response.status === 429 ? quota(response) : ""}`;
}

/** Docker Hub's pull quota: `ratelimit-limit: 100;w=21600`, shared by everybody behind `docker-ratelimit-source`. */
function quota(response: HttpResponse): string {
  const limit = /^(\d{1,9})(?:;w=(\d{1,9}))?$/.exec(response.headers.get("ratelimit-limit") ?? "");
  if (limit === null) return "";
  const period = limit[2] === undefined ? "" : ` in ${Math.round(Number(limit[2]) / 360) / 10} h`;
  const source = response.headers.get("docker-ratelimit-source");
  return `, quota ${limit[1]}${period}${source === undefined ? "" : ` for ${plain(source)}`}`;
}
