/** What became of the tags of a repository, and the exit status that follows from it. */
import type { CopyEntry } from "../client/copy.ts";
import { SregistryError } from "../errors.ts";

/** Exit statuses, worst first: wrong bytes before what a person has to settle, and that before what may pass by itself. */
const WORST_FIRST: readonly number[] = [6, 7, 4, 5, 8, 3, 2, 75];

export class CopySummary {
  readonly #counts = { copied: 0, updated: 0, same: 0, failed: 0 };
  #worst: SregistryError | undefined;

  add(entry: CopyEntry): void {
    if (entry.failed === undefined) {
      this.#counts[entry.outcome] += 1;
      return;
    }
    this.#counts.failed += 1;
    if (this.#worst === undefined || rank(entry.failed) < rank(this.#worst)) this.#worst = entry.failed;
  }

  get counts(): Readonly<Record<"copied" | "updated" | "same" | "failed", number>> {
    return this.#counts;
  }

  get worst(): SregistryError | undefined {
    return this.#worst;
  }

  /** `2 copied, 1 updated, 7 same, 1 failed` */
  get words(): string {
    const { failed, ...done } = this.#counts;
    const words = Object.entries({ ...done, ...(failed === 0 ? {} : { failed }) });
    return words.map(([word, count]) => `${count} ${word}`).join(", ");
  }

  /** For a summary with a failure. */
  failure(source: string): SregistryError {
    const { copied, updated, same, failed } = this.#counts;
    const all = copied + updated + same + failed;
    const { code = "INTERNAL", message = "", hint } = this.#worst ?? {};
    return new SregistryError(code, `${failed} of ${all} tags of ${source} were not copied; the worst: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: this.#worst,
    });
  }
}

function rank({ exitStatus }: SregistryError): number {
  const place = WORST_FIRST.indexOf(exitStatus);
  return place < 0 ? -1 : place;
}
