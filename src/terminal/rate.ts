/** Bytes a second as they are now: of the last seconds, not since the start, and none of what was there before. */

/** Milliseconds that are looked back: after as long without a byte the rate is 0. */
const WINDOW = 5_000;
/** Milliseconds between two samples that are kept. */
const STEP = 200;

interface Sample {
  readonly at: number;
  readonly offset: number;
}

export class Rate {
  #samples: Sample[];
  #last: Sample;
  #moved = 0;

  /** `now`: milliseconds, of the clock that all times here are of. */
  constructor(now: number) {
    this.#last = { at: now, offset: 0 };
    this.#samples = [this.#last];
  }

  /** Bytes that came in this run, however often it went back. */
  get moved(): number {
    return this.#moved;
  }

  /** `offset` was there already: nothing has moved. */
  from(now: number, offset: number): void {
    this.#last = { at: now, offset };
    this.#samples = [this.#last];
  }

  at(now: number, offset: number): void {
    // Everything anew: what came before says nothing on what is to come.
    if (offset < this.#last.offset) {
      this.from(now, offset);
      return;
    }
    this.#moved += offset - this.#last.offset;
    this.#last = { at: now, offset };
    const kept = this.#samples.at(-1);
    if (kept === undefined || now - kept.at >= STEP) this.#samples.push(this.#last);
    this.#forget(now);
  }

  perSecond(now: number): number {
    this.#forget(now);
    const [oldest = this.#last] = this.#samples;
    const seconds = (now - oldest.at) / 1000;
    return now - this.#last.at >= WINDOW || seconds <= 0 ? 0 : (this.#last.offset - oldest.offset) / seconds;
  }

  /** The newest sample that is older than the window is where the window begins. */
  #forget(now: number): void {
    while (this.#samples.length > 1 && now - (this.#samples[1]?.at ?? now) >= WINDOW) this.#samples.shift();
  }
}
