/** Rows for people (aligned columns under a header) or for scripts (TSV without header). */
import { safeText } from "./safe-text.ts";

/** Cells beyond ASCII are measured by code points: good enough for names, which the reference grammars keep ASCII. */
function width(text: string): number {
  return [...text].length;
}

export function alignedTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(safeText))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ""))));
  return lines.map((line) => alignedLine(line, widths)).join("");
}

function alignedLine(line: readonly string[], widths: readonly number[]): string {
  const cells = line.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - width(cell)));
  return `${cells.join("  ").trimEnd()}\n`;
}

export function tabSeparatedLine(row: readonly string[]): string {
  return `${row.map(safeText).join("\t")}\n`;
}
