/** How the fields of an answer are described: the JSON Schemas, the man pages and `--format` are made from it. */

interface Told {
  /** What it is, with its unit. */
  readonly says: string;
  /** May be absent: what is not known, or was not asked for. */
  readonly optional?: true;
  /** May be null. */
  readonly nullable?: true;
}

export interface TextSchema extends Told {
  readonly kind: "text";
  /** All that it can be. */
  readonly values?: readonly string[];
  readonly form?: "digest" | "time";
  /** Of several lines, as it is in an image. */
  readonly lines?: true;
}

export interface IntegerSchema extends Told {
  readonly kind: "integer";
}

export interface FlagSchema extends Told {
  readonly kind: "flag";
}

export interface ListSchema extends Told {
  readonly kind: "list";
  readonly of: Schema;
}

/** Names that an image or its author chose -> what they stand for. */
export interface MapSchema extends Told {
  readonly kind: "map";
  readonly of: Schema;
}

export type Fields = Readonly<Record<string, Schema>>;

export interface ObjectSchema extends Told {
  readonly kind: "object";
  readonly fields: Fields;
}

export type Schema = TextSchema | IntegerSchema | FlagSchema | ListSchema | MapSchema | ObjectSchema;

export const text = (says: string, more: Pick<TextSchema, "values" | "form" | "lines"> = {}): TextSchema => ({
  kind: "text",
  says,
  ...more,
});

export const integer = (says: string): IntegerSchema => ({ kind: "integer", says });

export const flag = (says: string): FlagSchema => ({ kind: "flag", says });

export const list = (says: string, of: Schema): ListSchema => ({ kind: "list", says, of });

export const map = (says: string, of: Schema): MapSchema => ({ kind: "map", says, of });

export const object = (says: string, fields: Fields): ObjectSchema => ({ kind: "object", says, fields });

export const optional = <S extends Schema>(schema: S): S & { readonly optional: true } => ({
  ...schema,
  optional: true,
});

export const nullable = <S extends Schema>(schema: S): S & { readonly nullable: true } => ({
  ...schema,
  nullable: true,
});

/** One document that a verb answers with. */
export interface Answer {
  /** What to type for it: `remote list`, `push --dry-run`. */
  readonly command: string;
  /** `remote-list`: what its schema is called. */
  readonly name: string;
  readonly document: ObjectSchema;
  /** The field with its rows, where the answer is a list: `--format` writes a line for each. */
  readonly rows?: string;
}

interface AnswerSpec {
  readonly command: string;
  /** Default: the command with dashes. */
  readonly name?: string;
  readonly says: string;
  readonly fields: Fields;
  readonly rows?: string;
}

/** Every document begins with the version of its shape. */
export function answer({ command, name = command.replace(/[^a-z]+/g, "-"), says, fields, rows }: AnswerSpec): Answer {
  const schemaVersion = integer(
    "version of this shape: 1, to which fields may be added and none is removed or changed",
  );
  const document = object(says, { schemaVersion, ...fields });
  return { command, name, document, ...(rows === undefined ? {} : { rows }) };
}

/** What a row is; undefined where the answer is one thing. */
export function rowSchema({ document, rows }: Answer): Schema | undefined {
  const field = rows === undefined ? undefined : document.fields[rows];
  return field?.kind === "list" ? field.of : undefined;
}
