/** An image at an endpoint as something that image/ can read: by ranges, never the whole. */
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { createRetryPolicy, type RetryLimits } from "../http/retry-policy.ts";
import type { ImageReader } from "../image/reader.ts";
import { formatReference } from "../reference/format.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";

/**
 * As registryReader; an endpoint that tells the size with the first answer only (shub) is asked for that.
 * @throws SregistryError UNSUPPORTED where it does not tell the size at all.
 */
export async function sizedReader(registry: Registry, image: ImageInfo, call: Call): Promise<ImageReader> {
  if (image.size !== undefined) return registryReader(registry, image, call);
  const { total, body } = await registry.read(image, { start: 0, end: 1 }, call);
  body.destroy();
  return registryReader(registry, image, call, undefined, total);
}

/** `size`: where the image does not say. @throws SregistryError UNSUPPORTED where nobody does. */
export function registryReader(
  registry: Registry,
  image: ImageInfo,
  call: Call,
  limits?: Partial<RetryLimits>,
  size: number | undefined = image.size,
): ImageReader {
  const name = formatReference(image.reference);
  if (size === undefined) throw new SregistryError("UNSUPPORTED", `${registry.name} does not tell the size of ${name}`);
  return {
    size,
    name,
    async read(start, end) {
      const retry = createRetryPolicy({
        what: `bytes ${start} to ${end} of ${name}`,
        signal: call.signal,
        log: call.log,
        limits,
      });
      for (;;) {
        try {
          return await readRange(registry, image, start, end, call);
        } catch (error) {
          await retry.next(error);
        }
      }
    },
  };
}

/** A server that ignores the range sends more before and after: both are passed over, and the rest is not fetched. */
async function readRange(
  registry: Registry,
  image: ImageInfo,
  start: number,
  end: number,
  call: Call,
): Promise<Uint8Array> {
  if (start >= end) return new Uint8Array(0);
  const part = await registry.read(image, { start, end }, call);
  const chunks: Buffer[] = [];
  let offset = part.start;
  try {
    for await (const chunk of part.body) {
      const bytes: Buffer = chunk;
      const wanted = bytes.subarray(Math.max(0, start - offset), Math.max(0, end - offset));
      // An empty slice would keep its chunk in memory, and gigabytes may be passed over.
      if (wanted.length > 0) chunks.push(wanted);
      offset += bytes.length;
      if (offset >= end) break;
    }
  } finally {
    part.body.destroy();
  }
  if (part.start > start || offset < end) {
    throw new SregistryError(
      "NETWORK",
      `${registry.name} sent bytes ${part.start} to ${offset}, not ${start} to ${end}`,
    );
  }
  return Buffer.concat(chunks);
}
