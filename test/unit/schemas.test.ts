/** The descriptions of what the program answers. */
import { expect, it } from "vitest";
import { VERBS } from "../../src/commands/index.ts";
import { ERROR } from "../../src/commands/schemas/error.ts";
import { jsonSchema } from "../../src/commands/schemas/json-schema.ts";
import { PROGRESS } from "../../src/commands/schemas/progress.ts";
import {
  integer,
  list,
  map,
  nullable,
  object,
  optional,
  rowSchema,
  type Schema,
  text,
} from "../../src/commands/schemas/schema.ts";

const answers = (await Promise.all(VERBS.map(({ load }) => load()))).flatMap((verb) => verb.answers);

/** Each field with its path. */
function fields(schema: Schema, path: string): readonly (readonly [string, Schema])[] {
  const inside =
    schema.kind === "object"
      ? Object.entries(schema.fields).flatMap(([name, field]) => fields(field, `${path}.${name}`))
      : "of" in schema
        ? fields(schema.of, `${path}[]`)
        : [];
  return [[path, schema], ...inside];
}

const all = [...answers.map(({ name, document }) => [name, document] as const), ["error", ERROR] as const]
  .concat(PROGRESS.map((one, at) => [`progress ${at}`, one] as const))
  .flatMap(([name, schema]) => fields(schema, name));

it("every field says what it is, and a number what it counts", () => {
  expect(all.filter(([, { says }]) => says.length < 5).map(([path]) => path)).toEqual([]);
  const counted = /byte|tags|number|order|status|repositories|blobs|problems|version/;
  expect(all.filter(([, { kind, says }]) => kind === "integer" && !counted.test(says)).map(([path]) => path)).toEqual(
    [],
  );
});

it("the rows of an answer are one of its lists", () => {
  expect(answers.filter((one) => one.rows !== undefined && rowSchema(one) === undefined)).toEqual([]);
});

it("a description becomes JSON Schema", () => {
  const schema = object("all", {
    a: text("words"),
    b: optional(nullable(text("one of two", { values: ["x", "y"] }))),
    c: list("many", map("by name", integer("bytes"))),
  });
  expect(jsonSchema("some-thing", "some thing", schema)).toEqual({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:sregistry:schema:1:some-thing",
    title: "some thing",
    description: "all",
    type: "object",
    properties: {
      a: { description: "words", type: "string" },
      b: { description: "one of two", type: ["string", "null"], enum: ["x", "y", null] },
      c: {
        description: "many",
        type: "array",
        items: {
          description: "by name",
          type: "object",
          additionalProperties: { description: "bytes", type: "integer" },
        },
      },
    },
    required: ["a", "c"],
    additionalProperties: false,
  });
});
