/**
 * A short list of records as JSON below `<store>/.sregistry`: whole or absent, private, one writer at a time. It is read
 * again when it changes, so that a running server knows what the command line wrote.
 */
import type { BigIntStats } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Decoder, field, list, object, parseJson } from "../decode.ts";
import { isCode, SregistryError } from "../errors.ts";
import { ifPresent, makeDirectory, onDisk } from "../registry/local/files.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { withLock } from "../transfer/lock.ts";

export interface RecordFile<T> {
  /** Empty when there is no file. @throws SregistryError INTEGRITY for a file that cannot be understood. */
  read(): Promise<readonly T[]>;
  /** Runs `change` on the newest records, alone among all processes. The same list changes nothing. */
  edit(change: (records: readonly T[]) => readonly T[]): Promise<void>;
}

export function stateFile(root: string, name: string): string {
  return join(root, ".sregistry", name);
}

/** `decode` is given one record, `encode` makes one: what JSON.stringify is to write. */
export function recordFile<T>(path: string, decode: Decoder<T>, encode: (record: T) => unknown): RecordFile<T> {
  let known: { readonly key: string; readonly records: readonly T[] } | undefined;

  async function read(): Promise<readonly T[]> {
    const handle = await ifPresent(open(path, "r"));
    if (handle === undefined) return [];
    try {
      const key = identity(await handle.stat({ bigint: true }));
      if (known?.key !== key) known = { key, records: parse(await handle.readFile("utf8")) };
      return known.records;
    } finally {
      await handle.close();
    }
  }

  function parse(text: string): readonly T[] {
    try {
      const where = basename(path);
      return field(object(parseJson(text, where), where), "records", list(decode), where);
    } catch (cause) {
      if (!isCode(cause, "REPLY_INVALID")) throw cause;
      throw new SregistryError("INTEGRITY", `${path} is damaged: ${cause.message}`, {
        hint: `put a copy of ${path} back, or mend it by hand`,
        cause,
      });
    }
  }

  return {
    read: () => onDisk(`cannot read ${path}`, read),
    async edit(change) {
      await onDisk(`cannot write ${path}`, () => makeDirectory(dirname(path), 0o700));
      await withLock(`${path}.lock`, async () => {
        const before = await onDisk(`cannot read ${path}`, read);
        const after = change(before);
        if (after === before) return;
        await writeFileAtomic(path, `${JSON.stringify({ records: after.map(encode) }, undefined, 2)}\n`, {
          mode: () => 0o600,
        });
      });
    },
  };
}

function identity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}
