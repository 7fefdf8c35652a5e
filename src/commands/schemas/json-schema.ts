/** Descriptions of answers as JSON Schema, draft 2020-12. */
import type { ObjectSchema, Schema, TextSchema } from "./schema.ts";

export type Json = Readonly<Record<string, unknown>>;

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** sha256 everywhere, sha512 where an OCI registry says so. */
const DIGEST = "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$";

/** A schema by itself. A list of several is one of them, whichever it is. */
export function jsonSchema(name: string, title: string, schema: ObjectSchema | readonly ObjectSchema[]): Json {
  const head = { $schema: DIALECT, $id: `urn:sregistry:schema:1:${name}`, title };
  return "kind" in schema ? { ...head, ...shape(schema) } : { ...head, oneOf: schema.map(shape) };
}

function shape(schema: Schema): Json {
  const { says: description, nullable } = schema;
  const orNull = (type: string): Json => ({ description, type: nullable === true ? [type, "null"] : type });
  switch (schema.kind) {
    case "text":
      return { ...orNull("string"), ...textRules(schema) };
    case "integer":
      return orNull("integer");
    case "flag":
      return orNull("boolean");
    case "list":
      return { ...orNull("array"), items: shape(schema.of) };
    case "map":
      return { ...orNull("object"), additionalProperties: shape(schema.of) };
    case "object":
      return { ...orNull("object"), ...objectRules(schema) };
  }
}

function textRules({ values, form, nullable }: TextSchema): Json {
  if (values !== undefined) return { enum: nullable === true ? [...values, null] : values };
  if (form === "digest") return { pattern: DIGEST };
  return form === "time" ? { format: "date-time" } : {};
}

function objectRules({ fields }: ObjectSchema): Json {
  const entries = Object.entries(fields);
  return {
    properties: Object.fromEntries(entries.map(([name, field]) => [name, shape(field)])),
    required: entries.filter(([, { optional }]) => optional !== true).map(([name]) => name),
    additionalProperties: false,
  };
}
