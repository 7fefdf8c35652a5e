/** Whose a token is: verified before it is kept, and what the server says of its owner. */
import { field, object, optional, parseJson, string } from "../decode.ts";
import { isCode, SregistryError } from "../errors.ts";
import { sameOrigin } from "../http/address.ts";
import { discard, ERROR_LIMIT, readUpTo } from "../http/body.ts";
import { isHtml } from "../http/media-type.ts";
import type { HttpResponse, Transport } from "../http/transport.ts";
import { Secret } from "../secret.ts";
import { below, dailyLimit, isDailyLimit, type Services } from "./discovery.ts";

export interface Account {
  readonly username: string | undefined;
  readonly email: string | undefined;
  /** Password at the library's own OCI registry. */
  readonly secret: Secret | undefined;
}

const NOBODY: Account = { username: undefined, email: undefined, secret: undefined };

/** Sent at once: these servers answer 404, not 401, to whoever shows no token. */
const WITH_TOKEN = { kind: "registry", scopes: [], eager: true } as const;

/** Milliseconds, as SingularityCE waits. */
const PATIENCE = 10_000;

/**
 * `transport` carries the token. @throws SregistryError UNAUTHORIZED for one that is not valid, UNSUPPORTED where nothing
 * verifies it, RATE_LIMITED when it is not verified today.
 */
export async function verifyToken(
  transport: Transport,
  { token, library }: Services,
  signal: AbortSignal,
): Promise<void> {
  const service = token ?? library;
  if (service === undefined) {
    throw new SregistryError("UNSUPPORTED", "while verifying token: no authentication service found", {
      hint: "is this the address of a library? sregistry remote list",
    });
  }
  const response = await ask(transport, below(service, "v1/token-status"), signal, [200, 401, 403, 404, 406]);
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  if (!sameOrigin(response.url, service)) {
    throw new SregistryError(
      "REPLY_INVALID",
      `while verifying token: ${service.host} leads to ${response.url.host}, where the token is not sent`,
      { hint: "check the remote's address: sregistry remote list" },
    );
  }
  // Django calls an empty answer text/html too.
  const page = isHtml(response) && bytes.length > 0;
  if (page && isDailyLimit(response)) throw dailyLimit(service);
  if (response.status === 200 && !page) return;
  if (page) {
    throw new SregistryError("REPLY_INVALID", `while verifying token: ${service.host} answered with a web page`, {
      hint: "check the remote's address: sregistry remote list",
    });
  }
  throw new SregistryError("UNAUTHORIZED", "while verifying token: error response from server: Invalid Token", {
    hint: "generate a new one on the server's token page; nothing was stored",
    status: response.status,
  });
}

/** Empty where the server does not say. `transport` carries the token. */
export async function whoAmI(
  transport: Transport,
  { library, token }: Services,
  signal: AbortSignal,
): Promise<Account> {
  if (library === undefined) return NOBODY;
  return (
    (await sylabsUser(transport, library, signal)) ??
    (await ownEntity(transport, library, signal)) ??
    (await welcomedUser(transport, token ?? library, signal)) ??
    NOBODY
  );
}

/** Sylabs cloud. */
async function sylabsUser(transport: Transport, library: URL, signal: AbortSignal): Promise<Account | undefined> {
  const json = await answer(transport, below(library, "v1/rbac/users/current"), signal);
  if (json === undefined) return undefined;
  const text = (from: unknown, name: string): string | undefined =>
    field(object(from, "user"), name, optional(string), "user") || undefined;
  const meta = object(json, "user")["oidc_user_meta"];
  const secret = meta === undefined || meta === null ? undefined : text(meta, "secret");
  return {
    username: text(json, "username"),
    email: text(json, "email"),
    secret: secret === undefined ? undefined : new Secret(secret),
  };
}

/** Singularity Registry Server 2.1: the token's own user. */
async function ownEntity(transport: Transport, library: URL, signal: AbortSignal): Promise<Account | undefined> {
  const json = await answer(transport, below(library, "v1/entities"), signal);
  const data = json === undefined ? undefined : object(json, "answer")["data"];
  return data === undefined || data === null || Array.isArray(data) ? undefined : named(data, "name");
}

/** Hinkskalle 4: `{"status":"welcome","data":{"username":...}}`. */
async function welcomedUser(transport: Transport, service: URL, signal: AbortSignal): Promise<Account | undefined> {
  const json = await answer(transport, below(service, "v1/token-status"), signal);
  const data = json === undefined ? undefined : object(json, "answer")["data"];
  return data === undefined || data === null || Array.isArray(data) ? undefined : named(data, "username");
}

function named(data: unknown, member: string): Account | undefined {
  const username = field(object(data, "data"), member, optional(string), "data");
  return username ? { ...NOBODY, username } : undefined;
}

/** The JSON of a 200; undefined for any other answer: each kind of server knows one of the three. */
async function answer(transport: Transport, url: URL, signal: AbortSignal): Promise<unknown> {
  const response = await ask(transport, url, signal, [200, 401, 403, 404, 405, 406, 500]);
  // Elsewhere nobody was shown the token.
  if (response.status !== 200 || !sameOrigin(response.url, url)) {
    await discard(response);
    return undefined;
  }
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  if (bytes.length === 0) return undefined;
  try {
    return object(parseJson(new TextDecoder().decode(bytes), url.href), url.href);
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

function ask(transport: Transport, url: URL, signal: AbortSignal, accept: readonly number[]): Promise<HttpResponse> {
  return transport.send({
    method: "GET",
    url,
    accept,
    auth: WITH_TOKEN,
    retry: "safe",
    headersTimeout: PATIENCE,
    signal,
  });
}

export interface ServiceStatus {
  readonly name: string;
  readonly uri: string;
  readonly answers: boolean;
  readonly version: string | undefined;
}

/** One entry a service, as `remote status` shows them: asked at once, one that does not answer is `answers: false`. */
export async function serviceStatus(
  transportOf: (url: URL) => Transport,
  services: Services,
  signal: AbortSignal,
): Promise<readonly ServiceStatus[]> {
  const shown = {
    Builder: services.builder,
    Keyserver: services.keyserver,
    Library: services.library,
    Token: services.token,
  };
  const asked = Object.entries(shown).flatMap(([name, url]) => (url === undefined ? [] : [versionOf(name, url)]));
  return Promise.all(asked);

  async function versionOf(name: string, url: URL): Promise<ServiceStatus> {
    const uri = url.href.replace(/\/$/, "");
    try {
      const response = await transportOf(url).send({
        method: "GET",
        url: below(url, "version"),
        accept: [200, 401, 403, 404, 405],
        auth: { kind: "none" },
        retry: "never",
        headersTimeout: PATIENCE,
        signal,
      });
      const { bytes } = await readUpTo(response, ERROR_LIMIT);
      return { name, uri, answers: true, version: response.status === 200 ? versionIn(bytes, url) : undefined };
    } catch (error) {
      if (!(error instanceof SregistryError) || signal.aborted) throw error;
      return { name, uri, answers: false, version: undefined };
    }
  }
}

/** `{"data":{"version":"v1.9.9"}}`; undefined for anything else. */
function versionIn(bytes: Uint8Array, url: URL): string | undefined {
  try {
    const data = object(parseJson(new TextDecoder().decode(bytes), url.href), url.href)["data"];
    return data === undefined ? undefined : field(object(data, "data"), "version", optional(string), "data");
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}
