/** Bytes of a source as the body of a request: streamed, or poured out of memory that is used again. */
import type { Readable } from "node:stream";
import type { Body, Take } from "../http/transport.ts";
import { readBlocks } from "../transfer/read-source.ts";
import type { Source } from "../transfer/source.ts";

/** Bytes from which on a body is worth a connection for large ones. */
const LARGE = 4 * 1024 * 1024;

export function isLarge({ size = 0 }: Body): boolean {
  return size >= LARGE;
}

export interface BodyOptions {
  readonly signal: AbortSignal;
  /** Told bytes that are on their way, from 0 again when the body is sent again. */
  readonly moved: (bytes: number) => void;
}

/** Bytes `start` up to `end`. */
export function sourceBody(source: Source, start: number, end: number, { signal, moved }: BodyOptions): Body {
  const size = end - start;
  if (size === 0) return { size, open: () => new Uint8Array(0) };
  const open = () => counted(source.open(start, end), moved);
  if (source.reader === undefined) return { size, open };
  return { size, open, pour: (take) => pourBlocks(readBlocks(source, start, end, signal), take, moved) };
}

/** Hands blocks over, each while the next one is read; `moved` is told the bytes that have been taken. */
export async function pourBlocks(
  blocks: AsyncIterable<Buffer>,
  take: Take,
  moved: (bytes: number) => void,
): Promise<void> {
  let bytes = 0;
  let taken: Promise<void> = Promise.resolve();
  for await (const block of blocks) {
    await taken;
    moved(bytes);
    bytes += block.length;
    taken = take(block);
    // Awaited in the next round; until then a failure must not count as unhandled.
    taken.catch(() => undefined);
  }
  await taken;
  moved(bytes);
}

/** `body`, with `moved` told the bytes that have been read of it. */
function counted(body: Readable, moved: (bytes: number) => void): Readable {
  let bytes = 0;
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    moved(bytes);
  });
  // A listener would start it; whoever sends it does.
  body.pause();
  return body;
}
