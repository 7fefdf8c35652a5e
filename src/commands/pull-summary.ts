/** What became of several images: the line that says so, the document, and the exit status that follows. */
import type { PullOutcome } from "../client/pull.ts";
import type { ListedPull, PullEntry } from "../client/pull-all.ts";
import { EXIT_STATUS, SregistryError } from "../errors.ts";
import { formatReference } from "../reference/format.ts";
import { errorDocument } from "../terminal/error-document.ts";
import { formatDuration, formatSize, shortRate } from "../units.ts";

/** Bytes: less is through before anybody wonders how fast it was. */
const WORTH_A_LINE = 1024 * 1024;

export class PullSummary {
  readonly #began: number;
  readonly #images: PullOutcome[] = [];
  readonly #failures: { readonly input: ListedPull; readonly failed: SregistryError }[] = [];

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(now: number) {
    this.#began = now;
  }

  add({ input, outcome, failed }: PullEntry): void {
    if (failed === undefined) this.#images.push(outcome);
    else this.#failures.push({ input, failed });
  }

  get failed(): boolean {
    return this.#failures.length > 0;
  }

  document(): { readonly images: readonly PullOutcome[]; readonly failures: readonly object[] } {
    const failures = this.#failures.map(({ input, failed }) => ({
      reference: formatReference(input.reference),
      where: input.where ?? null,
      error: errorDocument(failed),
    }));
    return { images: this.#images, failures };
  }

  /** `pulled 12 images, 4.0 GiB in 41s (100 MiB/s), verified; 2 were here already`; undefined where that is nothing new. */
  words(now: number): string | undefined {
    const fetched = this.#images.filter(({ outcome }) => outcome === "downloaded" || outcome === "resumed");
    const bytes = this.#images.reduce((sum, { transferred }) => sum + transferred, 0);
    if (fetched.length === 0 || bytes < WORTH_A_LINE) return undefined;
    const seconds = (now - this.#began) / 1000;
    const rate = seconds < 1 ? "" : ` (${shortRate(bytes / seconds)})`;
    const verified = fetched.every((image) => image.verified) ? ", verified" : "";
    const rest = [
      [this.#count("cached"), "from the cache"],
      [this.#count("present"), "here already"],
      [this.#failures.length, "failed"],
    ] as const;
    const more = rest.filter(([count]) => count > 0).map(([count, words]) => `; ${count} ${words}`);
    const images = fetched.length === 1 ? "1 image" : `${fetched.length} images`;
    return `pulled ${images}, ${formatSize(bytes)} in ${formatDuration(seconds)}${rate}${verified}${more.join("")}`;
  }

  #count(what: PullOutcome["outcome"]): number {
    return this.#images.filter(({ outcome }) => outcome === what).length;
  }

  /** 75 where trying again may mend all of them, else the status of the first that it cannot mend. */
  failure(): SregistryError {
    const all = this.#failures.map(({ failed }) => failed);
    const lasting = all.find(({ exitStatus }) => exitStatus !== EXIT_STATUS.NETWORK);
    const { code } = lasting ?? all[0] ?? { code: "INTERNAL" };
    const were = all.length === 1 ? "was" : "were";
    const message = `${all.length} of ${all.length + this.#images.length} images ${were} not pulled`;
    const hint = lasting === undefined ? "run the same command again: what is here already is left alone" : undefined;
    return new SregistryError(code, message, { cause: all[0], ...(hint === undefined ? {} : { hint }) });
  }
}

/** `images.txt line 7: lab/tool:9: why`; the reference only where the reason does not name it. */
export function failureWords({ reference, where }: ListedPull, { message }: SregistryError): string {
  const name = formatReference(reference);
  return [where, message.includes(name) ? undefined : name, message].filter((part) => part !== undefined).join(": ");
}
