/** How many cells of a terminal a text takes, and texts cut to fit. */

const ELLIPSIS = "…";
const PRINTABLE_ASCII = /^[\u0020-\u007e]*$/;
/** Wide and fullwidth ranges of Unicode's EastAsianWidth.txt, first and last, without the emoji. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18d08],
  [0x1aff0, 0x1b2fb],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

let segmenter: Intl.Segmenter | undefined;

/** Columns of a terminal; control characters are expected to be escapes by now. */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  return graphemes(text).reduce((sum, one) => sum + cells(one), 0);
}

/** `text` in at most `width` columns, its end cut off. */
export function cutEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return `${take(graphemes(text), width - 1).trimEnd()}${ELLIPSIS}`;
}

/** `text` in at most `width` columns: of a name both ends tell, and of an image's the tag at its end most. */
export function cutMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const all = graphemes(text);
  const tail = take(all.toReversed(), Math.floor((width - 1) / 2), (kept, next) => next + kept);
  return `${take(all, width - 1 - displayWidth(tail))}${ELLIPSIS}${tail}`;
}

/** `text` from its beginning to its end, each piece as long as fits into `width` columns; one grapheme fits always. */
export function* pieces(text: string, width: number): Generator<string> {
  let piece = "";
  let used = 0;
  for (const one of graphemes(text)) {
    const more = cells(one);
    if (piece !== "" && used + more > width) {
      yield piece;
      [piece, used] = ["", 0];
    }
    piece += one;
    used += more;
  }
  yield piece;
}

/** The first graphemes that fit, put together by `join`. */
function take(
  all: readonly string[],
  room: number,
  join: (kept: string, next: string) => string = (kept, next) => kept + next,
): string {
  let kept = "";
  let left = room;
  for (const one of all) {
    left -= cells(one);
    if (left < 0) break;
    kept = join(kept, one);
  }
  return kept;
}

/** Code units that are segmented at a time: what Intl.Segmenter takes for a text grows with the square of its length. */
const SLICE = 1024;

function graphemes(text: string): readonly string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  const found: string[] = [];
  let last = "";
  for (let at = 0; at < text.length; at += SLICE) {
    const slice = last + text.slice(at, at + SLICE);
    for (const one of segmenter.segment(slice)) found.push(one.segment);
    // It may go on in the next slice, unless it is no character of anybody's language.
    const goesOn = at + SLICE < text.length && (found.at(-1)?.length ?? 0) < SLICE;
    last = goesOn ? (found.pop() ?? "") : "";
  }
  return found;
}

/** The expressions are in functions: reading these classes takes V8 10 ms, and most lists are ASCII. */
function cells(grapheme: string): number {
  if (isPicture(grapheme)) return 2;
  let sum = 0;
  for (const character of grapheme) if (!takesNoCell(character)) sum += isWide(character) ? 2 : 1;
  return sum;
}

/** Emoji drawn as pictures: by themselves, by a variation selector, or as a flag of two letters. */
function isPicture(grapheme: string): boolean {
  return /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[\u{1f1e6}-\u{1f1ff}]{2}/u.test(grapheme);
}

/** Combining marks, the later parts of a Korean syllable, and what joins or varies its neighbours. */
function takesNoCell(character: string): boolean {
  return /^(?:\p{Mark}|[\u1160-\u11ff\u200b-\u200d\u2060\ufeff])$/u.test(character);
}

function isWide(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return WIDE.some(([first, last]) => code >= first && code <= last);
}
