/** Several requests at a time, never more than are worth it. */
import type { Call } from "../call.ts";

/** `work` on all items, `most` at a time. The first failure stops the others and is thrown when they have ended. */
export async function eachOf<T>(
  items: Iterable<T>,
  most: number,
  call: Call,
  work: (item: T, call: Call) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const own = { ...call, signal: AbortSignal.any([call.signal, stop.signal]) };
  const failures: unknown[] = [];
  const left = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true && failures.length === 0; next = left.next()) {
      try {
        await work(next.value, own);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  if (failures.length > 0) throw failures[0];
}

export interface Begun<T, R> {
  readonly item: T;
  readonly result: Promise<R>;
}

/** The items in their order, with work on the next `most` of them under way. A list that breaks off gives what it gave. */
export async function* ahead<T, R>(
  items: AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<Begun<T, R>, void, void> {
  const begun: Begun<T, R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // A failure waits for its turn.
      result.catch(() => undefined);
      begun.push({ item, result });
      if (begun.length > most) yield* begun.splice(0, 1);
    }
  } catch (error) {
    yield* begun;
    throw error;
  }
  yield* begun;
}
