/** Which bytes of a whole are there: pairs of first byte and byte after the last, ascending, apart from each other. */

export type Range = readonly [start: number, end: number];

export class Ranges {
  #ranges: Range[] = [];

  constructor(ranges: readonly Range[] = []) {
    for (const [start, end] of ranges) this.add(start, end);
  }

  /** All of them. */
  get bytes(): number {
    return this.#ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** Bytes that are there from the first on without a gap. */
  get prefix(): number {
    const [first] = this.#ranges;
    return first?.[0] === 0 ? first[1] : 0;
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const apart = this.#ranges.filter((range) => range[1] < start || range[0] > end);
    const touching = this.#ranges.filter((range) => range[1] >= start && range[0] <= end);
    const merged: Range = [
      Math.min(start, ...touching.map((range) => range[0])),
      Math.max(end, ...touching.map((range) => range[1])),
    ];
    this.#ranges = [...apart, merged].sort((a, b) => a[0] - b[0]);
  }

  /** What is missing of the bytes `start` up to `end`. */
  gaps(start: number, end: number): readonly Range[] {
    const gaps: Range[] = [];
    let at = start;
    for (const range of this.#ranges) {
      if (range[1] <= at) continue;
      if (range[0] >= end) break;
      if (range[0] > at) gaps.push([at, range[0]]);
      at = range[1];
    }
    if (at < end) gaps.push([at, end]);
    return gaps;
  }

  toJSON(): readonly Range[] {
    return this.#ranges;
  }
}
