/** How a transfer shows on stderr: a bar, plain lines, JSON events or nothing. Nothing else in the program draws. */
import type { Progress, Task } from "../call.ts";
import { silentProgress } from "../call.ts";
import type { Output } from "./output.ts";
import { safeText } from "./safe-text.ts";
import { formatDuration, formatRate, formatSize } from "./units.ts";

export type ProgressMode = "auto" | "bar" | "plain" | "json" | "none";

/** Milliseconds since an arbitrary start. */
export type Clock = () => number;

export interface ProgressOptions {
  readonly mode: Exclude<ProgressMode, "auto">;
  readonly out: Output;
  readonly clock: Clock;
}

export async function createProgress({ mode, out, clock }: ProgressOptions): Promise<Progress> {
  if (mode === "none") return silentProgress;
  if (mode === "bar") return (await import("./bar.ts")).createBars(clock, () => out.columns);
  const begin = mode === "json" ? jsonTask : plainTask;
  return { start: (label, total) => begin({ label, total, clock, say: (line) => void out.write(`${line}\n`) }) };
}

interface TaskSeed {
  readonly label: string;
  readonly total: number | undefined;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** A plain line at the start, each 10 % or 30 s, one at the end: readable in a batch job's log. */
function plainTask({ label, total, clock, say }: TaskSeed): Task {
  const name = safeText(label);
  const began = clock();
  let lastLine = began;
  let nextStep = 1;
  let first: number | undefined;
  let offset = 0;
  say(total === undefined ? name : `${name}: ${formatSize(total)}`);
  const rate = (): number => {
    const seconds = (clock() - began) / 1000;
    return seconds > 0 ? Math.max(0, offset - (first ?? 0)) / seconds : 0;
  };
  return {
    at(bytes) {
      first ??= bytes;
      offset = bytes;
      const step = total === undefined || total === 0 ? 0 : Math.floor((bytes * 10) / total);
      const due = clock() - lastLine >= 30_000;
      if (!(step >= nextStep && step < 10) && !due) return;
      nextStep = Math.max(nextStep, step + 1);
      lastLine = clock();
      const share = total === undefined ? formatSize(bytes) : `${Math.floor((bytes * 100) / total)}%`;
      say(`${name}: ${share} ${formatRate(rate())}`);
    },
    state(words) {
      say(`${name}: ${safeText(words)}`);
    },
    done() {
      const moved = offset - (first ?? 0);
      const speed = moved > 0 ? ` (${formatRate(rate())})` : "";
      say(`${name}: done, ${formatSize(offset)} in ${formatDuration((clock() - began) / 1000)}${speed}`);
    },
    fail() {
      say(`${name}: stopped at ${formatSize(offset)}`);
    },
  };
}

/** NDJSON: {"event":"start"|"progress"|"state"|"done"|"fail","name",...}; progress at most ten times a second. */
function jsonTask({ label, total, clock, say }: TaskSeed): Task {
  let offset = 0;
  let lastEvent = Number.NEGATIVE_INFINITY;
  const event = (kind: string, more: Record<string, unknown> = {}): void =>
    say(JSON.stringify({ event: kind, name: label, offset, total: total ?? null, ...more }));
  event("start");
  return {
    at(bytes) {
      offset = bytes;
      if (clock() - lastEvent < 100) return;
      lastEvent = clock();
      event("progress");
    },
    state: (words) => event("state", { state: words }),
    done: () => event("done"),
    fail: () => event("fail"),
  };
}
