/** The little language of `--format`: text, and between double braces a field of the answer. */
import { SregistryError } from "../errors.ts";

export type Part = string | FieldPart;

export interface FieldPart {
  /** Names behind the dots; none is the whole. */
  readonly path: readonly string[];
  /** As JSON, whatever it is: `{{json .labels}}`. */
  readonly json: boolean;
  /** Where it stands in the template, from 1. */
  readonly position: number;
}

const FIELD = /^\s*(?:(json)\s+)?\.((?:[^\s{}.]+(?:\.[^\s{}.]+)*)?)\s*$/;

/** `\t` and `\n` in the text are a tab and a line feed; all else is as it is. @throws SregistryError USAGE with the position. */
export function parseTemplate(template: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf("{{", at);
    const text = template.slice(at, open < 0 ? undefined : open);
    if (text !== "") parts.push(text.replaceAll("\\t", "\t").replaceAll("\\n", "\n"));
    if (open < 0) break;
    const close = template.indexOf("}}", open + 2);
    if (close < 0) throw wrongTemplate(open + 1, "its {{ has no }}");
    parts.push(parseField(template.slice(open + 2, close), open + 1));
    at = close + 2;
  }
  return parts;
}

function parseField(text: string, position: number): FieldPart {
  const match = FIELD.exec(text);
  if (match === null) throw wrongTemplate(position, `{{${text}}} is neither {{.field}} nor {{json .field}}`);
  const [, json, path = ""] = match;
  return { path: path === "" ? [] : path.split("."), json: json !== undefined, position };
}

/** What a template names, without what is inside of it: `labels` of `{{.labels.maintainer}}`. @throws SregistryError USAGE. */
export function fieldNames(template: string): readonly string[] {
  return parseTemplate(template).flatMap((part) => (typeof part === "string" ? [] : part.path.slice(0, 1)));
}

/** `position` counts from 1. */
export function wrongTemplate(
  position: number,
  why: string,
  hint = "--format '{{json .}}' shows all that there is",
): SregistryError {
  return new SregistryError("USAGE", `--format, at character ${position}: ${why}`, { hint });
}
