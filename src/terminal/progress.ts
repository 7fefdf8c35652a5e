/** How a transfer shows on stderr: a bar, plain lines, JSON events or nothing. Nothing else in the program draws. */
import type { Progress, Task } from "../call.ts";
import { silentProgress } from "../call.ts";
import { formatDuration, formatRate, formatSize } from "../units.ts";
import type { Output } from "./output.ts";
import { Rate } from "./rate.ts";
import { safeJson, safeText } from "./safe-text.ts";
import type { Style } from "./style.ts";

export type ProgressMode = "auto" | "bar" | "plain" | "json" | "none";

/** Milliseconds since an arbitrary start. */
export type Clock = () => number;

export interface ProgressOptions {
  readonly mode: Exclude<ProgressMode, "auto">;
  readonly out: Output;
  readonly clock: Clock;
  readonly style: Style;
  /** What the terminal shows besides ASCII. */
  readonly unicode: boolean;
}

export async function createProgress({ mode, out, clock, style, unicode }: ProgressOptions): Promise<Progress> {
  if (mode === "none") return silentProgress;
  if (mode === "bar") return (await import("./bar.ts")).createBars({ out, clock, style, unicode });
  const begin = mode === "json" ? jsonTask : plainTask;
  const say = (line: string): void => void out.write(`${line}\n`);
  return { start: (label, total, image) => begin({ label, total, image, clock, say }) };
}

interface TaskSeed {
  readonly label: string;
  readonly total: number | undefined;
  readonly image: string | undefined;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** A plain line at the start, each 10 % or 30 s, one at the end: readable in a batch job's log. */
function plainTask({ label, total, clock, say }: TaskSeed): Task {
  const name = safeText(label);
  const began = clock();
  const rate = new Rate(began);
  let lastLine = began;
  let nextStep = 1;
  let offset = 0;
  let lastWords = "";
  const stepOf = (bytes: number): number => (total === undefined || total === 0 ? 0 : Math.floor((bytes * 10) / total));
  say(total === undefined ? name : `${name}: ${formatSize(total)}`);
  return {
    at(bytes, found) {
      offset = bytes;
      if (found !== undefined) {
        rate.from(clock(), bytes);
        nextStep = stepOf(bytes) + 1;
        return;
      }
      rate.at(clock(), bytes);
      const step = stepOf(bytes);
      const due = clock() - lastLine >= 30_000;
      if (!(step >= nextStep && step < 10) && !due) return;
      nextStep = Math.max(nextStep, step + 1);
      lastLine = clock();
      const share = total === undefined ? formatSize(bytes) : `${Math.floor((bytes * 100) / total)}%`;
      say(`${name}: ${share} ${formatRate(rate.perSecond(clock()))}`);
    },
    state(words) {
      // Whoever waits for another process says so again and again.
      if (words === lastWords) return;
      lastWords = words;
      say(`${name}: ${safeText(words)}`);
    },
    done() {
      const seconds = (clock() - began) / 1000;
      const speed = rate.moved > 0 && seconds > 0 ? ` (${formatRate(rate.moved / seconds)})` : "";
      say(`${name}: done, ${formatSize(total ?? offset)} in ${formatDuration(seconds)}${speed}`);
    },
    fail() {
      say(`${name}: stopped at ${formatSize(offset)}`);
    },
  };
}

/**
 * NDJSON: {"event":"start"|"progress"|"state"|"done"|"fail","name","image",...}; progress at most ten times a second. `image`
 * is the reference, where there is one.
 */
function jsonTask({ label, total, image, clock, say }: TaskSeed): Task {
  let offset = 0;
  let lastEvent = Number.NEGATIVE_INFINITY;
  let lastWords = "";
  const event = (kind: string, more: Record<string, unknown> = {}): void =>
    say(safeJson({ event: kind, name: label, image: image ?? null, offset, total: total ?? null, ...more }, 0));
  event("start");
  return {
    at(bytes) {
      offset = bytes;
      if (clock() - lastEvent < 100) return;
      lastEvent = clock();
      lastWords = "";
      event("progress");
    },
    state(words) {
      if (words === lastWords) return;
      lastWords = words;
      event("state", { state: words });
    },
    done: () => event("done"),
    fail: () => event("fail"),
  };
}
