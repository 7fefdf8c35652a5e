/** What a generator yields, as a stream that ends it at once when nobody wants it any more. */
import { Readable } from "node:stream";

/**
 * `make` is given a signal that is aborted as soon as the stream is destroyed. Without it a generator that waits (for the network,
 * or to try again) goes on: what a stream asks of it, and the stream's own "close", come after what it is waiting for.
 */
export function generated<T>(make: (stop: AbortSignal) => AsyncGenerator<T, void, void>, objectMode = true): Readable {
  const stop = new AbortController();
  const items = make(stop.signal);
  const iterator: AsyncIterableIterator<T, void, void> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => items.next(),
    return() {
      stop.abort();
      return items.return();
    },
  };
  return Readable.from(iterator, { objectMode });
}
