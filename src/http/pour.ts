/** Bodies in large pieces, whatever carries them. */
import type { Readable } from "node:stream";
import { SregistryError } from "../errors.ts";
import type { Body, Pourable, Take } from "./transport.ts";

/** Bytes of a piece that is put together from what a stream hands out. */
const PIECE = 256 * 1024;

/** Hands an answer's body over; one piece is taken while the next one arrives. What came before a failure is taken. */
export async function pour(body: Readable & Partial<Pourable>, take: Take): Promise<void> {
  if (body.pour !== undefined) return await body.pour(take);
  const pieces = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)] as const;
  let turn: 0 | 1 = 0;
  let filled = 0;
  let taken: Promise<void> = Promise.resolve();
  const handOver = async () => {
    await taken;
    taken = take(pieces[turn].subarray(0, filled));
    // Awaited before the next piece; until then a failure must not count as unhandled.
    taken.catch(() => undefined);
    turn = turn === 0 ? 1 : 0;
    filled = 0;
  };
  try {
    for await (const chunk of body) {
      const bytes: Buffer = chunk;
      for (let at = 0; at < bytes.length; ) {
        const copied = bytes.copy(pieces[turn], filled, at);
        at += copied;
        filled += copied;
        if (filled === PIECE) await handOver();
      }
    }
  } finally {
    if (filled > 0) await handOver();
    await taken;
  }
}

/** Hands a request's body over, each piece when the one before has been taken. @throws SregistryError DISK. */
export async function pourRequest(body: Body, take: Take): Promise<void> {
  if (body.pour !== undefined) return await body.pour(take);
  const opened = openBody(body);
  if (opened instanceof Uint8Array) return await take(Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength));
  try {
    for await (const chunk of readAll(opened)) await take(chunk);
  } finally {
    opened.destroy();
  }
}

async function* readAll(source: Readable): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const chunk of source) yield chunk;
  } catch (error) {
    throw sourceError(error);
  }
}

export function openBody(body: Body): Readable | Uint8Array {
  try {
    return body.open();
  } catch (error) {
    throw sourceError(error);
  }
}

/** A file that cannot be read is not the network's fault. */
export function sourceError(error: unknown): SregistryError {
  if (error instanceof SregistryError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new SregistryError("DISK", `what was to be sent cannot be read: ${reason}`, { cause: error });
}
