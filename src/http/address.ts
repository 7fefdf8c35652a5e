/** What a URL's host is, without asking the network: loopback, link-local, private, public address or a name. */
import { BlockList, isIP } from "node:net";
import { SregistryError } from "../errors.ts";

export type Scope = "loopback" | "link-local" | "private" | "public" | "name";

const LOOPBACK = networks(["127.0.0.0", 8], ["0.0.0.0", 8], ["::1", 128], ["::", 128]);
const LINK_LOCAL = networks(["169.254.0.0", 16], ["fe80::", 10]);
const PRIVATE = networks(
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  // Shared address space of carriers (RFC 6598): never a public server.
  ["100.64.0.0", 10],
  ["fc00::", 7],
);

function networks(...subnets: readonly (readonly [address: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family(address) ?? "ipv4");
  return list;
}

/** The family of an IP literal, with or without the brackets that URLs put around IPv6. */
export function family(hostname: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(bareHost(hostname));
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : undefined;
}

/** `[::1]` -> `::1`; anything else as it is, without the dot that ends a fully qualified name, in lower case. */
export function bareHost(hostname: string): string {
  const bare = hostname.startsWith("[") && hostname.endsWith("]") ? hostname.slice(1, -1) : hostname;
  return (bare.endsWith(".") ? bare.slice(0, -1) : bare).toLowerCase();
}

/** BlockList checks IPv4 networks for IPv4-mapped IPv6 addresses too (Node documentation, `blockList.check`). */
export function scopeOf(hostname: string): Scope {
  const host = bareHost(hostname);
  const kind = family(host);
  if (kind === undefined) return host === "localhost" || host.endsWith(".localhost") ? "loopback" : "name";
  if (LOOPBACK.check(host, kind)) return "loopback";
  if (LINK_LOCAL.check(host, kind)) return "link-local";
  return PRIVATE.check(host, kind) ? "private" : "public";
}

export function isLoopback(hostname: string): boolean {
  return scopeOf(hostname) === "loopback";
}

/**
 * Where the registry `host[:port]` is asked. Loopback is plain http without being told; anything else only for
 * --plain-http, so that nothing is ever downgraded behind the user's back.
 * @throws SregistryError REFERENCE_INVALID for what is no `host[:port]`.
 */
export function baseUrl(host: string, options: { readonly plainHttp?: boolean } = {}): URL {
  const probe = URL.canParse(`https://${host}/`) ? new URL(`https://${host}/`) : undefined;
  if (
    probe === undefined ||
    probe.pathname !== "/" ||
    probe.search + probe.hash + probe.username !== "" ||
    /[/\\?#@]/.test(host)
  ) {
    throw new SregistryError("REFERENCE_INVALID", `${JSON.stringify(host)} is not a host or host:port`);
  }
  const plain = options.plainHttp === true || isLoopback(probe.hostname);
  return plain ? new URL(`http://${host}/`) : probe;
}

/** scheme + host + port, with default ports left out: the border that no credential crosses. */
export function sameOrigin(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host;
}
