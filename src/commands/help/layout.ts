/** Help as text: paragraphs and two-column rows that fit a width. */

export interface Row {
  /** A flag, a verb, a command. */
  readonly term: string;
  readonly says: string;
}

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;
const INDENT = 2;
const GAP = 2;

export class Screen {
  readonly #width: number;
  readonly #blocks: string[] = [];

  /** `columns`: of the terminal. */
  constructor(columns: number) {
    this.#width = Math.max(40, Math.min(columns, WIDEST));
  }

  /** Paragraphs with a blank line between them; a line break stays where it is. */
  text(words: string): this {
    this.#blocks.push(this.#paragraph(words));
    return this;
  }

  /** Rows under a heading, and a line below them; nothing where there are none. `widest`: characters of the terms' column. */
  rows(heading: string, rows: readonly Row[], { widest = 26, below = "" } = {}): this {
    if (rows.length === 0) return this;
    const fitting = rows.map(({ term }) => term.length).filter((length) => length <= widest);
    const column = INDENT + Math.max(0, ...fitting) + GAP;
    const lines = rows.flatMap((row) => this.#row(row, column));
    this.#blocks.push([`${heading}:`, ...lines, ...(below === "" ? [] : [this.#paragraph(below)])].join("\n"));
    return this;
  }

  /** Rows beside their words where all of them fit so, otherwise each above its own. */
  examples(heading: string, rows: readonly Row[]): this {
    const widest = Math.max(...rows.map(({ term }) => term.length));
    const says = Math.max(...rows.map((row) => row.says.length));
    const beside = INDENT + widest + GAP + says <= this.#width;
    return this.rows(heading, rows, { widest: beside ? widest : 0 });
  }

  /** Text under a heading, indented and not wrapped: what is to be read or typed as it is. */
  lines(heading: string, lines: readonly string[]): this {
    this.#blocks.push([`${heading}:`, ...lines.map((line) => `${" ".repeat(INDENT)}${line}`.trimEnd())].join("\n"));
    return this;
  }

  toString(): string {
    return `${this.#blocks.join("\n\n")}\n`;
  }

  #paragraph(words: string): string {
    return words
      .split("\n")
      .flatMap((line) => wrap(line, this.#width))
      .join("\n");
  }

  /** A term too long for its column has its words below it. */
  #row({ term, says }: Row, column: number): readonly string[] {
    const lead = " ".repeat(INDENT);
    const [first = "", ...rest] = wrap(says, this.#width - column);
    const below = (lines: readonly string[]): readonly string[] => lines.map((line) => `${" ".repeat(column)}${line}`);
    if (term.length > column - INDENT - GAP) {
      return [`${lead}${term}`, ...wrap(says, this.#width - 6).map((line) => `${" ".repeat(6)}${line}`)];
    }
    return [`${lead}${term.padEnd(column - INDENT)}${first}`.trimEnd(), ...below(rest)];
  }
}

/** A word longer than `width` stays whole: somebody may want to copy it. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line];
}
