/** The rows of the server's one table of images, found by name and without their bytes: such a search counts as no download. */
import type { Call } from "../../call.ts";
import { count, type Decoder, field, list, object, optional, string } from "../../decode.ts";
import type { SregistryApi } from "./api.ts";
import { type Container, type ImageName, isUnfinished, storedCollection } from "./names.ts";

export interface Row extends ImageName {
  /** Of the page for people, and of the download. */
  readonly id: number | undefined;
  /** `sha256.<hex>`; after a signed push the md5's digits until a worker got to it; undefined for an unfinished push. */
  readonly version: string | undefined;
  readonly frozen: boolean;
}

const rowDecoder: Decoder<Row> = (value, where) => {
  const json = object(value, where);
  return {
    id: field(json, "id", optional(count), where),
    collection: field(json, "collection", optional(string), where) ?? "",
    name: field(json, "name", string, where),
    tag: field(json, "tag", string, where),
    version: field(json, "version", optional(string), where),
    frozen: json["frozen"] === true,
  };
};

/** Whole names only; the server asks in lower case, so rows with capitals are not found. None: an empty list. */
export async function findRows(
  api: SregistryApi,
  container: Container,
  tag: string | undefined,
  call: Call,
): Promise<readonly Row[]> {
  const rows = await askRows(api, container, tag, call);
  const collection = storedCollection(container.collection);
  if (rows.length > 0 || collection === container.collection) return rows;
  return askRows(api, { ...container, collection }, tag, call);
}

async function askRows(
  api: SregistryApi,
  { collection, name }: Container,
  tag: string | undefined,
  call: Call,
): Promise<readonly Row[]> {
  const words = ["collection", collection, "name", name, ...(tag === undefined ? [] : ["tag", tag])];
  return search(api, words, call);
}

async function search(api: SregistryApi, words: readonly string[], call: Call): Promise<readonly Row[]> {
  const path = `/api/container/search/${words.map(encodeURIComponent).join("/")}`;
  const rows = await api.get(path, list(rowDecoder), call);
  return rows.filter((row) => !isUnfinished(row.tag));
}

/** Of the same name and tag, in whichever collection. */
export async function findNamesakes(api: SregistryApi, { name, tag }: ImageName, call: Call): Promise<readonly Row[]> {
  const rows = await search(api, ["name", name, "tag", tag], call);
  return rows.filter((row) => row.collection !== "");
}
