/** Waiting that ends when nobody wants it any more. */
import { abortError } from "./network-error.ts";

/** What `work` comes to, or the signal's reason as soon as it is aborted; `late` then gets what comes all the same. */
export async function orAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T> {
  const over = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(abortError(signal));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    work.then(late, () => undefined);
    throw error;
  } finally {
    over.abort();
  }
}
