/** A file as the source of a push, and as something that image/ can read. */
import { type BigIntStats, createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { SregistryError, systemCode } from "../errors.ts";
import type { ImageReader } from "../image/reader.ts";
import { readError } from "./disk.ts";
import type { Source } from "./source.ts";

/** Bytes a read: large enough that a GiB is a thousand reads, small enough to keep memory flat. */
const BLOCK = 1024 * 1024;

/** @throws SregistryError NOT_FOUND, USAGE (no regular file) or DISK, each naming the file. */
export async function openFileSource(path: string): Promise<Source> {
  const first = await statFile(path);
  const identity = identityOf(first);
  return {
    size: Number(first.size),
    identity,
    open(start, end = Number(first.size)) {
      // createReadStream's end is inclusive, so it has no word for an empty range.
      return end <= start ? Readable.from([]) : createReadStream(path, { start, end: end - 1, highWaterMark: BLOCK });
    },
    async unchanged() {
      if (identityOf(await statFile(path)) === identity) return;
      throw new SregistryError("INTEGRITY", `${path} changed while it was being pushed; nothing was tagged`, {
        hint: "push it again when nothing writes to it",
      });
    },
  };
}

export interface FileReader extends ImageReader, AsyncDisposable {}

/** @throws as openFileSource does. */
export async function fileReader(path: string): Promise<FileReader> {
  const { size } = await statFile(path);
  const file = await openForReading(path);
  return {
    size: Number(size),
    name: basename(path),
    async read(start, end) {
      const buffer = Buffer.alloc(end - start);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** Another file, another version of it or another time of change is another source. */
function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

async function statFile(path: string): Promise<BigIntStats> {
  const found = await readable(path, stat(path, { bigint: true }));
  if (found.isFile()) return found;
  const kind = found.isDirectory() ? "a directory" : "no regular file";
  throw new SregistryError("USAGE", `${path} is ${kind}; an image is one file`);
}

function openForReading(path: string): Promise<FileHandle> {
  return readable(path, open(path, "r"));
}

async function readable<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw new SregistryError("NOT_FOUND", `there is no file ${path}`);
    throw readError(path, error);
  }
}
