/** Cells that people read in other words than scripts: sizes, dates, digests. What is not known is `-` to both. */

import { formatDate, formatSize } from "../units.ts";
import type { Cell } from "./table.ts";

/** A tab-separated field must not be empty: shells take two tabs for one. */
export const UNKNOWN = "-";

/** `bytes`: as `40.0 KiB`, and as they are. */
export function sizeCell(bytes: number | null | undefined): Cell {
  return bytes == null ? UNKNOWN : { exact: String(bytes), shown: formatSize(bytes) };
}

/** `time`: RFC 3339. `now`: Unix milliseconds. */
export function dateCell(time: string | null | undefined, now: number): Cell {
  return time == null ? UNKNOWN : { exact: time, shown: formatDate(time, now) };
}

/** Twelve digits tell an image from others, and can be read out. */
export function digestCell(digest: string | null | undefined): Cell {
  if (digest == null) return UNKNOWN;
  const hex = digest.slice(digest.indexOf(":") + 1);
  return { exact: digest, shown: hex.slice(0, 12) };
}

export function textCell(text: string | null | undefined): Cell {
  return text == null || text === "" ? UNKNOWN : text;
}
