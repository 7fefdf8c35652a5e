/** The library API at one base: requests, and what its answers mean. Decided by answers, never by a server's name. */
import type { Call } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, readJson } from "../../http/body.ts";
import { isHtml } from "../../http/media-type.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import { errorWords } from "../../http/status.ts";
import type { Auth, Body, HttpResponse, Method, Transport } from "../../http/transport.ts";
import { type ApiVersion, parseVersion } from "./version.ts";

export interface LibraryRequest {
  readonly method: Method;
  readonly url: URL;
  readonly accept: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON without a Content-Type, as the clients in Go do: Singularity Registry Server 2.1 refuses one on tags. */
  readonly json?: unknown;
  /** Instead of JSON: bytes. */
  readonly body?: Body;
  readonly retry?: "safe" | "never";
  readonly redirect?: "follow" | "never";
  /** Milliseconds; a closing request may take long. */
  readonly headersTimeout?: number;
  /** As HttpRequest has it. */
  readonly bulk?: boolean;
}

export interface LibraryApi {
  /** For messages. */
  readonly name: string;
  readonly base: URL;
  /** What the user named; pages for people are below it. */
  readonly front: URL;
  /** What to type for a login there. */
  readonly login: string;
  readonly transport: Transport;
  /** For what the transport must not repeat by itself. */
  readonly retry: Partial<RetryLimits> | undefined;
  /** `path` below the base, which may have a path of its own. */
  url(path: string, query?: Readonly<Record<string, string>>): URL;
  /** @throws SregistryError in words for a status that `request` does not accept. */
  send(request: LibraryRequest, call: Call): Promise<HttpResponse>;
  /** The `data` of a 200; undefined for a 404, where "not found" is an answer. */
  find<T>(url: URL, decoder: Decoder<T>, call: Call): Promise<T | undefined>;
  /** The answer to a request that makes something. */
  make<T>(method: "POST" | "PUT", url: URL, json: unknown, decoder: Decoder<T>, call: Call): Promise<T>;
  /** Asked once. The lowest where the server does not say. */
  version(call: Call): Promise<ApiVersion>;
}

/** The token goes out at once: these servers answer 403, 404 or less, not 401, to whoever shows none. */
export const WITH_TOKEN: Auth = { kind: "registry", scopes: [], eager: true };

/** Statuses that say something here; others (429, 502, 503, ...) are the transport's to try again. */
const MEANT = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422];

export interface ApiOptions {
  readonly name: string;
  readonly base: URL;
  readonly front: URL;
  readonly login: string;
  readonly transport: Transport;
  readonly retry?: Partial<RetryLimits> | undefined;
}

export function createLibraryApi({ name, base, front, login, transport, retry: limits }: ApiOptions): LibraryApi {
  const root = base.href.endsWith("/") ? base : new URL(`${base.href}/`);
  let version: Promise<ApiVersion> | undefined;

  async function send({ json, retry = "safe", ...request }: LibraryRequest, call: Call): Promise<HttpResponse> {
    const bytes = json === undefined ? undefined : new TextEncoder().encode(JSON.stringify(json));
    const response = await transport.send({
      ...request,
      ...(bytes === undefined ? {} : { body: { size: bytes.length, open: () => bytes } }),
      accept: [...new Set([...request.accept, ...MEANT])],
      auth: WITH_TOKEN,
      retry,
      signal: call.signal,
      waiting: call.waiting,
    });
    if (request.accept.includes(response.status)) return response;
    throw await refusal({ name, login }, request.method, response);
  }

  const api: LibraryApi = {
    name,
    base,
    front,
    login,
    transport,
    retry: limits,
    url(path, query = {}) {
      const url = new URL(path, root);
      for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
      return url;
    },
    send,
    async find(url, decoder, call) {
      const response = await send({ method: "GET", url, accept: [200, 404] }, call);
      if (response.status === 200) return readData(response, decoder);
      await discard(response);
      return undefined;
    },
    async make(method, url, json, decoder, call) {
      const accept = method === "POST" ? [200, 201] : [200, 204];
      return readData(await send({ method, url, json, accept, retry: "never" }, call), decoder);
    },
    version(call) {
      version ??= askVersion(api, call).catch((error: unknown) => {
        version = undefined;
        throw error;
      });
      return version;
    },
  };
  return api;
}

/** `{"data": ...}`. @throws SregistryError REPLY_INVALID for a page, a bare number, or anything else. */
export async function readData<T>(response: HttpResponse, decoder: Decoder<T>): Promise<T> {
  if (isHtml(response)) {
    const words = await errorWords(response);
    throw new SregistryError(
      "REPLY_INVALID",
      `${response.url.host} answered ${response.url.pathname} with a web page${words === "" ? "" : ` (${words})`}`,
      { hint: "is that the address of a library? sregistry remote list" },
    );
  }
  return readJson(response, (value, where) => decoder(object(value, where)["data"], `${where}: data`));
}

const versionData: Decoder<string | undefined> = (value, where) =>
  field(object(value, where), "apiVersion", optional(string), where);

async function askVersion(api: LibraryApi, call: Call): Promise<ApiVersion> {
  const unknown = parseVersion(undefined);
  try {
    return parseVersion(await api.find(api.url("version"), versionData, call));
  } catch (error) {
    // A library of the first kind has no such page, and says so in many ways.
    if (!isCode(error, "REPLY_INVALID", "NOT_FOUND", "UNSUPPORTED", "FORBIDDEN", "UNAUTHORIZED", "REFUSED"))
      throw error;
    call.log.verbose(`${api.name} does not say which version of the API it has: the first is assumed`);
    return unknown;
  }
}

const CODES = {
  400: "REFUSED",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "UNSUPPORTED",
  406: "UNAUTHORIZED",
  409: "CONFLICT",
  412: "CONFLICT",
  413: "DISK",
  415: "REFUSED",
  422: "INTEGRITY",
} as const;

/** What a refusal means. Reads the body: empty, a page, the library's envelope, or Django's `detail`. */
export async function refusal(
  { name, login }: Pick<LibraryApi, "name" | "login">,
  method: Method,
  response: HttpResponse,
): Promise<SregistryError> {
  const { status, url } = response;
  const html = isHtml(response);
  const words = await errorWords(response);
  const said = words === "" || html ? "" : `: ${words}`;
  const where = `${method} ${url.pathname}`;
  if (status === 403 && html) {
    return new SregistryError(
      "RATE_LIMITED",
      `${name} refuses ${where} with a web page (status 403): at a Singularity Registry Server that is its limit of requests a day`,
      { hint: "try again tomorrow, or ask the administrator for a higher limit", status },
    );
  }
  const code = status in CODES ? CODES[status as keyof typeof CODES] : status >= 500 ? "SERVER_ERROR" : "REFUSED";
  return new SregistryError(code, `${name} ${MEANING[code] ?? "refuses"} ${where}${said} (status ${status})`, {
    status,
    ...hintFor(code, login),
  });
}

const MEANING: Partial<Record<string, string>> = {
  UNAUTHORIZED: "wants a login for",
  FORBIDDEN: "does not allow",
  NOT_FOUND: "has nothing for",
  UNSUPPORTED: "does not offer",
  CONFLICT: "has it already, for",
  DISK: "has no room left for this:",
};

function hintFor(code: string, login: string): { readonly hint?: string } {
  switch (code) {
    case "UNAUTHORIZED":
      return { hint: login };
    case "FORBIDDEN":
      return { hint: "is the collection yours, and the token valid? sregistry remote status" };
    case "DISK":
      return { hint: "delete images there, or ask for a larger quota" };
    default:
      return {};
  }
}
