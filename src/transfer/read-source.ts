/** A source read from one offset to another, held to the number of bytes that it promised. */
import { SregistryError } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import type { Source } from "./source.ts";

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
  let at = start;
  try {
    for await (const chunk of body) {
      if (signal.aborted) throw abortError(signal);
      const bytes: Buffer = chunk;
      at += bytes.length;
      yield bytes;
    }
  } catch (error) {
    if (error instanceof SregistryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SregistryError("DISK", `what was to be sent cannot be read: ${reason}`, { cause: error });
  } finally {
    body.destroy();
  }
  if (at === end) return;
  await source.unchanged();
  throw new SregistryError("INTEGRITY", `the source ended at byte ${at}, though it should have ${source.size}`);
}
