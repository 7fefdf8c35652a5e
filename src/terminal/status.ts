/** How far the running transfers are, in one line each, for whoever asks by SIGUSR1, as of dd(1). */
import type { Progress, Task } from "../call.ts";
import type { Clock } from "./progress.ts";
import { formatRate, formatSize } from "./units.ts";

export interface Status {
  /** The same progress, looked at on its way. */
  watch(progress: Progress): Progress;
  /** One line a transfer that is under way. */
  lines(): readonly string[];
}

interface Watched {
  readonly label: string;
  readonly total: number | undefined;
  readonly began: number;
  /** Bytes that were there at the start: the rate counts only what came since. */
  first: number | undefined;
  offset: number;
  words: string;
}

export function createStatus(clock: Clock): Status {
  const running = new Set<Watched>();
  return {
    watch: (progress) => ({
      start(label, total) {
        const seen: Watched = { label, total, began: clock(), first: undefined, offset: 0, words: "" };
        running.add(seen);
        return watchedTask(progress.start(label, total), seen, () => running.delete(seen));
      },
    }),
    lines: () => [...running].map((seen) => line(seen, clock())),
  };
}

function watchedTask(task: Task, seen: Watched, over: () => void): Task {
  return {
    at(offset) {
      seen.first ??= offset;
      seen.offset = offset;
      seen.words = "";
      task.at(offset);
    },
    state(words) {
      seen.words = words;
      task.state(words);
    },
    done() {
      over();
      task.done();
    },
    fail() {
      over();
      task.fail();
    },
  };
}

function line({ label, total, began, first, offset, words }: Watched, now: number): string {
  const seconds = (now - began) / 1000;
  const rate = seconds > 0 ? Math.max(0, offset - (first ?? 0)) / seconds : 0;
  const share =
    total === undefined || total === 0 ? "" : ` of ${formatSize(total)}, ${Math.floor((offset * 100) / total)}%`;
  return `${label}: ${formatSize(offset)}${share}, ${words === "" ? formatRate(rate) : words}`;
}
