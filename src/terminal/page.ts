/** Text that is laid out for where it is read: colours and the width of a terminal, or neither in a pipe. */
import { stripVTControlCharacters } from "node:util";
import { safeText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { displayWidth, pieces } from "./width.ts";

export interface Look {
  readonly style: Style;
  /** Columns that a line may have; any number in a pipe. */
  readonly room: number;
}

/** Values do not begin further to the right for the sake of a name that is longer. */
const LONGEST_NAME = 28;
/** Blanks before a value below its name. */
const BELOW = 4;
/** Columns in which a value is not squeezed beside its name. */
const LEAST_VALUE = 24;

/** `name: value`: names in one column, values in the next; a value that is too long goes on below itself. Both may be a server's text. */
export function namedValues(rows: readonly (readonly [string, string])[], indent: string, look: Look): string {
  const names = rows.map(([name]) => displayWidth(safeText(name))).filter((width) => width <= LONGEST_NAME);
  const widest = Math.max(0, ...names);
  const start = look.room - indent.length - widest - 2 < LEAST_VALUE ? 2 : widest + 2;
  return rows.map(([name, value]) => namedValue(safeText(name), safeText(value), { start, indent, look })).join("");
}

interface Place {
  /** Columns from the indentation to the values. */
  readonly start: number;
  readonly indent: string;
  readonly look: Look;
}

function namedValue(name: string, value: string, { start, indent, look }: Place): string {
  const head = `${indent}${look.style.name(`${name}:`)}`;
  const used = displayWidth(name) + 1;
  if (used >= start) return behindOrBelow(head, indent.length + used, value, { start, indent, look });
  const [first = "", ...more] = wrapped(value, look.room - indent.length - start);
  const blanks = " ".repeat(indent.length + start);
  return linesOf([head + " ".repeat(start - used) + first, ...more.map((line) => blanks + line)]);
}

/** The value of a name that is too long for its column. */
function behindOrBelow(head: string, used: number, value: string, { indent, look }: Place): string {
  if (used + 1 + displayWidth(value) <= look.room) return linesOf([`${head} ${value}`]);
  const below = indent.length + BELOW;
  return linesOf([head, ...wrapped(value, look.room - below).map((line) => " ".repeat(below) + line)]);
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** At blanks where there are any, else wherever a line is full. Colours are no columns. */
export function wrapped(text: string, width: number): readonly string[] {
  if (!(width < Number.POSITIVE_INFINITY) || width < 1) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (displayWidth(stripVTControlCharacters(longer)) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = "";
    for (const piece of pieces(word, width)) {
      if (line !== "") lines.push(line);
      line = piece;
    }
  }
  return [...lines, line];
}
