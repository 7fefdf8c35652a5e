/** `/api` of Singularity Registry Server 2.1: JSON where it goes well, anything where it does not. */
import type { Call } from "../../call.ts";
import type { Decoder } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { readJson } from "../../http/body.ts";
import { isHtml, isJson } from "../../http/media-type.ts";
import { createRetryPolicy, type RetryLimits } from "../../http/retry-policy.ts";
import { errorWords } from "../../http/status.ts";
import type { Auth, Body, HttpResponse, Method, Transport } from "../../http/transport.ts";
import { dailyLimit } from "../daily-limit.ts";

export interface ApiRequest {
  readonly method: Method;
  /** Below the base, with its query. */
  readonly path: string;
  readonly accept: readonly number[];
  readonly auth: Auth;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly retry?: "safe" | "never";
  readonly redirect?: "follow" | "never";
  /** Milliseconds; default: the transport's. */
  readonly headersTimeout?: number;
}

export interface SregistryApi {
  /** For messages. */
  readonly name: string;
  readonly base: URL;
  /** What to type for a login there. */
  readonly login: string;
  readonly retry: Partial<RetryLimits> | undefined;
  /** With a signature where the request asks for one. */
  send(request: ApiRequest, call: Call): Promise<HttpResponse>;
  /** With the library's token, if there is one. */
  sendAsUser(request: Omit<ApiRequest, "auth">, call: Call): Promise<HttpResponse>;
  /** A list or record, as far as the user may see it. */
  get<T>(path: string, decoder: Decoder<T>, call: Call): Promise<T>;
}

export interface ApiOptions {
  readonly name: string;
  readonly base: URL;
  readonly login: string;
  /** Signs. */
  readonly transport: Transport;
  /** Has the library's token. Public lists need none; some servers show private ones to whoever has it. */
  readonly bearer: Transport | undefined;
  readonly retry: Partial<RetryLimits> | undefined;
}

/** The library API challenges nobody: it answers an anonymous request with less. */
const EAGER: Auth = { kind: "registry", scopes: [], eager: true };

export function createApi({ name, base, login, transport, bearer, retry }: ApiOptions): SregistryApi {
  const root = `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  const through =
    (carrier: Transport): SregistryApi["send"] =>
    ({ path, retry: again = "safe", ...request }, { signal, waiting }) =>
      carrier.send({ ...request, url: new URL(`${root}${path}`), retry: again, signal, waiting });
  const api: SregistryApi = {
    name,
    base,
    login,
    retry,
    send: through(transport),
    sendAsUser: (request, call) => through(bearer ?? transport)({ ...request, auth: EAGER }, call),
    async get(path, decoder, call) {
      const policy = createRetryPolicy({ what: `GET ${path}`, signal: call.signal, log: call.log, limits: retry });
      for (;;) {
        try {
          const response = await api.sendAsUser({ method: "GET", path, accept: [200, 403, 404] }, call);
          if (response.status !== 200 || isHtml(response)) throw await notJson(api, response);
          return await readJson(response, decoder);
        } catch (error) {
          await policy.next(error);
        }
      }
    },
  };
  return api;
}

async function notJson(api: SregistryApi, response: HttpResponse): Promise<SregistryError> {
  const { name, base } = api;
  const { status, url } = response;
  const json = isJson(response);
  const words = await errorWords(response);
  if (status === 403) return json ? refused(api, words) : dailyLimit(name);
  const said = words === "" ? "" : ` (${words})`;
  if (status === 404) {
    return new SregistryError("UNSUPPORTED", `${name} has no ${url.pathname}${said}`, {
      hint: "an older or another server: name the image itself",
    });
  }
  return new SregistryError("REPLY_INVALID", `${name} answered ${url.pathname} with a web page${said}, not with JSON`, {
    hint: `look at ${base.href}: something may stand before it`,
  });
}

/** As JSON: API_REQUIRE_AUTH is set there, or the user lacks a right. */
export function refused({ name, login }: Pick<SregistryApi, "name" | "login">, words: string): SregistryError {
  const anonymous = /not provided|authentication required|invalid token|token not valid/i.test(words);
  return new SregistryError(
    anonymous ? "UNAUTHORIZED" : "FORBIDDEN",
    `${name} refuses: ${words || "no reason given"}`,
    {
      status: 403,
      hint: anonymous ? login : "ask the owner of the collection, or the administrator",
    },
  );
}

export function jsonBody(value: unknown): { readonly headers: Readonly<Record<string, string>>; readonly body: Body } {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { headers: { "content-type": "application/json" }, body: { size: bytes.length, open: () => bytes } };
}
