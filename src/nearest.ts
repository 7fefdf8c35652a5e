/** Mistyped words and the known ones that they were probably meant to be. */

/**
 * Known names near `word`, nearest first; of equally near ones the earlier. Upper and lower case are alike, and the rest of a
 * longer name is one slip: `1.0` is near `1.0.3`.
 */
export function nearNames<T extends string>(word: string, known: readonly T[]): readonly T[] {
  if (word.length > LONGEST) return [];
  const typed = word.toLowerCase();
  // Of one or two letters nearly every other word is one slip away.
  const limit = word.length < 3 ? 0 : Math.max(1, Math.floor(word.length / 3));
  return [...new Set(known)]
    .filter((name) => name.length >= word.length - limit)
    .map((name) => ({ name, slips: slips(typed, name.toLowerCase(), limit) }))
    .filter(({ slips }) => slips <= limit)
    .sort((one, other) => one.slips - other.slips)
    .map(({ name }) => name);
}

/** The nearest one; undefined when none is near. */
export function nearest<T extends string>(word: string, known: readonly T[]): T | undefined {
  return nearNames(word, known)[0];
}

function slips(typed: string, name: string, limit: number): number {
  if (name.length <= typed.length + limit) return distance(typed, name);
  return typed.length < SHORTEST_BEGINNING ? limit + 1 : distance(typed, name.slice(0, typed.length)) + 1;
}

/** Characters: what is shorter begins too many words. */
const SHORTEST_BEGINNING = 3;

/** A hint: what was probably meant, and all that may be. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return `${near === undefined ? "" : `did you mean ${near}? `}known are: ${known.join(", ")}`;
}

/** Characters; longer words are nobody's typing. */
const LONGEST = 256;

/**
 * Damerau's and Levenshtein's distance: how many letters have to be put in, left out, replaced, or swapped with their
 * neighbour to make one word of the other.
 */
export function distance(from: string, to: string): number {
  const [a, b] = [[...from], [...to]];
  const width = b.length + 1;
  /** Row i, column j: between the first i letters of `a` and the first j of `b`. */
  const table = new Array<number>((a.length + 1) * width).fill(0);
  const at = (i: number, j: number): number => table[i * width + j] ?? 0;
  for (let j = 0; j <= b.length; j += 1) table[j] = j;
  /** The row in which a letter of `a` was met last. */
  const lastRow = new Map<string, number>();
  for (let i = 1; i <= a.length; i += 1) {
    table[i * width] = i;
    const letter = a[i - 1] ?? "";
    let lastColumn = 0;
    for (let j = 1; j <= b.length; j += 1) {
      const other = b[j - 1] ?? "";
      const [k, l] = [lastRow.get(other) ?? 0, lastColumn];
      const swapped = k > 0 && l > 0 ? at(k - 1, l - 1) + (i - k - 1) + 1 + (j - l - 1) : Number.POSITIVE_INFINITY;
      const replaced = at(i - 1, j - 1) + (letter === other ? 0 : 1);
      table[i * width + j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped);
      if (letter === other) lastColumn = j;
    }
    lastRow.set(letter, i);
  }
  return at(a.length, b.length);
}
