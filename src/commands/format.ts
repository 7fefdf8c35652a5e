/** `--format`: a template held to what a verb answers with, before anything is done; then a line for each row. */
import { nearest } from "../nearest.ts";
import { safeBlock, safeJson, safeText } from "../terminal/safe-text.ts";
import { type Answer, rowSchema, type Schema } from "./schemas/schema.ts";
import { type FieldPart, parseTemplate, wrongTemplate } from "./template.ts";

/** The lines that a document is written as, without their line feeds. */
export type Format = (document: unknown) => readonly string[];

/** @throws SregistryError USAGE for a template that is none, and for a field that the answer does not have. */
export function formatFor(template: string, answer: Answer): Format {
  const { rows, command, document } = answer;
  const schema = rowSchema(answer) ?? document;
  const writers = parseTemplate(template).map((part) =>
    typeof part === "string" ? () => part : fieldWriter(part, schema, command),
  );
  const line = (value: unknown): string => writers.map((write) => write(value)).join("");
  if (rows === undefined) return (value) => [line(value)];
  return (value) => {
    const all = member(value, rows);
    return Array.isArray(all) ? all.map(line) : [];
  };
}

function fieldWriter(part: FieldPart, root: Schema, command: string): (value: unknown) => string {
  const { keys, schema } = found(part, root, command);
  return (value) => shown(keys.reduce(member, value), part.json ? "json" : schema);
}

/** Where a field is, and what. */
function found(
  { path, position }: FieldPart,
  root: Schema,
  command: string,
): { readonly keys: readonly string[]; readonly schema: Schema } {
  let schema = root;
  for (const [at, name] of path.entries()) {
    // The keys of a map have dots of their own: org.label-schema.name.
    if (schema.kind === "map") return { keys: [...path.slice(0, at), path.slice(at).join(".")], schema: schema.of };
    const next = fieldsOf(schema).find(([key]) => key === name)?.[1];
    if (next === undefined) {
      const before = path.slice(0, at);
      const why = `${command} answers no field .${[...before, name].join(".")}${insteadOf(schema, before)}`;
      const near = nearest(
        name,
        fieldsOf(schema).map(([key]) => key),
      );
      throw wrongTemplate(position, why, near && `did you mean .${[...before, near].join(".")}?`);
    }
    schema = next;
  }
  return { keys: path, schema };
}

function fieldsOf(schema: Schema): readonly (readonly [string, Schema])[] {
  return schema.kind === "object" ? Object.entries(schema.fields) : [];
}

/** What there is in its place. */
function insteadOf(schema: Schema, path: readonly string[]): string {
  const names = fieldsOf(schema).map(([name]) => `.${[...path, name].join(".")}`);
  if (names.length > 0) return `; there are ${names.join(", ")}`;
  return `; ${path.length === 0 ? "{{.}}" : `.${path.join(".")}`} is ${schema.says}`;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

/** What came from a server steers no terminal: control characters become visible escapes. */
function shown(value: unknown, schema: Schema | "json"): string {
  if (schema === "json") return safeJson(value ?? null, 0);
  if (value === undefined || value === null) return "";
  switch (schema.kind) {
    case "text":
      return schema.lines === true ? safeBlock(String(value)).replace(/\n+$/, "") : safeText(String(value));
    case "integer":
    case "flag":
      return String(value);
    default:
      return safeJson(value, 0);
  }
}
