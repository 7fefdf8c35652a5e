/** A remote image read mostly from front to back: large reads are served from one open body, small ones by ranges. */
import type { Readable } from "node:stream";
import type { ImageReader } from "../image/reader.ts";
import type { Source } from "./source.ts";

/** Bytes. Smaller reads are of descriptors and signatures, here and there. */
const LARGE = 128 * 1024;
/** Bytes between two reads (padding between objects) up to which the body is read on rather than opened again. */
const NEAR = 1024 * 1024;

export interface SequentialReader extends ImageReader, AsyncDisposable {}

/** `ranged` reads the same image. */
export function sequentialReader(source: Source, ranged: ImageReader): SequentialReader {
  let body: Readable | undefined;
  let chunks: AsyncIterator<Buffer> | undefined;
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;

  function goTo(start: number): void {
    if (body !== undefined && start >= at && start - at <= NEAR) return;
    body?.destroy();
    body = source.open(start);
    chunks = body[Symbol.asyncIterator]();
    rest = Buffer.alloc(0);
    at = start;
  }

  /** The next bytes, `most` of them or fewer; none at the end. */
  async function take(most: number): Promise<Buffer> {
    if (rest.length === 0) rest = (await chunks?.next())?.value ?? Buffer.alloc(0);
    const taken = rest.subarray(0, most);
    rest = rest.subarray(taken.length);
    at += taken.length;
    return taken;
  }

  return {
    size: ranged.size,
    ...(ranged.name === undefined ? {} : { name: ranged.name }),
    async read(start, end) {
      if (end - start < LARGE && start !== at) return ranged.read(start, end);
      goTo(start);
      while (at < start && (await take(start - at)).length > 0);
      const wanted: Buffer[] = [];
      while (at < end) {
        const taken = await take(end - at);
        if (taken.length === 0) break;
        wanted.push(taken);
      }
      return Buffer.concat(wanted);
    },
    async [Symbol.asyncDispose]() {
      body?.destroy();
    },
  };
}
