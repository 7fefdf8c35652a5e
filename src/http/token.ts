/** Asking a token server (distribution-spec's "token authentication"): form A GET, form B OAuth2 POST for refresh tokens. */
import { type Decoder, field, object, optional, string } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import { remember, Secret } from "../secret.ts";
import { ERROR_LIMIT, readJson } from "./body.ts";
import type { Credential } from "./credential.ts";
import { errorWords, refusal } from "./status.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

export interface Token {
  readonly secret: Secret;
  /** Milliseconds of life, counted from the answer. */
  readonly lifetime: number;
}

export interface TokenQuery {
  readonly realm: URL;
  readonly service: string | undefined;
  /** The one challenged comes first: some servers honour only the first. */
  readonly scopes: readonly string[];
  /** Undefined asks for an anonymous token. */
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal;
}

const CLIENT_ID = "sregistry";
/** Seconds, when the server does not say (distribution-spec, "Token Response Fields"). */
const DEFAULT_LIFETIME = 60;

/** @returns undefined when the token server refuses the credential itself. */
export async function fetchToken(
  transport: Transport,
  query: TokenQuery,
): Promise<Token | { readonly refused: string }> {
  const { credential } = query;
  if (credential?.kind === "identity") {
    const response = await transport.send(refreshRequest(query, credential.token));
    // Form B is newer than some token servers; those that lack it know form A.
    if (response.status !== 404 && response.status !== 405) return outcome(query, response);
    await errorWords(response);
  }
  return outcome(query, await transport.send(plainRequest(query)));
}

async function outcome(query: TokenQuery, response: HttpResponse): Promise<Token | { readonly refused: string }> {
  if (response.status === 200) return readJson(response, token, ERROR_LIMIT);
  const badCredential = query.credential !== undefined && [400, 401, 403].includes(response.status);
  if (badCredential || response.status === 401 || response.status === 403) {
    return { refused: (await errorWords(response)) || `status ${response.status}` };
  }
  throw await refusal(baseRequest("GET", query.realm, query.signal), response);
}

/** A token server is never followed elsewhere, and 3xx is none of the accepted statuses. */
function baseRequest(method: "GET" | "POST", url: URL, signal: AbortSignal): HttpRequest {
  return {
    method,
    url,
    accept: [200, 400, 401, 403, 404, 405],
    auth: { kind: "none" },
    retry: "safe",
    redirect: "never",
    signal,
    headers: { accept: "application/json" },
  };
}

function plainRequest(query: TokenQuery): HttpRequest {
  const url = new URL(query.realm);
  const parameters = [
    ...(query.service === undefined ? [] : [["service", query.service] as const]),
    ...query.scopes.map((scope) => ["scope", scope] as const),
  ].map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  url.search = [url.search.replace(/^\?/, ""), ...parameters].filter((part) => part !== "").join("&");
  const request = baseRequest("GET", url, query.signal);
  const { credential } = query;
  if (credential === undefined || credential.kind === "bearer") return request;
  return { ...request, headers: { ...request.headers, authorization: basicAuthorization(credential) } };
}

function refreshRequest(query: TokenQuery, refreshToken: Secret): HttpRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: CLIENT_ID });
  if (query.service !== undefined) form.set("service", query.service);
  if (query.scopes.length > 0) form.set("scope", query.scopes.join(" "));
  form.set("refresh_token", refreshToken.reveal());
  const bytes = Buffer.from(form.toString());
  const request = baseRequest("POST", query.realm, query.signal);
  return {
    ...request,
    headers: { ...request.headers, "content-type": "application/x-www-form-urlencoded" },
    body: { size: bytes.length, open: () => bytes },
  };
}

/** `Basic ...` of a credential; its encoded form is redacted like the password in it. */
export function basicAuthorization(credential: Exclude<Credential, { readonly kind: "bearer" }>): string {
  const [user, secret] =
    credential.kind === "basic"
      ? [credential.username, credential.password]
      : [credential.username ?? "<token>", credential.token];
  const encoded = Buffer.from(`${user}:${secret.reveal()}`).toString("base64");
  remember(encoded);
  return `Basic ${encoded}`;
}

/** `{token and/or access_token, expires_in}`; the values never appear in an error. */
const token: Decoder<Token> = (value, where) => {
  const reply = object(value, where);
  const text = field(reply, "token", optional(string), where) ?? field(reply, "access_token", optional(string), where);
  if (text === undefined || text === "") {
    throw new SregistryError("REPLY_INVALID", `${where}: neither token nor access_token is in it`);
  }
  const seconds = reply["expires_in"];
  const lifetime = typeof seconds === "number" && seconds > 0 ? seconds : DEFAULT_LIFETIME;
  return { secret: new Secret(text), lifetime: lifetime * 1000 };
};
