/** A terminal's picture out of what a program wrote to it: as much of one as the program's own drawing needs. */
export class Picture {
  readonly #rows: string[] = [""];
  #row = 0;
  #column = 0;
  /** Characters of the longest line there ever was. */
  widest = 0;

  write(text: string): this {
    // Cursor up, clear to the line's end, clear below; colours; the rest as it is.
    for (const [part] of text.matchAll(/\u001b\[(\d*)[A-Za-z]|\r|\n|[^\u001b\r\n]+/g)) this.#take(part);
    return this;
  }

  get lines(): readonly string[] {
    return this.#rows.map((row) => row.trimEnd());
  }

  #take(part: string): void {
    if (part === "\r") this.#column = 0;
    else if (part === "\n") this.#down();
    else if (part.endsWith("A") && part.startsWith("\u001b"))
      this.#row = Math.max(0, this.#row - Number(part.slice(2, -1)));
    else if (part === "\u001b[K") this.#put("");
    else if (part === "\u001b[J") {
      this.#put("");
      this.#rows.length = this.#row + 1;
    } else if (part.endsWith("m") && part.startsWith("\u001b")) return;
    else if (part.startsWith("\u001b")) throw new Error(`nothing is drawn with ${JSON.stringify(part)}`);
    else this.#print(part);
  }

  #down(): void {
    this.#row += 1;
    this.#rows[this.#row] ??= "";
  }

  /** Over what is there; `put` takes away what is behind it. */
  #print(text: string): void {
    const row = this.#rows[this.#row] ?? "";
    const end = this.#column + text.length;
    this.#rows[this.#row] = row.slice(0, this.#column).padEnd(this.#column) + text + row.slice(end);
    this.#column = end;
    this.widest = Math.max(this.widest, end);
  }

  #put(text: string): void {
    this.#rows[this.#row] = (this.#rows[this.#row] ?? "").slice(0, this.#column) + text;
  }
}
