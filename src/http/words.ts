/** A server's own words out of an error body, whatever it is: OCI errors, other JSON, S3's XML, an HTML page, text. */
import { redact } from "../secret.ts";

const LONGEST = 400;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** One line without control or direction characters and without known secrets; "" when there is nothing to say. */
export function serverWords(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).trim();
  const words =
    text.startsWith("{") || text.startsWith("[") ? fromJson(text) : text.startsWith("<") ? fromMarkup(text) : text;
  return plain(words);
}

export function plain(text: string): string {
  const line = redact(text.replaceAll(CONTROL, " ").replaceAll(/\s+/g, " ").trim());
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}...` : line;
}

function fromJson(text: string): string {
  try {
    return fromValue(JSON.parse(text)) ?? text;
  } catch {
    // Cut off at the cap, or not JSON after all: shown as the text it is.
    return text;
  }
}

/**
 * `{errors:[{code,message,detail}]}` OCI · `{errors:[{title,detail}]}` Hinkskalle · `{error:{code,message}}` library API ·
 * `{error,error_description}` OAuth · `{message}`, `{details}` Docker Hub · `{detail}` Django REST framework.
 */
function fromValue(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return joined(value.slice(0, 3).map(fromValue), "; ");
  if (!isRecord(value)) return undefined;
  const nested = fromValue(value["errors"]) ?? (isRecord(value["error"]) ? fromValue(value["error"]) : undefined);
  if (nested !== undefined) return nested;
  const code = textOf(value["code"]) ?? textOf(value["error"]) ?? textOf(value["title"]);
  const message = textOf(value["message"]) ?? textOf(value["error_description"]) ?? textOf(value["details"]);
  const detail = textOf(value["detail"]);
  return joined([code, message ?? detail], ": ");
}

function fromMarkup(text: string): string {
  if (/^<\?xml|^<Error>/.test(text)) return joined([element(text, "Code"), element(text, "Message")], ": ") ?? "";
  return element(text, "title") ?? element(text, "h1") ?? text.replaceAll(/<[^<>]*>/g, " ");
}

/** The text of the first `<name>`; found by position, since markup of a stranger is no place for regular expressions. */
function element(text: string, name: string): string | undefined {
  const lower = text.toLowerCase();
  const open = lower.indexOf(`<${name.toLowerCase()}`);
  const start = open < 0 ? -1 : lower.indexOf(">", open) + 1;
  const end = start <= 0 ? -1 : lower.indexOf("<", start);
  return end < 0 || start <= 0 ? undefined : text.slice(start, end).trim() || undefined;
}

function joined(parts: readonly (string | undefined)[], separator: string): string | undefined {
  const said = parts.filter((part) => part !== undefined && part !== "");
  return said.length === 0 ? undefined : said.join(separator);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
