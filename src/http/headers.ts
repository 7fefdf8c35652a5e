/** The one way from our data to request headers (undici CVE-2026-1527: values were once written as they came). */
import { SregistryError } from "../errors.ts";

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Merges header records, lower-casing names; a later record wins. @throws SregistryError USAGE, without the value. */
export function mergeHeaders(
  ...records: readonly (Readonly<Record<string, string>> | undefined)[]
): Record<string, string> {
  const merged: Record<string, string> = Object.create(null);
  for (const record of records) {
    for (const [name, value] of Object.entries(record ?? {})) {
      const key = name.toLowerCase();
      if (!NAME.test(key)) throw new SregistryError("USAGE", `${JSON.stringify(name)} is not a header name`);
      if (!VALUE.test(value)) {
        throw new SregistryError("USAGE", `the value of header ${key} has a character that HTTP does not allow`, {
          hint: "look for a line break in the token or password",
        });
      }
      merged[key] = value.trim();
    }
  }
  return merged;
}

/** Lower-case names; a header that came several times is joined with ", " (RFC 9110, section 5.3). */
export function responseHeaders(
  raw: Readonly<Record<string, string | readonly string[] | undefined>>,
): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined) headers.set(name.toLowerCase(), typeof value === "string" ? value : value.join(", "));
  }
  return headers;
}

/**
 * What to say of a body that is encoded though identity was asked for: its length and digest would be those of other bytes,
 * and decoding is a way to be flooded (undici CVE-2026-22036). Undefined for any other.
 */
export function codingRefusal(
  status: number,
  headers: ReadonlyMap<string, string>,
  host: string,
): SregistryError | undefined {
  const coding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (status >= 300 || coding === "" || coding === "identity") return undefined;
  return new SregistryError(
    "REPLY_INVALID",
    `${host} answered with Content-Encoding ${JSON.stringify(coding.slice(0, 80))}, though identity was asked for`,
  );
}
