/**
 * What a download has got so far, in a small file beside its partial: after a kill at any moment the next process knows which
 * bytes need not be fetched again. It is a hint: the whole is hashed from its first byte in any case.
 */
import { type FileHandle, unlink } from "node:fs/promises";
import { count, type Decoder, field, list, object, optional, parseJson, string } from "../decode.ts";
import { isCode } from "../errors.ts";
import { diskError, present } from "./disk.ts";
import { openOwn, readOwn } from "./own-file.ts";
import { type Range, Ranges } from "./ranges.ts";

export interface JournalEntry {
  /** Which partial it is of: the id of the process that has it, or had it. */
  readonly id: string;
  /** Of the image that the partial is of. */
  readonly digest: string | undefined;
  /** Bytes of that image. */
  readonly size: number | undefined;
  readonly done: Ranges;
}

/** Bytes that may be fetched again after a kill, for each connection. */
const STEP = 2 * 1024 * 1024;
/** Milliseconds: a slow network's bytes are dear. */
const PERIOD = 1000;
/** Bytes: hundreds of ranges. There are about as many as connections. */
const LONGEST = 16 * 1024;
/** Bytes of which it has some from the start: what a file system keeps in the block that it has given to the file by then. */
const SHORTEST = 512;

export function journalPath(partial: string): string {
  return `${partial}.json`;
}

/**
 * Undefined when there is none, one that a crash has torn, or one that cannot be ours. `owner`, where it is given: user id of
 * whose it has to be.
 */
export async function readJournal(
  partial: string,
  ours?: { readonly owner: number },
): Promise<JournalEntry | undefined> {
  const text = await readOwn(journalPath(partial), { ...ours, longest: LONGEST });
  try {
    return text === undefined ? undefined : decode(parseJson(text, "journal"), "journal");
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

const range: Decoder<Range> = (value, where) => {
  const [start = 0, end = 0] = list(count)(value, where);
  return [start, end];
};

const decode: Decoder<JournalEntry> = (value, where) => {
  const json = object(value, where);
  return {
    id: field(json, "id", string, where),
    digest: field(json, "digest", optional(string), where),
    size: field(json, "size", optional(count), where),
    done: new Ranges(field(json, "done", list(range), where)),
  };
};

export class Journal implements AsyncDisposable {
  readonly #path: string;
  readonly #owner: number;
  #file: FileHandle | undefined;
  #length = 0;
  #saved = 0;
  #savedAt = performance.now();
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  #failure: { readonly error: unknown } | undefined;

  /** `owner`: as Held has it. */
  constructor(partial: string, owner: number) {
    this.#path = journalPath(partial);
    this.#owner = owner;
  }

  /** Writes it down when it is time again; does not wait for that. @throws SregistryError DISK when the last time failed. */
  note(entry: JournalEntry): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const step = entry.done.bytes - this.#saved;
    if (this.#busy || (step < STEP && performance.now() - this.#savedAt < PERIOD)) return;
    this.#writing = this.save(entry).catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** One write of a few hundred bytes, which a kill does not tear. */
  async save(entry: JournalEntry): Promise<void> {
    await this.#writing;
    this.#busy = true;
    try {
      const file = await this.#open();
      const text = Buffer.from(JSON.stringify(entry).padEnd(this.#length));
      const { bytes } = entry.done;
      await file.write(text, 0, text.length, 0);
      this.#length = text.length;
      this.#saved = bytes;
      this.#savedAt = performance.now();
    } catch (error) {
      throw diskError(this.#path, error);
    } finally {
      this.#busy = false;
    }
  }

  /** What an earlier process wrote is written over, never cut first: until then it is what is known. */
  async #open(): Promise<FileHandle> {
    if (this.#file === undefined) {
      this.#file = await openOwn(this.#path, { owner: this.#owner, mode: 0o600 });
      this.#length = Math.max(SHORTEST, (await this.#file.stat()).size);
    }
    return this.#file;
  }

  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    try {
      await present(unlink(this.#path));
    } catch (error) {
      throw diskError(this.#path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
