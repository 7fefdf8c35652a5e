/**
 * Decorator: follows redirects by hand. Across origins (scheme + host + port) only an allow-list of headers goes along and
 * never a credential (CVE-2022-23538, CVE-2026-40895); nothing is downgraded to http or led into a private network.
 */
import { lookup } from "node:dns/promises";
import { isCode, SregistryError } from "../errors.ts";
import { bareHost, family, sameOrigin, scopeOf } from "./address.ts";
import { discard } from "./body.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const KEEPS_METHOD: ReadonlySet<number> = new Set([307, 308]);
const CROSSES_ORIGINS = /^(?:accept|range|user-agent|if-[a-z-]+)$/;

export interface RedirectOptions {
  /** Addresses of a host name; for tests. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

export function redirect(inner: Transport, options: RedirectOptions = {}): Transport {
  const resolve = options.resolve ?? addresses;
  return {
    async send(original) {
      let request = original;
      const visited = new Set([original.url.href]);
      for (;;) {
        const response = await inner.send(request).catch((error: unknown) => {
          throw blamed(original.url, request.url, error);
        });
        if (original.redirect === "never" || !followable(request, response)) return response;
        const target = locationOf(response);
        await discard(response);
        await requireFollowable(original.url, request.url, target, { resolve });
        if (visited.has(target.href)) throw refused(original, "redirects in a circle");
        if (visited.size > MAX_REDIRECTS) throw refused(original, `redirects more than ${MAX_REDIRECTS} times`);
        visited.add(target.href);
        request = redirected(request, target);
      }
    },
    close: () => inner.close(),
  };
}

/** A host that the user never typed: who led there is told, and no spelling is theirs to check. */
function blamed(original: URL, at: URL, error: unknown): unknown {
  if (original.host === at.host || !isCode(error, "NETWORK")) return error;
  return new SregistryError(error.code, `${original.host} redirected to ${at.host}: ${error.message}`, {
    cause: error,
    hint: `is ${original.host} the registry's address, or does it want a login in the browser?`,
  });
}

/** GET and HEAD follow all five; anything that changes the server follows 307 and 308, which keep the method. */
function followable(request: HttpRequest, response: HttpResponse): boolean {
  if (!REDIRECTS.has(response.status)) return false;
  const reads = request.method === "GET" || request.method === "HEAD";
  return reads || (KEEPS_METHOD.has(response.status) && sameOrigin(locationOf(response), request.url));
}

function locationOf(response: HttpResponse): URL {
  const location = response.headers.get("location");
  const url =
    location !== undefined && URL.canParse(location, response.url.href) ? new URL(location, response.url) : undefined;
  if (
    url !== undefined &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.username === "" &&
    url.password === ""
  ) {
    // A fragment is not sent and must not hide a circle.
    url.hash = "";
    return url;
  }
  response.body.destroy();
  throw new SregistryError(
    "REPLY_INVALID",
    `${response.url.host} answered ${response.status} without an http(s) Location to follow`,
  );
}

function redirected(request: HttpRequest, url: URL): HttpRequest {
  if (sameOrigin(request.url, url)) return { ...request, url };
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => CROSSES_ORIGINS.test(name.toLowerCase()));
  return { ...request, url, headers: Object.fromEntries(headers), auth: { kind: "none" } };
}

/**
 * Whether a URL that a server gave may be asked: `from` is who gave it, `original` whom the user named. `verb`: how it was given.
 * @throws SregistryError REPLY_INVALID for a way down to plain http, or into a network that the server is not in.
 */
export async function requireFollowable(
  original: URL,
  from: URL,
  target: URL,
  { resolve = addresses, verb = "redirects" }: RedirectOptions & { readonly verb?: string } = {},
): Promise<void> {
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw new SregistryError(
      "REPLY_INVALID",
      `${from.host} ${verb} from https to plain http (${target.host}), which is not followed`,
    );
  }
  if (target.hostname === original.hostname || (await mayLeadTo(original, target, resolve))) return;
  throw new SregistryError(
    "REPLY_INVALID",
    `${original.host} ${verb} to ${target.host}, an address inside a private network, which is not followed`,
    { hint: "the registry's storage must be reachable under a name, or under an address of the registry's own kind" },
  );
}

/**
 * A server out there must not make us ask our own machine or the metadata service of a cloud. A registry inside a private
 * network may well keep its blobs at a MinIO beside it, named by address.
 */
async function mayLeadTo(
  original: URL,
  target: URL,
  resolve: (hostname: string) => Promise<readonly string[]>,
): Promise<boolean> {
  const to = scopeOf(target.hostname);
  const from = scopeOf(original.hostname);
  if (to === "public" || to === "name" || from === "loopback") return true;
  if (to !== "private") return from === to;
  if (from === "private") return true;
  if (from !== "name") return false;
  const found = await resolve(bareHost(original.hostname));
  return found.length > 0 && found.every((address) => family(address) !== undefined && scopeOf(address) === "private");
}

/** Empty for a name that only a proxy can resolve. */
async function addresses(hostname: string): Promise<readonly string[]> {
  try {
    return (await lookup(hostname, { all: true })).map(({ address }) => address);
  } catch {
    // No answer means no proof that the registry is inside: the caller then refuses.
    return [];
  }
}

function refused(original: HttpRequest, words: string): SregistryError {
  return new SregistryError(
    "REPLY_INVALID",
    `${original.url.host} ${words} (${original.method} ${original.url.pathname})`,
  );
}
