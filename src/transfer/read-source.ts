/** A source read from one offset to another, held to the number of bytes that it promised. */
import { SregistryError } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import { BLOCK } from "./hash-ring.ts";
import type { Source, SourceReader } from "./source.ts";

/** Memory for the bytes from `offset` on, at most `most` of them. It is read into, handed on, and asked for once more meanwhile. */
export type Room = (offset: number, most: number) => Promise<Buffer> | Buffer;

/**
 * Bytes `start` up to `end`, exactly that many.
 * @throws SregistryError DISK, INTEGRITY when the source has fewer, INTERRUPTED when `signal` says so.
 */
export async function* readSource(
  source: Source,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const body = source.open(start, end);
  // It may be waiting for bytes that come late or never.
  const stop = () => body.destroy();
  signal.addEventListener("abort", stop, { once: true });
  let at = start;
  try {
    if (signal.aborted) throw abortError(signal);
    for await (const chunk of body) {
      if (signal.aborted) throw abortError(signal);
      const bytes: Buffer = chunk;
      at += bytes.length;
      yield bytes;
    }
  } catch (error) {
    throw signal.aborted ? abortError(signal) : unreadable(error);
  } finally {
    signal.removeEventListener("abort", stop);
    body.destroy();
  }
  if (at < end) throw await endedEarly(source, at);
}

/**
 * The same in large blocks. A source that can read into given memory reads into `room`'s, so that a block is good for as long
 * as that is: by default until the one after the next is asked for.
 * @throws what `readSource` does.
 */
export async function* readBlocks(
  source: Source,
  start: number,
  end: number,
  signal: AbortSignal,
  room: Room = twoBlocks(),
): AsyncGenerator<Buffer, void, void> {
  if (source.reader === undefined) return yield* readSource(source, start, end, signal);
  if (start >= end) return;
  await using reader = await source.reader();
  for (let at = start; at < end; ) {
    const place = await room(at, end - at);
    if (signal.aborted) throw abortError(signal);
    const bytes = await fill(reader, place, at);
    if (bytes < place.length) throw await endedEarly(source, at + bytes);
    at += bytes;
    yield place;
  }
}

async function fill(reader: SourceReader, place: Buffer, at: number): Promise<number> {
  try {
    return await reader.read(place, at);
  } catch (error) {
    throw unreadable(error);
  }
}

/** Two blocks in turn: one is read into while the other is in use. */
export function twoBlocks(): Room {
  const blocks: Buffer[] = [];
  let turn = 0;
  return (_offset, most) => {
    turn = 1 - turn;
    blocks[turn] ??= Buffer.allocUnsafeSlow(BLOCK);
    return (blocks[turn] ?? Buffer.alloc(0)).subarray(0, most);
  };
}

function unreadable(error: unknown): SregistryError {
  if (error instanceof SregistryError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new SregistryError("DISK", `what was to be sent cannot be read: ${reason}`, { cause: error });
}

async function endedEarly(source: Source, at: number): Promise<SregistryError> {
  await source.unchanged();
  return new SregistryError("INTEGRITY", `the source ended at byte ${at}, though it should have ${source.size}`);
}
