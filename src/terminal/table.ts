/** Rows for people (aligned columns under a header, as wide as the terminal) or for scripts (TSV without header). */
import { type Column, fitWidths, GAP } from "./fit.ts";
import { safeText } from "./safe-text.ts";
import { plainStyle, type Style } from "./style.ts";
import { cutEnd, cutMiddle, displayWidth } from "./width.ts";

export type { Column } from "./fit.ts";

/** A text, or one that people and scripts see in different words. */
export type Cell = string | { readonly exact: string; readonly shown: string };

export interface TableLook {
  /** Columns of the terminal; default: as many as it takes. */
  readonly room?: number;
  readonly style?: Style;
}

export function alignedTable(
  header: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
  { room = Number.POSITIVE_INFINITY, style = plainStyle }: TableLook = {},
): string {
  const columns = header.map((one): Column => (typeof one === "string" ? { title: one } : one));
  const cells = rows.map((row) => row.map((cell) => safeText(typeof cell === "string" ? cell : cell.shown)));
  const natural = columns.map(({ title }, index) =>
    cells.reduce((most, row) => Math.max(most, displayWidth(row[index] ?? "")), displayWidth(title)),
  );
  const says = columns.map(({ drop }, index) => drop === undefined || cells.some((row) => (row[index] ?? "") !== ""));
  const widths = fitWidths(
    columns,
    natural.map((width, index) => (says[index] === true ? width : undefined)),
    room,
  );
  const titles = alignedLine(columns, widths, (index) => columns[index]?.title ?? "", plainStyle);
  const lines = cells.map((row) => alignedLine(columns, widths, (index) => row[index] ?? "", style));
  return [style.bold(titles), ...lines].map((line) => `${line}\n`).join("");
}

function alignedLine(
  columns: readonly Column[],
  widths: readonly (number | undefined)[],
  cellOf: (index: number) => string,
  style: Style,
): string {
  let line = "";
  let blanks = 0;
  for (const [index, { align, cut, tone }] of columns.entries()) {
    const width = widths[index];
    if (width === undefined) continue;
    const text = (cut === "middle" ? cutMiddle : cut === "end" ? cutEnd : whole)(cellOf(index), width);
    const padding = Math.max(0, width - displayWidth(text));
    // Nothing but blanks is left out at the end of a line.
    if (text !== "") {
      line += " ".repeat(blanks + (align === "right" ? padding : 0));
      line += tone === undefined ? text : style[tone](text);
      blanks = align === "right" ? GAP : padding + GAP;
    } else blanks += width + GAP;
  }
  return line;
}

function whole(text: string): string {
  return text;
}

export function tabSeparatedLine(row: readonly Cell[]): string {
  return `${row.map((cell) => safeText(typeof cell === "string" ? cell : cell.exact)).join("\t")}\n`;
}
