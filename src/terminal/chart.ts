/** Bars made of block characters, an eighth of a cell exact. */

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** `part` from 0 to 1 of `width` cells. What is there at all can be seen. */
export function barText(part: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, part)) * width * 8);
  const seen = part > 0 ? Math.max(1, eighths) : 0;
  return "█".repeat(Math.floor(seen / 8)) + (EIGHTHS[seen % 8] ?? "");
}
