/** Tags of a container: by architecture from API 2.0.0-alpha.2 on, flat before. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import type { Digest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import { parseRepoPath } from "../../reference/name.ts";
import type { PlacedReference, Tag } from "../../reference/reference.ts";
import type { LibraryApi } from "./api.ts";
import { removeRow } from "./complete.ts";
import type { Place } from "./place.ts";
import { findImage } from "./read.ts";
import type { ImageRecord } from "./records.ts";

export interface TagOf {
  readonly tag: Tag;
  readonly digest: Digest;
  /** Go's name; the host's where the image does not say. */
  readonly architecture: string;
}

/**
 * Sets the tag and reads it back: exit 0 means that it is there and names these bytes. A row that is refused its only tag is
 * taken away where it would be listed without one.
 * @throws SregistryError CONFLICT for a frozen tag, in the server's words, or one that somebody else sets at the same time.
 */
export async function nameRow(
  api: LibraryApi,
  place: Place,
  row: ImageRecord,
  named: TagOf,
  call: Call,
): Promise<void> {
  try {
    await setTag(api, place, row.id, named, call);
  } catch (error) {
    if (row.uploaded !== true && isRefusal(error)) await removeRow({ api, id: row.id, call });
    throw error;
  }
  await readBack(api, place, named, call);
}

/** Not for an answer that was lost, or one by halves: the tag may be set. */
function isRefusal(error: unknown): boolean {
  return isCode(error, "REFUSED", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "UNSUPPORTED");
}

async function setTag(api: LibraryApi, place: Place, id: string, named: TagOf, call: Call): Promise<void> {
  const { tag, architecture } = named;
  const byArchitecture = (await api.version(call)) === "2.0.0-alpha.2";
  const url = api.url(`${byArchitecture ? "v2" : "v1"}/tags/${place.record.id}`);
  const json = byArchitecture ? { Arch: architecture, Tag: tag, ImageID: id } : { Tag: tag, ImageID: id };
  try {
    await discard(await api.send({ method: "POST", url, json, accept: [200, 201, 204] }, call));
  } catch (error) {
    throw frozen(error, `${place.collection}/${place.container}:${tag}`);
  }
}

async function readBack(
  api: LibraryApi,
  { entity, collection, container }: Place,
  { tag, digest, architecture }: TagOf,
  call: Call,
): Promise<void> {
  const path = parseRepoPath(`${entity}/${collection}/${container}`, "library");
  const reference: PlacedReference = { scheme: "library", path, selector: { kind: "tag", tag } };
  const { record } = await findImage(api, reference, { architecture }, call);
  if (record.digest === undefined || record.digest === digest) return;
  throw new SregistryError("CONFLICT", `${formatReference(reference)} is ${record.digest} now, not what was pushed`, {
    hint: "somebody else pushed to this tag at the same time; push again",
  });
}

/** Singularity Registry Server 2.1: 400 `{"message":"This tag exists, and is frozen."}`. */
function frozen(error: unknown, name: string): unknown {
  if (!isCode(error, "REFUSED", "CONFLICT") || !/frozen/i.test(error.message)) return error;
  return new SregistryError("CONFLICT", `${name} is frozen: ${error.message}`, {
    hint: "push under another tag, or have it unfrozen by its owner",
    cause: error,
  });
}
