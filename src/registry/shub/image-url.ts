/** The URL of an image's bytes, as a manifest has it: any host, and permission for whoever has it. */
import { SregistryError } from "../../errors.ts";
import { isLoopback } from "../../http/address.ts";
import { requireFollowable } from "../../http/redirect.ts";
import { remember } from "../../secret.ts";
import type { Hub } from "./hub.ts";

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
/** Characters of a path that is long enough to be redacted wherever it stands. */
const LONG = 12;

/** @throws SregistryError REPLY_INVALID for what is no http(s) URL, a way down to plain http, or into a private network. */
export async function imageUrl({ base, name }: Pick<Hub, "base" | "name">, text: string): Promise<URL> {
  const url = URL.canParse(text, base.href) ? new URL(text, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    throw new SregistryError("REPLY_INVALID", `${name} says that the image is at an address which is no http(s) URL`);
  }
  url.hash = "";
  keepSecret(url);
  const settled = settle(base, url);
  await requireFollowable(base, base, settled, { verb: "sends the download" });
  return settled;
}

/** In Singularity Registry Server's it is the collection's secret, which opens every image in it. */
function keepSecret({ pathname, search, href }: URL): void {
  for (const [secret] of pathname.matchAll(UUID)) remember(secret);
  if (pathname.length + search.length >= LONG) remember(`${pathname}${search}`);
  if (pathname.length >= LONG) remember(pathname);
  remember(href);
}

/**
 * Singularity Registry Server 2.1 makes the URL of its DOMAIN_NAME, which is `http://127.0.0.1` until somebody sets it, and often
 * http behind a proxy that speaks TLS: then the address that we were given is the better one.
 */
function settle(base: URL, url: URL): URL {
  const unset = isLoopback(url.hostname) && !isLoopback(base.hostname);
  const behindProxy = url.protocol === "http:" && base.protocol === "https:" && url.hostname === base.hostname;
  return unset || behindProxy ? new URL(`${base.origin}${url.pathname}${url.search}`) : url;
}
