/** Column widths of a table that is to fit a terminal. */

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Where a cell that is too long is cut. Absent: it is always shown whole. */
  readonly cut?: "middle" | "end";
  /** Columns of the terminal that `cut` leaves; default 12. */
  readonly least?: number;
  /** The column with the highest number is left out first where not all fit, and each where it says nothing; absent: it stays. */
  readonly drop?: number;
  /** How its cells look where there is colour. */
  readonly tone?: "name" | "dim";
}

/** Blanks between two columns. */
export const GAP = 2;
const LEAST = 12;
/** Where all that may go has gone, and it is still too wide. */
const TIGHT = 8;

/**
 * The width of each column, undefined for one that is left out. What may be cut is cut first, the widest most; then columns go;
 * then the rest is cut to less than `least`. What still does not fit wraps.
 */
export function fitWidths(
  columns: readonly Column[],
  natural: readonly (number | undefined)[],
  room: number,
): readonly (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  for (;;) {
    const cut = shrunk(columns, widths, room, ({ least = LEAST }) => least);
    if (total(cut) <= room) return cut;
    const next = leastUseful(columns, widths);
    if (next === undefined) return shrunk(columns, cut, room, () => TIGHT);
    widths[next] = undefined;
  }
}

function shrunk(
  columns: readonly Column[],
  widths: readonly (number | undefined)[],
  room: number,
  least: (column: Column) => number,
): readonly (number | undefined)[] {
  const cut = [...widths];
  for (let excess = total(cut) - room; excess > 0; excess -= 1) {
    let widest: number | undefined;
    for (const [index, column] of columns.entries()) {
      const width = cut[index] ?? 0;
      if (column.cut === undefined || width <= Math.max(least(column), column.title.length)) continue;
      if (widest === undefined || width >= (cut[widest] ?? 0)) widest = index;
    }
    if (widest === undefined) break;
    cut[widest] = (cut[widest] ?? 0) - 1;
  }
  return cut;
}

function leastUseful(columns: readonly Column[], widths: readonly (number | undefined)[]): number | undefined {
  let found: number | undefined;
  for (const [index, { drop }] of columns.entries()) {
    if (drop === undefined || widths[index] === undefined) continue;
    if (found === undefined || drop > (columns[found]?.drop ?? 0)) found = index;
  }
  return found;
}

function total(widths: readonly (number | undefined)[]): number {
  const kept = widths.filter((width) => width !== undefined);
  return kept.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, kept.length - 1);
}
