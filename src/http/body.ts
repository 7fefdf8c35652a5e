/** Reading answers: with a cap while reading, never by the announced size alone. */
import { type Decoder, parseJson } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import type { HttpResponse } from "./transport.ts";

/** Caps in bytes (trust.md, section 1). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;
export const LIST_LIMIT = 16 * 1024 * 1024;
export const ERROR_LIMIT = 64 * 1024;

/** The whole body. @throws SregistryError REPLY_INVALID when it is longer than `limit` bytes. */
export async function readCapped(response: HttpResponse, limit: number): Promise<Buffer> {
  const announced = Number(response.headers.get("content-length") ?? 0);
  const { bytes, complete } =
    announced > limit ? { bytes: Buffer.alloc(0), complete: false } : await readUpTo(response, limit);
  if (complete) return bytes;
  response.body.destroy();
  throw new SregistryError(
    "REPLY_INVALID",
    `the answer of ${response.url.host} to ${response.url.pathname} is longer than ${limit} bytes`,
  );
}

/** At most `limit` bytes; the rest is not read and the connection given up. */
export async function readUpTo(
  response: HttpResponse,
  limit: number,
): Promise<{ readonly bytes: Buffer; readonly complete: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    if (size + bytes.length > limit) {
      chunks.push(bytes.subarray(0, limit - size));
      // Leaving the loop destroys the body.
      return { bytes: Buffer.concat(chunks), complete: false };
    }
    size += bytes.length;
    chunks.push(bytes);
  }
  return { bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks), complete: true };
}

/** A JSON body through its decoder. @throws SregistryError REPLY_INVALID naming host, path and field. */
export async function readJson<T>(response: HttpResponse, decoder: Decoder<T>, limit = LIST_LIMIT): Promise<T> {
  const text = new TextDecoder().decode(await readCapped(response, limit));
  const where = `answer of ${response.url.host} to ${response.url.pathname}`;
  return decoder(parseJson(text, where), where);
}

/** Ends an answer nobody reads: a short body is drained so that the connection lives on, a long one costs it. */
export async function discard(response: HttpResponse): Promise<void> {
  try {
    await readUpTo(response, ERROR_LIMIT);
  } catch {
    // The connection is gone, which is as good as drained: the answer itself has already been received.
    response.body.destroy();
  }
}
