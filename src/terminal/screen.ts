/**
 * The lines at a terminal's lower end that are drawn again and again, as cli-progress wants to be given them. Unlike its own,
 * this one is right after the window has become narrower: what was drawn takes more rows then.
 */
import { stripVTControlCharacters } from "node:util";
import type { Output } from "./output.ts";
import { displayWidth } from "./width.ts";

const TO_LINE_START = "\r";
const CLEAR_TO_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

export class Screen {
  readonly #out: Output;
  /** Columns that each line takes, from the first to that of the cursor. */
  #drawn: number[] = [0];
  #columns: number;
  #pending = "";

  constructor(out: Output) {
    this.#out = out;
    this.#columns = out.columns;
  }

  isTTY(): true {
    return true;
  }

  getWidth(): number {
    return this.#out.columns;
  }

  /** Only ever to the start of a line. */
  cursorTo(): void {
    this.#send(TO_LINE_START);
  }

  /** To where the first line starts. */
  cursorRelativeReset(): void {
    const columns = Math.max(1, this.#out.columns);
    const resized = columns !== this.#columns;
    const rows = this.#drawn.slice(0, -1).reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    const own = Math.max(0, Math.ceil((this.#drawn.at(-1) ?? 0) / columns) - 1);
    this.#send(rows + own > 0 ? `${TO_LINE_START}\u001b[${rows + own}A` : TO_LINE_START);
    // What took more rows is not written over whole.
    if (resized) this.clearBottom();
    this.#columns = columns;
    this.#drawn = [0];
  }

  clearRight(): void {
    this.#send(CLEAR_TO_LINE_END);
  }

  clearLine(): void {
    this.#send(CLEAR_TO_LINE_END);
  }

  clearBottom(): void {
    this.#send(CLEAR_BELOW);
  }

  newline(): void {
    this.#send("\n");
    this.#drawn.push(0);
  }

  write(text: string): void {
    this.#send(text);
    this.#drawn[this.#drawn.length - 1] = displayWidth(stripVTControlCharacters(text));
  }

  /** What was drawn so far, before somebody else writes. */
  flush(): void {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") void this.#out.write(text);
  }

  /** All of a picture in one piece: it does not flicker, and the cursor is not seen running. */
  #send(text: string): void {
    if (this.#pending === "") queueMicrotask(() => this.flush());
    this.#pending += text;
  }
}
