/** Asked for by many at once, made once. Failures are not remembered. */
import { isCode } from "../errors.ts";

export class Memo<T> {
  readonly #made = new Map<string, Promise<T>>();

  /** What `make` gave for `key`. Somebody else's interruption is not ours: then it is made again. */
  async get(key: string, signal: AbortSignal, make: () => Promise<T>): Promise<T> {
    for (;;) {
      const known = this.#made.get(key);
      if (known === undefined) return this.#make(key, make);
      try {
        return await known;
      } catch (error) {
        if (signal.aborted || !isCode(error, "INTERRUPTED", "TERMINATED")) throw error;
      }
    }
  }

  /** Forgets `key` when `stale` says so of what is remembered (or is still being made). */
  async forget(key: string, stale: (value: T) => boolean): Promise<void> {
    const known = this.#made.get(key);
    const value = await known?.catch(() => undefined);
    if (value !== undefined && stale(value) && this.#made.get(key) === known) this.#made.delete(key);
  }

  #make(key: string, make: () => Promise<T>): Promise<T> {
    const made = make();
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }
}
