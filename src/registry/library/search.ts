/** `GET v1/search`: images by a part of their names or descriptions. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { isRepoPath } from "../../reference/name.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { SearchHit, SearchOptions } from "../registry.ts";
import type { LibraryApi } from "./api.ts";
import { type ImageRecord, imageRecord } from "./records.ts";

/** Characters; libraries refuse less. */
const SHORTEST = 3;

const images: Decoder<readonly ImageRecord[]> = (value, where) =>
  field(object(value, where), "image", optional(list(imageRecord)), where) ?? [];

/** @throws SregistryError USAGE for a query that is too short, in Singularity's words; UNSUPPORTED where there is no search. */
export async function* search(
  api: LibraryApi,
  query: string,
  { architecture, signed }: SearchOptions,
  call: Call,
): AsyncGenerator<SearchHit> {
  if (query.length < SHORTEST) {
    throw new SregistryError("USAGE", `bad query '${query}'. You must search for at least ${SHORTEST} characters`);
  }
  const url = api.url("v1/search", {
    ...(architecture === undefined ? {} : { arch: architecture }),
    ...(signed === true ? { signed: "true" } : {}),
    value: query,
  });
  const found = await api.find(url, images, call);
  if (found === undefined) {
    throw new SregistryError("UNSUPPORTED", `${api.name} has no search`, { hint: "sregistry list" });
  }
  for (const record of found) {
    const hit = hitOf(record);
    if (hit !== undefined) yield hit;
    else
      call.log.verbose(
        `${api.name} found an image whose name is none: ${record.entity}/${record.collection}/${record.container}`,
      );
  }
}

function hitOf(record: ImageRecord): SearchHit | undefined {
  const { entity, collection, container, tags, digest, description, architecture, fingerprints } = record;
  const path = [entity, collection, container].filter((part) => part !== undefined).join("/");
  const [tag] = tags;
  if (!isRepoPath(path, "library") || (tag === undefined && digest === undefined)) return undefined;
  const selector =
    tag !== undefined ? ({ kind: "tag", tag } as const) : digest && ({ kind: "digest", digest } as const);
  if (selector === undefined) return undefined;
  const reference: PlacedReference = { scheme: "library", path, selector };
  const said = description !== undefined && !/^no description$/i.test(description) ? description : undefined;
  return { reference, tags, description: said, architecture, signedBy: fingerprints };
}
