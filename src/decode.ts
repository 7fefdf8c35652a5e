/**
 * The border between foreign data and our types: every reply and every file passes a decoder `unknown -> T`, whose
 * error names the field. Objects come out as null-prototype records, so that no `__proto__` travels.
 */
import { SregistryError } from "./errors.ts";

export type Decoder<T> = (value: unknown, where: string) => T;
export type JsonObject = Readonly<Record<string, unknown>>;

function wrong(where: string, expected: string, value: unknown): SregistryError {
  const got = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  return new SregistryError("REPLY_INVALID", `${where}: expected ${expected}, got ${got}`);
}

export const string: Decoder<string> = (value, where) => {
  if (typeof value !== "string") throw wrong(where, "a string", value);
  return value;
};

/** A whole number that JavaScript holds exactly and that is not negative: a size, an offset, a count. */
export const count: Decoder<number> = (value, where) => {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(where, "a whole number", value);
  }
  return value;
};

export const object: Decoder<JsonObject> = (value, where) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "an object", value);
  return Object.assign(Object.create(null), value);
};

/** Absent and null are both `undefined`. */
export function optional<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value, where) => (value === undefined || value === null ? undefined : decoder(value, where));
}

export function list<T>(decoder: Decoder<T>): Decoder<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw wrong(where, "a list", value);
    return value.map((item, index) => decoder(item, `${where}[${index}]`));
  };
}

export function record<T>(decoder: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (value, where) => {
    const result: Record<string, T> = Object.create(null);
    for (const [key, item] of Object.entries(object(value, where))) result[key] = decoder(item, `${where}.${key}`);
    return result;
  };
}

/** One field of a decoded object: `field(o, "size", count, "manifest.config")`. */
export function field<T>(from: JsonObject, name: string, decoder: Decoder<T>, where: string): T {
  return decoder(from[name], where === "" ? name : `${where}.${name}`);
}

/** Parses JSON text; a syntax error becomes a REPLY_INVALID that names `where`. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SregistryError("REPLY_INVALID", `${where}: not JSON`, { cause });
  }
}
