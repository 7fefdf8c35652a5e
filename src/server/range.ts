/** The Range of a download (RFC 9110, section 14) and the Content-Range of an upload's chunk (distribution-spec). */

export interface Span {
  readonly start: number;
  /** One past the last byte. */
  readonly end: number;
}

/**
 * `whole`: no range, one that is not understood, or several: the header may be ignored. `unsatisfiable`: answer 416.
 */
export function parseRange(header: string | undefined, size: number): Span | "whole" | "unsatisfiable" {
  const found = /^bytes=\s*(\d{0,16})-(\d{0,16})\s*$/i.exec(header ?? "");
  if (found === null) return "whole";
  const [, first = "", last = ""] = found;
  if (first === "") {
    if (last === "") return "whole";
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "unsatisfiable";
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/** `0-99`, and as some clients write it `bytes 0-99/*`. Undefined for anything else. */
export function parseChunkRange(header: string): Span | undefined {
  const found = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/i.exec(header.trim());
  if (found === null) return undefined;
  const start = Number(found[1]);
  const end = Number(found[2]) + 1;
  return end > start ? { start, end } : undefined;
}
