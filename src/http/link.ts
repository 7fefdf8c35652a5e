/** The Link header (RFC 8288), as far as pagination needs it. A linear scanner: the text is a stranger's. */
import { SregistryError } from "../errors.ts";
import { sameOrigin } from "./address.ts";
import type { HttpResponse } from "./transport.ts";

export interface Link {
  readonly target: string;
  /** Relation types, lower case. */
  readonly rel: readonly string[];
}

const MAX_LENGTH = 16 * 1024;

/** Every link of the header; what cannot be read ends the list. */
export function parseLink(value: string): readonly Link[] {
  const links: Link[] = [];
  let at = 0;
  while (at < value.length && value.length <= MAX_LENGTH) {
    const open = value.indexOf("<", at);
    const close = value.indexOf(">", open + 1);
    if (open < 0 || close < 0 || value.slice(at, open).replaceAll(/[\s,]/g, "") !== "") break;
    const [rel, next] = relation(value, close + 1);
    links.push({ target: value.slice(open + 1, close), rel });
    at = next;
  }
  return links;
}

/** Reads `; name=value` pairs from `at` up to the comma that ends this link; the first `rel` counts (RFC 8288, 3.3). */
function relation(value: string, at: number): readonly [rel: readonly string[], next: number] {
  const parameter = /\s*;\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y;
  let rel: readonly string[] | undefined;
  let next = at;
  for (;;) {
    parameter.lastIndex = next;
    const found = parameter.exec(value);
    if (found === null) break;
    next = parameter.lastIndex;
    if (found[1]?.toLowerCase() === "rel") {
      rel ??= (found[2] ?? found[3] ?? "")
        .toLowerCase()
        .split(/\s+/)
        .filter((word) => word !== "");
    }
  }
  return [rel ?? [], next];
}

/**
 * The next page of a list, resolved against the answer's URL; undefined on the last page.
 * @throws SregistryError REPLY_INVALID when it leads to another origin.
 */
export function nextPage(response: HttpResponse): URL | undefined {
  const link = parseLink(response.headers.get("link") ?? "").find(({ rel }) => rel.includes("next"));
  if (link === undefined) return undefined;
  const url = URL.canParse(link.target, response.url.href) ? new URL(link.target, response.url) : undefined;
  if (url === undefined || !sameOrigin(url, response.url)) {
    throw new SregistryError(
      "REPLY_INVALID",
      `${response.url.host} names a next page that is not its own: ${JSON.stringify(url?.host ?? link.target.slice(0, 120))}`,
    );
  }
  return url;
}
