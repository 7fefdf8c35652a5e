/** Blobs: existence, download by range, deletion. */

import { type Exchange, reply, replyStream } from "../exchange.ts";
import { Failure } from "../failure.ts";
import { parseRange } from "../range.ts";
import type { Parameters, Route } from "../router.ts";
import { digestIn, repositoryAt } from "./names.ts";

export const blobRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/{name}/blobs/{digest}", handle: getBlob },
  { method: "DELETE", path: "/v2/{name}/blobs/{digest}", handle: deleteBlob },
];

async function getBlob(exchange: Exchange, parameters: Parameters): Promise<void> {
  const repository = repositoryAt(exchange, parameters);
  const digest = digestIn(parameters["digest"]);
  const size = await repository.blobSize(digest);
  if (size === undefined) throw new Failure(404, "BLOB_UNKNOWN", `${repository.path} has no blob ${digest}`);
  const etag = `"${digest}"`;
  const common = { "docker-content-digest": digest, etag, "accept-ranges": "bytes" };
  const { headers, method } = exchange.request;
  if (headers["if-none-match"] === etag) return reply(exchange, 304, common);
  // A range is for GET alone, and only of the representation that If-Range names (RFC 9110, 13.1.5 and 14.2).
  const ranged = method === "GET" && (headers["if-range"] ?? etag) === etag;
  const range = ranged ? parseRange(headers.range, size) : "whole";
  if (range === "unsatisfiable") return reply(exchange, 416, { ...common, "content-range": `bytes */${size}` });
  const { start, end } = range === "whole" ? { start: 0, end: size } : range;
  const partial = range === "whole" ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` };
  const sent = { ...common, ...partial, "content-type": "application/octet-stream", "content-length": end - start };
  await replyStream(exchange, range === "whole" ? 200 : 206, sent, () => repository.readBlob(digest, start, end));
}

async function deleteBlob(exchange: Exchange, parameters: Parameters): Promise<void> {
  const repository = repositoryAt(exchange, parameters);
  const digest = digestIn(parameters["digest"]);
  switch (await repository.deleteBlob(digest)) {
    case "deleted":
      return reply(exchange, 202);
    case "absent":
      throw new Failure(404, "BLOB_UNKNOWN", `${repository.path} has no blob ${digest}`);
    case "referenced":
      throw new Failure(403, "DENIED", `a manifest of ${repository.path} needs ${digest}: delete the manifest first`);
  }
}
