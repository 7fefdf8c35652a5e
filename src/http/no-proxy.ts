/**
 * Our own NO_PROXY matcher. It means what Go's x/net/http/httpproxy means (and so what Singularity and Apptainer do with
 * the same variable): `*`, `host` (and its subdomains), `.suffix` (subdomains only), `host:port`, IP, `IP:port`, CIDR.
 * An IPv4-mapped IPv6 address is the IPv4 address (axios CVE-2026-44492).
 */
import { BlockList } from "node:net";
import { bareHost, family } from "./address.ts";

/** True when the list says that `url` is reached without a proxy. Entries that mean nothing are passed over, as in Go. */
export function bypassesProxy(url: URL, noProxy: string): boolean {
  const host = unmapped(bareHost(url.hostname));
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy.split(/[\s,]+/).some((entry) => entry !== "" && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return inNetwork(entry, host);
  const [name, wantedPort] = splitPort(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const wanted = unmapped(bareHost(name.startsWith("*.") ? name.slice(1) : name));
  if (wanted === "" || wanted === ".") return false;
  if (wanted.startsWith(".")) return host.endsWith(wanted);
  if (family(wanted) !== undefined || family(host) !== undefined) return sameAddress(wanted, host);
  return host === wanted || host.endsWith(`.${wanted}`);
}

/** `host:port`, `[v6]:port`; an IPv6 address without brackets has no port. */
function splitPort(entry: string): readonly [name: string, port: string | undefined] {
  const found = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(entry);
  return found?.[1] === undefined ? [entry, undefined] : [found[1], found[2]];
}

function inNetwork(entry: string, host: string): boolean {
  const slash = entry.indexOf("/");
  const address = bareHost(entry.slice(0, slash));
  const kind = family(address);
  const hostKind = family(host);
  const bits = entry.slice(slash + 1);
  if (kind === undefined || hostKind === undefined || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (kind === "ipv4" ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), kind);
  return list.check(host, hostKind);
}

function sameAddress(a: string, b: string): boolean {
  const kind = family(a);
  const other = family(b);
  if (kind === undefined || kind !== other) return false;
  const list = new BlockList();
  list.addAddress(a, kind);
  return list.check(b, kind);
}

/** `::ffff:10.0.0.1`, also in the form `::ffff:a00:1` that URL gives it, -> `10.0.0.1`. */
function unmapped(host: string): string {
  if (family(host) !== "ipv6") return host;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(new URL(`http://[${host}]/`).hostname.slice(1, -1));
  if (hex?.[1] === undefined || hex[2] === undefined) return host;
  const high = Number.parseInt(hex[1], 16);
  const low = Number.parseInt(hex[2], 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
