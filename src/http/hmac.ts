/**
 * Decorator: signs requests of Singularity Registry Server's own protocol (sregistry 2.1). A signature is good for one hour of
 * the server's clock and is looked at after the body, so each attempt is signed anew, by the server's clock where it differs.
 */
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { hmacSignature, hmacTimestamp } from "../hmac.ts";
import { remember, type Secret } from "../secret.ts";
import { discard } from "./body.ts";
import type { HmacWords, HttpRequest, HttpResponse, Transport } from "./transport.ts";

/** Whoever signs, at one server only. */
export interface HmacLogin {
  /** Scheme, host and port as `URL.origin` has them: nothing is signed for another. */
  readonly origin: string;
  /** As text, or asked for when the first signature is made; undefined: requests go out unsigned. */
  readonly username: string | (() => Promise<string | undefined>);
  readonly token: Secret;
}

export interface HmacOptions {
  /** Undefined: requests go out unsigned. */
  readonly login: HmacLogin | undefined;
  readonly log: Log;
  /** Unix time in milliseconds; for tests of the full hour. */
  readonly now?: () => number;
}

/** A refusal for the hour looks like any other; the server means 401 or 403 by its 500. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 500]);

/** Milliseconds: Date has whole seconds, and an answer takes its time. */
const SAME_CLOCK = 2000;

export function hmac(inner: Transport, { login, log, now = Date.now }: HmacOptions): Transport {
  /** Milliseconds that the server's clock is before ours, by its last answer. */
  let ahead = 0;

  async function sendNoting(request: HttpRequest): Promise<HttpResponse> {
    const response = await inner.send(request);
    const time = serverTime(response);
    if (time !== undefined) ahead = Math.abs(time - now()) < SAME_CLOCK ? 0 : time - now();
    return response;
  }

  async function sendSigned(request: HttpRequest, words: HmacWords, own: HmacLogin): Promise<HttpResponse> {
    const username = typeof own.username === "string" ? own.username : await own.username();
    if (username === undefined) return sendNoting({ ...request, auth: { kind: "none" } });
    const signer = { username, token: own.token };
    const hour = hmacTimestamp(new Date(now() + ahead));
    const response = await sendNoting(signed(request, hmacAuthorization(signer, words, hour)));
    const there = serverHour(response);
    if (!REFUSALS.has(response.status) || there === undefined || there === hour) return response;
    log.verbose(`${request.url.host} refused a signature of ${hour}, and its clock says ${there}: signing again`);
    await discard(response);
    return sendNoting(signed(request, hmacAuthorization(signer, words, there)));
  }

  return {
    async send(request) {
      const { auth, url } = request;
      const own = login !== undefined && url.origin === login.origin;
      if (auth.kind === "hmac" && own) return sendSigned(request, auth.words, login);
      if (auth.kind === "hmac") return inner.send({ ...request, auth: { kind: "none" } });
      return own ? sendNoting(request) : inner.send(request);
    },
    close: () => inner.close(),
  };
}

/** The header's value. @throws SregistryError UNSUPPORTED for a user name that the server cannot read out of it. */
export function hmacAuthorization(
  { username, token }: { readonly username: string; readonly token: Secret },
  words: HmacWords,
  timestamp: string,
): string {
  const encoded = Buffer.from(username, "utf8").toString("base64");
  if (encoded.includes("/")) {
    // The server takes the header apart at every slash (sregistry 2.1).
    throw new SregistryError(
      "UNSUPPORTED",
      `the user name ${JSON.stringify(username)} cannot sign: Singularity Registry Server misreads the slash in its base64 form`,
      { hint: "push with --protocol library, which needs the token alone" },
    );
  }
  const signature = hmacSignature(token.reveal(), words, timestamp);
  // Whoever has it can repeat the request until the hour is over.
  remember(signature);
  return `SREGISTRY-HMAC-SHA256 Credential=${words.action}/${encoded}/${timestamp},Signature=${signature}`;
}

/** The hour on the server's clock, `YYYYMMDDTHHZ`; undefined when the answer does not tell the time. */
export function serverHour(response: HttpResponse): string | undefined {
  const time = serverTime(response);
  return time === undefined ? undefined : hmacTimestamp(new Date(time));
}

/** Unix time in milliseconds. An answer out of a cache tells when that was filled. */
function serverTime({ headers }: HttpResponse): number | undefined {
  const date = headers.get("date") ?? "";
  if (headers.has("age") || !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date))
    return undefined;
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}

function signed(request: HttpRequest, authorization: string): HttpRequest {
  return { ...request, headers: { ...request.headers, authorization }, auth: { kind: "none" } };
}
