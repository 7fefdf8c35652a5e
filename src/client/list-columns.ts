/** What `list` can tell of an image: the columns, and the documents of `--json`. */

import { SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Digest } from "../reference/digest.ts";
import type { Depth } from "./list-facts.ts";

export const LIST_COLUMNS = [
  ...(["name", "size", "arch", "created", "digest"] as const),
  ...(["reference", "registry", "collection", "container", "tag"] as const),
  ...(["manifest", "format", "signed"] as const),
] as const;

export type ListColumn = (typeof LIST_COLUMNS)[number];

/** What a terminal shows unless told otherwise. */
export const DEFAULT_COLUMNS: readonly ListColumn[] = ["name", "size", "arch", "created", "digest"];

/** One image. Of what was asked for, null is what nobody knows. */
export interface ListRow {
  /** As the user would write it: without scheme at the default registry. */
  readonly name?: string;
  /** With scheme and host. */
  readonly reference?: string;
  /** Of the endpoint, for people: `registry 127.0.0.1:5000`, `the local store`. */
  readonly registry?: string;
  /** What stands before the container's name; null for a container outside any. */
  readonly collection?: string | null;
  readonly container?: string;
  /** Null for what was asked for by its digest. */
  readonly tag?: string | null;
  /** Bytes of the SIF. */
  readonly size?: number | null;
  /** Go's name: amd64, arm64, ... */
  readonly architecture?: string | null;
  /** RFC 3339: as the endpoint says, else as the image's own header does. */
  readonly created?: string | null;
  /** Of the SIF's bytes. */
  readonly digest?: Digest | null;
  /** What pins it at an OCI endpoint; null elsewhere. */
  readonly manifest?: Digest | null;
  readonly format?: "sif" | "oci-sif" | null;
  /** A signature is in it. Says nothing on who signed. */
  readonly signed?: boolean | null;
}

/** `list --json` without flags for metadata. */
export interface ListDocument {
  /** Without `--columns` each has its name alone. */
  readonly containers: readonly ListRow[];
  /** Absent where there is none. */
  readonly emptyCollections?: readonly string[];
}

export interface ListSort {
  readonly column: ListColumn;
  readonly descending: boolean;
}

const DEPTH_OF: Readonly<Record<ListColumn, Depth>> = {
  name: "name",
  reference: "name",
  registry: "name",
  collection: "name",
  container: "name",
  tag: "name",
  size: "resolved",
  digest: "resolved",
  manifest: "resolved",
  arch: "header",
  created: "header",
  format: "metadata",
  signed: "metadata",
};

export function columnDepth(column: ListColumn): Depth {
  return DEPTH_OF[column];
}

/** `name,size,arch`; `architecture` is another word for `arch`. @throws SregistryError USAGE. */
export function parseColumns(text: string): readonly ListColumn[] {
  const columns = text.split(",").map((word) => parseColumn(word.trim(), "--columns"));
  const twice = columns.find((column, index) => columns.indexOf(column) < index);
  if (twice === undefined) return columns;
  throw new SregistryError("USAGE", `--columns ${JSON.stringify(text)} names ${twice} twice`, {
    hint: `--columns ${[...new Set(columns)].join(",")}`,
  });
}

/** `size`, or `-size` for the largest first. @throws SregistryError USAGE. */
export function parseSort(text: string): ListSort {
  const descending = text.startsWith("-");
  return { column: parseColumn(descending ? text.slice(1) : text, "--sort"), descending };
}

function parseColumn(word: string, flag: string): ListColumn {
  const wanted = word.toLowerCase() === "architecture" ? "arch" : word.toLowerCase();
  const column = LIST_COLUMNS.find((one) => one === wanted);
  if (column !== undefined) return column;
  const meant = nearest(wanted, LIST_COLUMNS);
  throw new SregistryError("USAGE", `${flag}: there is no column ${JSON.stringify(word)}`, {
    hint: meant === undefined ? `the columns are ${LIST_COLUMNS.join(", ")}` : `did you mean ${meant}?`,
  });
}
