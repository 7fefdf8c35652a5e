/** Blobs: existence, download by range, deletion. */

import { type Exchange, reply } from "../exchange.ts";
import { Failure } from "../failure.ts";
import type { Parameters, Route } from "../router.ts";
import { sendBlob } from "../send-blob.ts";
import { absence, digestIn, toDelete, toRead } from "./names.ts";

export const blobRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/{name}/blobs/{digest}", handle: getBlob },
  { method: "DELETE", path: "/v2/{name}/blobs/{digest}", handle: deleteBlob },
];

async function getBlob(exchange: Exchange, parameters: Parameters): Promise<void> {
  const digest = digestIn(parameters["digest"]);
  const repository = await toRead(exchange, parameters);
  if (await sendBlob(exchange, repository, digest)) return;
  throw await absence(repository, "BLOB_UNKNOWN", digest);
}

async function deleteBlob(exchange: Exchange, parameters: Parameters): Promise<void> {
  const digest = digestIn(parameters["digest"]);
  const repository = await toDelete(exchange, parameters);
  switch (await repository.deleteBlob(digest)) {
    case "deleted":
      return reply(exchange, 202);
    case "absent":
      throw await absence(repository, "BLOB_UNKNOWN", digest);
    case "referenced":
      throw new Failure(403, "DENIED", `a manifest of ${repository.path} needs ${digest}: delete the manifest first`);
  }
}
