/** A blob's bytes as an answer: the whole or a range, whichever protocol asked. */
import type { Digest } from "../reference/digest.ts";
import type { Repository } from "../registry/local/repository.ts";
import { type Exchange, reply, replyStream } from "./exchange.ts";
import { parseRange } from "./range.ts";

/** False when the repository has no such blob; nothing is answered then. */
export async function sendBlob(exchange: Exchange, repository: Repository, digest: Digest): Promise<boolean> {
  const size = await repository.blobSize(digest);
  if (size === undefined) return false;
  const etag = `"${digest}"`;
  const common = { "docker-content-digest": digest, etag, "accept-ranges": "bytes" };
  const { headers, method } = exchange.request;
  if (headers["if-none-match"] === etag) {
    reply(exchange, 304, common);
    return true;
  }
  // A range is for GET alone, and only of the representation that If-Range names (RFC 9110, 13.1.5 and 14.2).
  const ranged = method === "GET" && (headers["if-range"] ?? etag) === etag;
  const range = ranged ? parseRange(headers.range, size) : "whole";
  if (range === "unsatisfiable") {
    reply(exchange, 416, { ...common, "content-range": `bytes */${size}` });
    return true;
  }
  const { start, end } = range === "whole" ? { start: 0, end: size } : range;
  const partial = range === "whole" ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` };
  const sent = { ...common, ...partial, "content-type": "application/octet-stream", "content-length": end - start };
  await replyStream(exchange, range === "whole" ? 200 : 206, sent, () => repository.readBlob(digest, start, end));
  return true;
}
