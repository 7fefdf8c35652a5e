/** Which proxy a URL goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in lower case (first) and upper case. */
import { SregistryError } from "../errors.ts";
import { remember } from "../secret.ts";
import { isLoopback } from "./address.ts";
import { bypassesProxy } from "./no-proxy.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HttpProxy {
  /** Without user information. */
  readonly url: URL;
  /** Value of Proxy-Authorization; goes to the proxy alone. */
  readonly authorization: string | undefined;
  /** The variable it comes from, for messages. */
  readonly from: string;
}

/**
 * Loopback never goes through a proxy: the proxy's loopback is another machine (Go does the same).
 * @throws SregistryError CONFIG_INVALID naming the variable when its value is no http(s) proxy.
 */
export function proxyFor(url: URL, env: Environment): HttpProxy | undefined {
  if (isLoopback(url.hostname)) return undefined;
  const names = url.protocol === "https:" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy", "HTTP_PROXY"];
  const from = names.find((name) => nonEmpty(env[name]) !== undefined);
  const value = from === undefined ? undefined : nonEmpty(env[from]);
  if (from === undefined || value === undefined) return undefined;
  if (bypassesProxy(url, nonEmpty(env["no_proxy"]) ?? env["NO_PROXY"] ?? "")) return undefined;
  return parseProxy(value, from);
}

function parseProxy(value: string, from: string): HttpProxy {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    // The value may hold a password, so it is not repeated.
    throw new SregistryError("CONFIG_INVALID", `${from} is not the URL of an http or https proxy`, {
      hint: `export ${from}=http://proxy.example:3128`,
    });
  }
  const authorization = proxyAuthorization(url, from);
  return { url: new URL(url.origin), authorization, from };
}

function proxyAuthorization(url: URL, from: string): string | undefined {
  if (url.username === "" && url.password === "") return undefined;
  const user = decode(url.username, from);
  const password = decode(url.password, from);
  const encoded = Buffer.from(`${user}:${password}`).toString("base64");
  for (const secret of [password, url.password, encoded]) remember(secret);
  return `Basic ${encoded}`;
}

function decode(text: string, from: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new SregistryError("CONFIG_INVALID", `user or password in ${from} has a % that is no percent-encoding`, {
      hint: "write % as %25",
      cause,
    });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : text.trim();
}
