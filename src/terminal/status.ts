/** How far the running transfers are, in one line each, for whoever asks by SIGUSR1, as of dd(1). */
import type { Progress, Task } from "../call.ts";
import { formatRate, formatSize } from "../units.ts";
import type { Clock } from "./progress.ts";
import { Rate } from "./rate.ts";

export interface Status {
  /** The same progress, looked at on its way. */
  watch(progress: Progress): Progress;
  /** One line a transfer that is under way. */
  lines(): readonly string[];
}

interface Watched {
  readonly label: string;
  readonly total: number | undefined;
  readonly rate: Rate;
  offset: number;
  words: string;
}

export function createStatus(clock: Clock): Status {
  const running = new Set<Watched>();
  return {
    watch: (progress) => ({
      ...progress,
      start(label, total, image) {
        const seen: Watched = { label, total, rate: new Rate(clock()), offset: 0, words: "" };
        running.add(seen);
        return watchedTask(progress.start(label, total, image), seen, clock, () => running.delete(seen));
      },
    }),
    lines: () => [...running].map((seen) => line(seen, clock())),
  };
}

function watchedTask(task: Task, seen: Watched, clock: Clock, over: () => void): Task {
  return {
    at(offset, found) {
      if (found === undefined) seen.rate.at(clock(), offset);
      else seen.rate.from(clock(), offset);
      seen.offset = offset;
      seen.words = "";
      task.at(offset, found);
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

function line({ label, total, rate, offset, words }: Watched, now: number): string {
  const share =
    total === undefined || total === 0 ? "" : ` of ${formatSize(total)}, ${Math.floor((offset * 100) / total)}%`;
  return `${label}: ${formatSize(offset)}${share}, ${words === "" ? formatRate(rate.perSecond(now)) : words}`;
}
