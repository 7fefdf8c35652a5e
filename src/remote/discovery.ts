/** Where a remote's services are: `GET {front}/assets/config/config.prod.json`, as SingularityCE 4.5 reads it. */
import { type Log, silentLog } from "../call.ts";
import { object, parseJson } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import { isLoopback } from "../http/address.ts";
import { discard, LIST_LIMIT, readCapped } from "../http/body.ts";
import { isHtml } from "../http/media-type.ts";
import { realmTrust } from "../http/realm.ts";
import type { HttpResponse, Transport } from "../http/transport.ts";

export interface Services {
  readonly library?: URL;
  /** The library's own OCI registry, for OCI-SIFs. */
  readonly registry?: URL;
  readonly keyserver?: URL;
  readonly token?: URL;
  readonly builder?: URL;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly log?: Log;
  /** `never`: for what is worth one try only. Default `safe`. */
  readonly retry?: "safe" | "never";
}

/** Milliseconds, as SingularityCE waits. */
const PATIENCE = 10_000;

/** "There is nothing of that kind", in the ways of libraries, OCI registries and web servers. */
export const NOT_HERE: readonly number[] = [400, 401, 404, 405, 406, 410];

/**
 * Undefined when there is nothing of that kind at `front`.
 * @throws SregistryError NETWORK and others when it cannot be asked, REPLY_INVALID when it answers nonsense, RATE_LIMITED with
 * status 403 when it does not say today.
 */
export async function discover(
  transport: Transport,
  front: URL,
  { signal, log = silentLog, retry = "safe" }: AskOptions,
): Promise<Services | undefined> {
  const response = await transport.send({
    method: "GET",
    url: below(front, "assets/config/config.prod.json"),
    accept: [200, 403, ...NOT_HERE],
    auth: { kind: "none" },
    retry,
    headersTimeout: PATIENCE,
    signal,
  });
  if (response.status !== 200) {
    await discard(response);
    if (isDailyLimit(response)) throw dailyLimit(front);
    return undefined;
  }
  const text = new TextDecoder().decode(await readCapped(response, LIST_LIMIT));
  // Singularity Registry Server 2.1 sends the JSON as text/html; a page is told by how it begins.
  if (!/^\s*[{[]/.test(text)) return undefined;
  const where = `answer of ${front.host} to ${response.url.pathname}`;
  const found = parseJson(text, where);
  return servicesOf(object(found, where), front, log);
}

/** 50 requests a day for each view and address, as Singularity Registry Server 2.1 is shipped. It looks like a lack of rights. */
export function isDailyLimit(response: HttpResponse): boolean {
  return response.status === 403 && isHtml(response);
}

export function dailyLimit(server: URL): SregistryError {
  const words = "a Singularity Registry Server that has reached its limit of requests a day does so";
  return new SregistryError("RATE_LIMITED", `${server.host} refuses with a web page (status 403): ${words}`, {
    hint: "try again tomorrow, or ask the administrator for a higher limit",
    status: 403,
  });
}

/** `path` under an address that may have a path of its own. */
export function below(base: URL, path: string): URL {
  return new URL(path, base.href.endsWith("/") ? base : `${base.href}/`);
}

function servicesOf(config: Readonly<Record<string, unknown>>, front: URL, log: Log): Services {
  const uri = (service: string, member: string): URL | undefined => {
    const entry = config[service];
    const text = typeof entry === "object" && entry !== null ? Reflect.get(entry, member) : undefined;
    return typeof text === "string" ? serviceUrl(text, service, front, log) : undefined;
  };
  const named = {
    library: uri("libraryAPI", "uri"),
    registry: uri("libraryAPI", "registryUri"),
    keyserver: uri("keystoreAPI", "uri"),
    token: uri("tokenAPI", "uri"),
    builder: uri("builderAPI", "uri"),
  };
  return Object.fromEntries(Object.entries(named).filter(([, url]) => url !== undefined));
}

function serviceUrl(text: string, service: string, front: URL, log: Log): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    log.verbose(`${front.host} names an address for ${service} that is none: ${JSON.stringify(text.slice(0, 200))}`);
    return undefined;
  }
  if (isHere(url, front)) {
    log.verbose(`${front.host} says that its ${service} is at ${url.host}; it is asked where it was found`);
    return new URL(front);
  }
  if (front.protocol !== "https:" || url.protocol !== "http:") return url;
  if (service !== "libraryAPI" && service !== "tokenAPI") {
    log.verbose(`${front.host} has its ${service} at ${url.origin}, without https: it is not used`);
    return undefined;
  }
  throw new SregistryError("REFUSED", `${front.host} has its ${service} at ${url.origin}, without https`, {
    hint: "the server's own address is misconfigured (DOMAIN_NAME at a Singularity Registry Server): tell its administrator",
  });
}

/**
 * Singularity Registry Server names 127.0.0.1 unless its administrator said otherwise: then it is where it was asked. On the
 * machine itself, so is what has another name of the loopback and the same port.
 */
function isHere(url: URL, front: URL): boolean {
  if (!isLoopback(url.hostname)) return false;
  if (!isLoopback(front.hostname)) return true;
  return url.hostname !== front.hostname && url.port === front.port && url.protocol === front.protocol;
}

/** Whether the token of the remote at `front` may be sent to one of its services. `trusted`: hosts the user vouches for. */
export function tokenMayGo(front: URL, service: URL, trusted: readonly string[]): boolean {
  return isOwnHttps(front, service) || realmTrust(front, service, trusted) === "credentials";
}

/** An address that was added as plain http, and whose server has https: what may go the one way may go the other. */
function isOwnHttps(front: URL, service: URL): boolean {
  const [from, to] = [front.protocol + front.port, service.protocol + service.port];
  return from === "http:" && to === "https:" && front.hostname === service.hostname;
}
