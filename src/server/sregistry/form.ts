/**
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1) part by part as the bytes come in: a part's content streams, so that
 * an image of any size goes straight to the disk.
 */
import { Failure } from "../failure.ts";

export interface FormPart {
  readonly name: string;
  /** Has to be read before the next part is asked for; what is left of it then is passed over. */
  readonly content: AsyncIterable<Uint8Array>;
}

const CRLF = "\r\n";
/** A form here has five parts of few bytes besides the file. */
const MOST_PARTS = 32;
const LARGEST_HEADER = 8 * 1024;
const LARGEST_PREAMBLE = 8 * 1024;
const LARGEST_FIELD = 64 * 1024;

/** @throws Failure 415 for another type of body, 400 for one without a boundary. */
export function formBoundary(contentType: string | undefined): string {
  const [type = ""] = (contentType ?? "").split(";");
  if (type.trim().toLowerCase() !== "multipart/form-data") {
    throw new Failure(415, "UNSUPPORTED", "the body has to be multipart/form-data");
  }
  const boundary = parameters((contentType ?? "").slice(type.length)).get("boundary") ?? "";
  if (/^[0-9A-Za-z'()+_,./:=? -]{1,70}$/.test(boundary) && !boundary.endsWith(" ")) return boundary;
  throw broken("its content type names no boundary");
}

/**
 * `body` is not ended when the consumer leaves early: it may be a request that is still to be answered.
 * @throws Failure 400 for a body that is no form, or that ends before its closing boundary.
 */
export async function* formParts(body: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<FormPart> {
  const cutter = new Cutter(body[Symbol.asyncIterator]());
  const delimiter = Buffer.from(`${CRLF}--${boundary}`);
  await skip(cutter.until(delimiter), LARGEST_PREAMBLE);
  for (let parts = 0; !(await isLast(cutter)); parts += 1) {
    if (parts === MOST_PARTS) throw broken(`it has more than ${MOST_PARTS} parts`);
    const name = partName(await headerLines(cutter));
    let whole = false;
    const content = async function* (): AsyncGenerator<Uint8Array> {
      yield* cutter.until(delimiter);
      whole = true;
    };
    yield { name, content: content() };
    if (!whole) await skip(cutter.until(delimiter), Number.POSITIVE_INFINITY);
  }
  await skip(cutter.remaining(), LARGEST_PREAMBLE);
}

/** A field's value. @throws Failure 400 for one that no field of this form can have. */
export async function partText({ name, content }: FormPart): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > LARGEST_FIELD) throw broken(`the field ${JSON.stringify(name)} is longer than ${LARGEST_FIELD} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What follows a delimiter: `--` behind the last part, else a line's end with blanks before it at most. */
async function isLast(cutter: Cutter): Promise<boolean> {
  if (await cutter.startsWith("--")) return true;
  if ((await cutter.line(LARGEST_HEADER)).trim() === "") return false;
  throw broken("a boundary is followed by something else than a part");
}

async function headerLines(cutter: Cutter): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let left = LARGEST_HEADER; ; ) {
    const line = await cutter.line(left);
    if (line === "") return lines;
    left -= line.length;
    lines.push(line);
  }
}

function partName(lines: readonly string[]): string {
  for (const line of lines) {
    const [, value] = /^content-disposition\s*:\s*form-data\s*(;.*)$/i.exec(line) ?? [];
    const name = value === undefined ? undefined : parameters(value).get("name");
    if (name !== undefined) return name;
  }
  throw broken("a part has no Content-Disposition: form-data with a name");
}

/** `; key=value; key="quoted \" value"`. */
function parameters(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/;\s*([^\s;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g);
  return new Map(
    [...found].map(([, key = "", quoted, plain = ""]) => [
      key.toLowerCase(),
      quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, "$1"),
    ]),
  );
}

async function skip(content: AsyncIterable<Uint8Array>, limit: number): Promise<void> {
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > limit) throw broken("there is something before or behind its parts");
  }
}

function broken(words: string): Failure {
  return new Failure(400, "BLOB_UPLOAD_INVALID", `the form cannot be read: ${words}`);
}

/** Cuts a stream of chunks of any size at words that may lie across them. */
class Cutter {
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Begins with a line's end, so that the first delimiter is like the others. */
  #rest = Buffer.from(CRLF);

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks;
  }

  /** Everything before `word`, which is taken too. Only its last bytes are ever held back. */
  async *until(word: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = this.#rest.indexOf(word);
      const end = at < 0 ? Math.max(0, this.#rest.length - word.length + 1) : at;
      const before = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(at < 0 ? end : at + word.length);
      if (before.length > 0) yield before;
      if (at >= 0) return;
      await this.#need();
    }
  }

  /** Without its end. */
  async line(limit: number): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(CRLF);
      if (at > limit || (at < 0 && this.#rest.length > limit)) throw broken("the header of a part is too long");
      if (at >= 0) {
        const line = this.#rest.toString("utf8", 0, at);
        this.#rest = this.#rest.subarray(at + CRLF.length);
        return line;
      }
      await this.#need();
    }
  }

  /** Looks at what comes next and leaves it there. */
  async startsWith(word: string): Promise<boolean> {
    while (this.#rest.length < word.length) await this.#need();
    return this.#rest.toString("latin1", 0, word.length) === word;
  }

  async *remaining(): AsyncGenerator<Uint8Array> {
    do {
      yield this.#rest;
      this.#rest = Buffer.alloc(0);
    } while (await this.#more());
  }

  async #need(): Promise<void> {
    if (!(await this.#more())) throw broken("it ends before its closing boundary");
  }

  /** False at the end. */
  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#rest = Buffer.concat([this.#rest, value]);
    return true;
  }
}
