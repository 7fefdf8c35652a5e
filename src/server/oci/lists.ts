/** Ping, tags and repositories, a page at a time (distribution-spec, "Listing Tags"). */
import type { OutgoingHttpHeaders } from "node:http";
import { type Exchange, replyJson } from "../exchange.ts";
import { Failure, noRepository } from "../failure.ts";
import type { Parameters, Route } from "../router.ts";
import { toRead } from "./names.ts";

export const listRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/", handle: (exchange) => replyJson(exchange, {}) },
  { method: "GET", path: "/v2", handle: (exchange) => replyJson(exchange, {}) },
  { method: "GET", path: "/v2/_catalog", handle: listRepositories },
  { method: "GET", path: "/v2/{name}/tags/list", handle: listTags },
];

/** Names in one answer, whatever the client asks for. */
const LARGEST_PAGE = 10_000;

async function listTags(exchange: Exchange, parameters: Parameters): Promise<void> {
  const repository = await toRead(exchange, parameters);
  const index = await repository.index();
  if (index === undefined) throw noRepository(repository.path);
  const page = pageOf([...index.tags.keys()].sort(), exchange.query);
  const path = `/v2/${repository.path}/tags/list`;
  replyJson(exchange, { name: repository.path, tags: page.names }, nextPage(path, page));
}

async function listRepositories(exchange: Exchange): Promise<void> {
  const page = pageOf(await exchange.access.readable(exchange.identity), exchange.query);
  replyJson(exchange, { repositories: page.names }, nextPage("/v2/_catalog", page));
}

interface Page {
  readonly names: readonly string[];
  readonly size: number;
  readonly more: boolean;
}

/** `last` need not exist any more: the page begins behind the place where it would be. */
function pageOf(sorted: readonly string[], query: URLSearchParams): Page {
  const last = query.get("last");
  const rest = last === null ? sorted : sorted.filter((name) => name > last);
  const size = Math.min(pageSize(query.get("n")), LARGEST_PAGE);
  return { names: rest.slice(0, size), size, more: size > 0 && rest.length > size };
}

function pageSize(text: string | null): number {
  if (text === null) return LARGEST_PAGE;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Failure(400, "PAGINATION_NUMBER_INVALID", `n=${JSON.stringify(text.slice(0, 40))} is no number`);
}

function nextPage(path: string, { names, size, more }: Page): OutgoingHttpHeaders {
  if (!more) return {};
  const query = new URLSearchParams({ n: String(size), last: names.at(-1) ?? "" });
  return { link: `<${path}?${query}>; rel="next"` };
}
