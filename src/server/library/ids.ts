/**
 * The ids of entities, collections, containers and images: what they stand for, written so that it needs no list and
 * outlives a restart. Clients hand them back as they came.
 */
import { field, object, optional, parseJson, string } from "../../decode.ts";
import { isCode } from "../../errors.ts";
import { type Digest, digestHex, isDigest } from "../../reference/digest.ts";
import { isRepoPath } from "../../reference/name.ts";
import type { RepoPath } from "../../reference/reference.ts";
import { Failure } from "../failure.ts";

export interface ImageKey {
  readonly path: RepoPath;
  /** Of the image's bytes. */
  readonly digest: Digest;
  /** For the push that follows; an image that is there has its own. */
  readonly description?: string | undefined;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

export const entityId = (name: string): string => encode({ entity: name });
export const collectionId = (name: string): string => encode({ collection: name });
export const containerId = (path: RepoPath): string => encode({ container: path });

export function imageId({ path, digest, description }: ImageKey): string {
  return encode({ image: path, sha256: digestHex(digest), description });
}

/** @throws Failure 404 for what is no collection's id. */
export function collectionOfId(id: string): string {
  const name = member(id, "collection");
  if (name !== undefined && isRepoPath(name, "local")) return name;
  throw unknown("collection");
}

export function containerOfId(id: string): RepoPath {
  const path = member(id, "container");
  if (path !== undefined && isRepoPath(path, "local")) return path;
  throw unknown("container");
}

export function imageOfId(id: string): ImageKey {
  const path = member(id, "image");
  const digest = `sha256:${member(id, "sha256")}`;
  if (path !== undefined && isRepoPath(path, "local") && isDigest(digest)) {
    return { path, digest, description: member(id, "description") };
  }
  throw unknown("image");
}

/** Undefined for an id of something else, and for a text that is no id of ours. */
function member(id: string, name: string): string | undefined {
  try {
    const json = object(parseJson(Buffer.from(id, "base64url").toString("utf8"), "id"), "id");
    return field(json, name, optional(string), "id");
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

function unknown(what: string): Failure {
  return new Failure(404, "NAME_UNKNOWN", `there is no ${what} with this id`);
}
