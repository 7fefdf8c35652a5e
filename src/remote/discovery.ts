/** Where a remote's services are: `GET {front}/assets/config/config.prod.json`, as SingularityCE 4.5 reads it. */
import { type Log, silentLog } from "../call.ts";
import { object, parseJson } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import { isLoopback } from "../http/address.ts";
import { discard, LIST_LIMIT, readCapped } from "../http/body.ts";
import { realmTrust } from "../http/realm.ts";
import type { Transport } from "../http/transport.ts";

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
}

/** Milliseconds, as SingularityCE waits. */
const PATIENCE = 10_000;

/**
 * Undefined when there is nothing of that kind at `front`.
 * @throws SregistryError NETWORK and others when it cannot be asked, REPLY_INVALID when it answers nonsense.
 */
export async function discover(
  transport: Transport,
  front: URL,
  { signal, log = silentLog }: AskOptions,
): Promise<Services | undefined> {
  const response = await transport.send({
    method: "GET",
    url: below(front, "assets/config/config.prod.json"),
    accept: [200, 401, 404],
    auth: { kind: "none" },
    retry: "safe",
    headersTimeout: PATIENCE,
    signal,
  });
  if (response.status !== 200) {
    await discard(response);
    return undefined;
  }
  const text = new TextDecoder().decode(await readCapped(response, LIST_LIMIT));
  // Singularity Registry Server 2.1 sends the JSON as text/html; a page is told by how it begins.
  if (/^\s*</.test(text)) return undefined;
  const where = `answer of ${front.host} to ${response.url.pathname}`;
  const found = parseJson(text, where);
  return servicesOf(object(found, where), front, log);
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

/** Singularity Registry Server names 127.0.0.1 unless its administrator said otherwise: then it is where it was asked. */
function serviceUrl(text: string, service: string, front: URL, log: Log): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    log.verbose(`${front.host} names an address for ${service} that is none: ${JSON.stringify(text.slice(0, 200))}`);
    return undefined;
  }
  if (isLoopback(url.hostname) && !isLoopback(front.hostname)) {
    log.verbose(`${front.host} says that its ${service} is at ${url.host}; it is asked where it was found`);
    return new URL(front);
  }
  if (front.protocol === "https:" && url.protocol === "http:") {
    throw new SregistryError("REFUSED", `${front.host} has its ${service} at ${url.origin}, without https`, {
      hint: "the server's own address is misconfigured (DOMAIN_NAME at a Singularity Registry Server): tell its administrator",
    });
  }
  return url;
}

/** Whether the token of the remote at `front` may be sent to one of its services. `trusted`: hosts the user vouches for. */
export function tokenMayGo(front: URL, service: URL, trusted: readonly string[]): boolean {
  return realmTrust(front, service, trusted) === "credentials";
}
