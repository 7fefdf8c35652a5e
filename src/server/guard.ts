/**
 * Who may ask what, before any route is looked at: the Host header (DNS rebinding lets a web page speak to a server on
 * loopback under a name of its own), the page a browser sends a write from, and tokens.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Secret } from "../secret.ts";
import { ADMIN, type Collections, EVERYBODY, type Identity, NOBODY, unauthorized } from "./access.ts";
import { Failure } from "./failure.ts";
import type { Route } from "./router.ts";
import { fingerprint, type Users } from "./users.ts";

export interface GuardOptions {
  /** Any of them may do everything. */
  readonly tokens: readonly Secret[];
  readonly users: Users;
  /** What belongs to somebody, or is private, is not everybody's to change. */
  readonly collections: Pick<Collections, "anyClosed">;
  /** Whether there were users when the server started. */
  readonly closed: boolean;
  /** Reading needs no token, writing always does. */
  readonly publicRead: boolean;
  /** Without tokens, users and collections that are somebody's everybody may do everything: for an address that only this machine reaches. */
  readonly loopback: boolean;
  /** Names, besides loopback's, that this server is called by; lower case, without port. */
  readonly hosts: readonly string[];
}

/** Says who asks. `route` is undefined where nothing is. @throws the Failure to answer with. */
export type Guard = (request: IncomingMessage, path: string, route: Route | undefined) => Promise<Identity>;

export function createGuard(options: GuardOptions): Guard {
  const known = options.tokens.map((token) => fingerprint(token.reveal()));
  let closed = options.closed || known.length > 0;
  return async (request, path, route) => {
    checkHost(request, options.hosts);
    checkOrigin(request);
    // Once closed, closed for good: the last user's going makes nobody an administrator.
    closed ||= (await options.users.list()).length > 0 || (await options.collections.anyClosed(true));
    return await identify(request, path, route, known, { ...options, closed });
  };
}

function checkHost({ headers, socket }: IncomingMessage, hosts: readonly string[]): void {
  const name = hostName(headers.host ?? "");
  // An address cannot be rebound: a page that was loaded from it came from here.
  const own = isIP(name) !== 0 && name === plainAddress(socket.localAddress ?? "");
  if (own || isLoopback(name) || hosts.includes(name)) return;
  throw new Failure(
    421,
    "DENIED",
    `this registry is not called ${JSON.stringify(name.slice(0, 120))}: --allow-host adds a name`,
  );
}

/** Host without port and brackets, lower case. */
export function hostName(host: string): string {
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host.trim().toLowerCase());
  return plainAddress(found?.[1] ?? found?.[2] ?? "").replace(/\.$/, "");
}

/** An IPv4 address that came over an IPv6 socket as the IPv4 address it is. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

export function isLoopback(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}

/** A browser names the page's origin with every write; no OCI client sends one. */
function checkOrigin({ method, headers }: IncomingMessage): void {
  if (method === "GET" || method === "HEAD" || headers.origin === undefined) return;
  if (URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host) return;
  throw new Failure(403, "DENIED", "a web page of another origin may not write here");
}

async function identify(
  request: IncomingMessage,
  path: string,
  route: Route | undefined,
  known: readonly Buffer[],
  { users, closed, publicRead, loopback }: GuardOptions,
): Promise<Identity> {
  if (!closed && !publicRead && loopback) return EVERYBODY;
  const { authorization } = request.headers;
  if (isSigned(authorization)) {
    if (route?.hmac === true && authorization !== undefined) return { ...NOBODY, hmac: authorization };
    throw new Failure(403, "DENIED", "signed requests are not understood here: send a token");
  }
  const given = givenToken(authorization);
  const found = given === undefined ? undefined : await identityOf(given, known, users);
  if (found !== undefined) return found;
  if (route?.open === true) return NOBODY;
  const reads = request.method === "GET" || request.method === "HEAD";
  if (given === undefined) {
    // The ping is challenged though reading is free: skopeo 1.9 sends a token only where the ping asked for one.
    const challenge = /^\/v2\/?$/.test(path) && closed;
    if (publicRead && reads && !challenge) return NOBODY;
    if (!closed) throw new Failure(403, "DENIED", "this registry is read-only: it was started without a token");
    if (route?.hmac === true) throw new Failure(403, "DENIED", "Authentication Required");
    throw unauthorized("a token is needed: any user name, the token as password");
  }
  throw unauthorized("the token is not known here");
}

async function identityOf(given: string, known: readonly Buffer[], users: Users): Promise<Identity | undefined> {
  const print = fingerprint(given);
  // All are compared, each in constant time, so that the time tells nothing.
  if (known.filter((token) => timingSafeEqual(token, print)).length > 0) return ADMIN;
  const user = await users.byToken(given);
  return user === undefined ? undefined : { user: user.name, admin: false };
}

/** Of Singularity Registry Server's own clients: `SREGISTRY-HMAC-SHA256 Credential=...,Signature=...`. */
function isSigned(authorization: string | undefined): boolean {
  return /^SREGISTRY-HMAC-SHA256\s/i.test(authorization ?? "");
}

/**
 * The token of `Bearer T`, `Token T` (Django REST framework) or `T` alone (Singularity Registry Server), or Basic's
 * password. An empty one counts as none: skopeo 1.9 and singularity without a login send that.
 */
export function givenToken(authorization: string | undefined): string | undefined {
  const [scheme = "", value, ...others] = (authorization ?? "").trim().split(/ +/);
  if (others.length > 0) return "";
  if (/^(?:bearer|token|basic)$/i.test(scheme)) {
    if (scheme.toLowerCase() !== "basic") return value;
    const pair = Buffer.from(value ?? "", "base64").toString("utf8");
    return pair.slice(pair.indexOf(":") + 1) || undefined;
  }
  // Another scheme is no token that anybody could know.
  return value === undefined ? scheme || undefined : "";
}
