/**
 * Where JSON text breaks. The engine's own message quotes the text around the place, which in a file of logins may be a
 * password, so it is never shown; this finds the place and says no more.
 */

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** `line 3, column 17` (from 1, columns in UTF-16 units) of the first place that is no JSON; undefined when all is. */
export function jsonErrorPosition(text: string): string | undefined {
  const offset = new Scanner(text).firstError();
  if (offset === undefined) return undefined;
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return `line ${line}, column ${offset - before.lastIndexOf("\n")}`;
}

/** Reads one token after the other; `#open` holds the brackets that are not closed yet, so depth costs no stack. */
class Scanner {
  readonly #text: string;
  readonly #open: ("{" | "[")[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  firstError(): number | undefined {
    let state: "value" | "first" | "after" = "value";
    for (;;) {
      this.#take(SPACE);
      if (state === "after") {
        const inside = this.#open.at(-1);
        if (inside === undefined) return this.#at === this.#text.length ? undefined : this.#at;
        if (this.#close(inside)) continue;
        if (!this.#character(",")) return this.#at;
        state = "value";
        this.#take(SPACE);
        if (inside === "{" && !this.#key()) return this.#at;
      } else if (state === "first" && this.#close(this.#open.at(-1))) {
        state = "after";
      } else {
        if (state === "first" && this.#open.at(-1) === "{" && !this.#key()) return this.#at;
        const next = this.#value();
        if (next === undefined) return this.#at;
        state = next;
      }
    }
  }

  #value(): "first" | "after" | undefined {
    for (const bracket of ["{", "["] as const) {
      if (!this.#character(bracket)) continue;
      this.#open.push(bracket);
      return "first";
    }
    return this.#string() || this.#take(SCALAR) ? "after" : undefined;
  }

  /** `"name":`, up to the value. */
  #key(): boolean {
    if (!this.#string()) return false;
    this.#take(SPACE);
    if (!this.#character(":")) return false;
    this.#take(SPACE);
    return true;
  }

  #string(): boolean {
    if (!this.#character('"')) return false;
    do this.#take(PLAIN);
    while (this.#take(ESCAPE));
    return this.#character('"');
  }

  #close(bracket: "{" | "[" | undefined): boolean {
    if (bracket === undefined || !this.#character(bracket === "{" ? "}" : "]")) return false;
    this.#open.pop();
    return true;
  }

  #character(wanted: string): boolean {
    if (this.#text[this.#at] !== wanted) return false;
    this.#at += 1;
    return true;
  }

  /** False when nothing was there. */
  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }
}
