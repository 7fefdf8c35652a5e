/** The records of the API, as far as they are used. Ids are strings; some servers send numbers. */
import { count, type Decoder, field, type JsonObject, list, object, optional, record, string } from "../../decode.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";

export const id: Decoder<string> = (value, where) => (typeof value === "number" ? String(value) : string(value, where));

export interface NamedRecord {
  readonly id: string;
  /** As the server normalised it; undefined where it does not say. */
  readonly name: string | undefined;
}

export const namedRecord: Decoder<NamedRecord> = (value, where) => {
  const json = object(value, where);
  return { id: field(json, "id", id, where), name: field(json, "name", optional(string), where) };
};

export interface ContainerRecord extends NamedRecord {
  /** architecture -> tag -> image's id. */
  readonly archTags: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** tag -> image's id. */
  readonly imageTags: Readonly<Record<string, string>>;
}

export const containerRecord: Decoder<ContainerRecord> = (value, where) => {
  const json = object(value, where);
  return {
    ...namedRecord(json, where),
    archTags: field(json, "archTags", optional(record(record(id))), where) ?? {},
    imageTags: field(json, "imageTags", optional(record(id)), where) ?? {},
  };
};

export interface ImageRecord {
  readonly id: string;
  /** Of `sha256.<hex>`; undefined for the `sif.<uuid>` of old servers. */
  readonly digest: Digest | undefined;
  /** Bytes. Singularity Registry Server 2.1 does not know it. */
  readonly size: number | undefined;
  /** Undefined where the server does not say: then it is always to be sent. */
  readonly uploaded: boolean | undefined;
  readonly architecture: string | undefined;
  readonly created: string | undefined;
  readonly tags: readonly Tag[];
  readonly description: string | undefined;
  readonly fingerprints: readonly string[];
  readonly entity: string | undefined;
  readonly collection: string | undefined;
  readonly container: string | undefined;
}

export const imageRecord: Decoder<ImageRecord> = (value, where) => {
  const json = object(value, where);
  const text = (name: string): string | undefined => field(json, name, optional(string), where) || undefined;
  const hash = text("hash")?.replace(/^sha256\./, "sha256:");
  const size = field(json, "size", optional(count), where);
  return {
    id: field(json, "id", id, where),
    digest: isDigest(hash ?? "") ? (hash as Digest) : undefined,
    size: size === 0 ? undefined : size,
    uploaded: typeof json["uploaded"] === "boolean" ? json["uploaded"] : undefined,
    architecture: text("arch"),
    created: createdOf(json),
    tags: (field(json, "tags", optional(list(string)), where) ?? []).filter(isTag),
    description: text("description"),
    fingerprints: field(json, "fingerprints", optional(list(string)), where) ?? [],
    entity: text("entityName"),
    collection: text("collectionName"),
    container: text("containerName"),
  };
};

/** Go's zero time means none. */
function createdOf(json: JsonObject): string | undefined {
  const text = json["createdAt"];
  if (typeof text !== "string" || text.startsWith("0001-") || Number.isNaN(Date.parse(text))) return undefined;
  return text;
}
