/**
 * Who may ask what, before any route is looked at: the Host header (DNS rebinding lets a web page speak to a server on
 * loopback under a name of its own), the page a browser sends a write from, and tokens.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Secret } from "../secret.ts";
import { Failure } from "./failure.ts";

export interface Access {
  /** Any of them may read and write. */
  readonly tokens: readonly Secret[];
  /** Reading needs no token, writing always does. */
  readonly publicRead: boolean;
  /** Names, besides loopback's, that this server is called by; lower case, without port. */
  readonly hosts: readonly string[];
}

export type Guard = (request: IncomingMessage, path: string) => void;

/** The guard throws the Failure to answer with. */
export function createGuard(access: Access): Guard {
  const known = access.tokens.map((token) => fingerprint(token.reveal()));
  return (request, path) => {
    checkHost(request, access.hosts);
    checkOrigin(request);
    checkToken(request, path, known, access.publicRead);
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

function checkToken(request: IncomingMessage, path: string, known: readonly Buffer[], publicRead: boolean): void {
  if (known.length === 0 && !publicRead) return;
  const given = givenToken(request.headers.authorization);
  const reads = request.method === "GET" || request.method === "HEAD";
  if (given === undefined) {
    // The ping is challenged though reading is free: skopeo 1.9 sends a token only where the ping asked for one.
    const challenge = /^\/v2\/?$/.test(path) && known.length > 0;
    if (publicRead && reads && !challenge) return;
    if (known.length === 0)
      throw new Failure(403, "DENIED", "this registry is read-only: it was started without a token");
    throw unauthorized("a token is needed: any user name, the token as password");
  }
  const print = fingerprint(given);
  // All are compared, each in constant time, so that the time tells nothing.
  if (known.filter((token) => timingSafeEqual(token, print)).length === 0)
    throw unauthorized("the token is not known here");
}

function unauthorized(message: string): Failure {
  const headers = { "www-authenticate": 'Basic realm="sregistry", charset="UTF-8"' };
  return new Failure(401, "UNAUTHORIZED", message, { headers });
}

/** Bearer's token or Basic's password. An empty one counts as none: skopeo 1.9 sends that when it has no login. */
function givenToken(authorization: string | undefined): string | undefined {
  const [, scheme = "", value = ""] = /^(\S+) +(\S+) *$/.exec(authorization ?? "") ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic": {
      const pair = Buffer.from(value, "base64").toString("utf8");
      return pair.slice(pair.indexOf(":") + 1) || undefined;
    }
    default:
      return authorization === undefined ? undefined : "";
  }
}

function fingerprint(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
