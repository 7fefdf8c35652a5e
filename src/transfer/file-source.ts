/** A file as the source of a push, and as something that image/ can read. */
import { type BigIntStats, createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { SregistryError, systemCode } from "../errors.ts";
import type { ImageReader } from "../image/reader.ts";
import type { Digest } from "../reference/digest.ts";
import { CLOCK_TICK, type DigestMemo, stampOf, stampText, WORTH_REMEMBERING } from "./digest-memo.ts";
import { readError } from "./disk.ts";
import type { Source, SourceReader } from "./source.ts";

/** Bytes a read: large enough that a GiB is a thousand reads, small enough to keep memory flat. */
const BLOCK = 1024 * 1024;

/**
 * `memo`: digests of files that were read before.
 * @throws SregistryError NOT_FOUND, USAGE (no regular file) or DISK, each naming the file.
 */
export async function openFileSource(path: string, memo?: DigestMemo): Promise<Source> {
  // What is no file is not even opened: a pipe would wait for a writer.
  await statFile(path);
  const first = await readable(path, stampOf(path));
  const identity = stampText(first);
  /** The bytes were first read long enough after the stamp: see digest-memo.ts. */
  let provable = false;
  return {
    size: Number(first.size),
    identity,
    open(start, end = Number(first.size)) {
      // createReadStream's end is inclusive, so it has no word for an empty range.
      return end <= start ? Readable.from([]) : createReadStream(path, { start, end: end - 1, highWaterMark: BLOCK });
    },
    reader: () => openReader(path),
    async known() {
      if (memo === undefined || first.size < WORTH_REMEMBERING) return undefined;
      const digest = await memo.find(first);
      if (digest === undefined && !provable) await sleep(CLOCK_TICK);
      provable = true;
      return digest;
    },
    async learned(digest: Digest) {
      if (provable) await memo?.remember(path, first, digest);
    },
    async unchanged() {
      if (stampText(await readable(path, stampOf(path))) === identity) return;
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

async function openReader(path: string): Promise<SourceReader> {
  const file = await openForReading(path);
  return {
    async read(into, position) {
      for (let filled = 0; ; ) {
        const { bytesRead } = await readable(path, file.read(into, filled, into.length - filled, position + filled));
        filled += bytesRead;
        if (bytesRead === 0 || filled === into.length) return filled;
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
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
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new SregistryError("NOT_FOUND", `there is no file ${path}`, { missing: { kind: "file", name: path } });
    }
    throw readError(path, error);
  }
}
