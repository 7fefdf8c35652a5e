/** Random access to an image's bytes, wherever they are: a file, memory, or ranges of a remote image. */
import { SregistryError } from "../errors.ts";

export interface ImageReader {
  /** Bytes. */
  readonly size: number;
  /** For messages: the file's name, the reference. */
  readonly name?: string;
  /** Bytes `start` up to but without `end`; only asked for within `size`. */
  read(start: number, end: number): Promise<Uint8Array>;
}

export function imageName(reader: ImageReader): string {
  return reader.name ?? "the image";
}

/** @throws SregistryError IMAGE_INVALID when the reader gives another number of bytes than it was asked for. */
export async function readExactly(reader: ImageReader, start: number, end: number): Promise<Uint8Array> {
  const bytes = await reader.read(start, end);
  if (bytes.length === end - start) return bytes;
  throw new SregistryError(
    "IMAGE_INVALID",
    `${imageName(reader)}: ${end - start} bytes were expected at byte ${start}, ${bytes.length} came`,
    { hint: "the image may have changed or been cut while it was read: try again" },
  );
}

export function bytesReader(bytes: Uint8Array, name?: string): ImageReader {
  return {
    size: bytes.length,
    ...(name === undefined ? {} : { name }),
    read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
  };
}

/** Bytes read beyond either end of what was asked for: one remote request then serves the neighbours too. */
const MARGIN = 64 * 1024;

/**
 * Remembers the last stretch read, with a margin on both sides. In a native SIF the metadata follows the descriptors;
 * in an OCI-SIF it stands before the root index: so the whole metadata takes two requests at most.
 */
export function windowedReader(reader: ImageReader): ImageReader {
  let first = 0;
  let window: Uint8Array = new Uint8Array(0);
  return {
    size: reader.size,
    ...(reader.name === undefined ? {} : { name: reader.name }),
    async read(start, end) {
      if (start < first || end > first + window.length) {
        const from = Math.max(0, start - MARGIN);
        window = await readExactly(reader, from, Math.min(reader.size, end + MARGIN));
        first = from;
      }
      return window.subarray(start - first, end - first);
    },
  };
}
