/** Bars on a terminal, one a transfer (cli-progress). 100 % is shown only by `done`. */
import cliProgress from "cli-progress";
import type { Progress, Task } from "../call.ts";
import type { Clock } from "./progress.ts";
import { safeText } from "./safe-text.ts";
import { formatDuration, formatRate, formatSize } from "./units.ts";

interface Payload {
  readonly name: string;
  readonly words: string;
  /** Bytes at which this process began: the rate counts only what it moved itself. */
  readonly first: number;
  readonly began: number;
  readonly confirmed: boolean;
}

/** Text above the bars while they are drawn: see `Bars.log`. */
export interface Bars extends Progress {
  /** Writes a line above the running bars; false when none is drawn. */
  log(line: string): boolean;
}

/** `columns`: of the terminal as it is now. */
export function createBars(clock: Clock, columns: () => number): Bars {
  const bars = new cliProgress.MultiBar({
    format: (_options, params, payload: Payload) => line(params.value, params.total, payload, clock()),
    hideCursor: true,
    clearOnComplete: false,
    stopOnComplete: false,
    fps: 10,
    emptyOnZero: true,
    gracefulExit: false,
  });
  let running = 0;
  const ended = (): void => {
    running -= 1;
    if (running === 0) bars.stop();
  };
  return {
    start(label, total) {
      running += 1;
      return barTask(bars, { label, total, clock, ended });
    },
    log(text) {
      if (running === 0) return false;
      bars.log(wrapped(text, columns() - 1));
      bars.update();
      return true;
    },
  };
}

/** While bars are drawn the terminal cuts what is too long; and each line goes over what was drawn there, to its end. */
export function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trimEnd().split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
    for (; line.length > width && width > 0; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return [...lines, line].map((one) => `${one}\u001b[K\n`).join("");
}

interface BarSeed {
  readonly label: string;
  readonly total: number | undefined;
  readonly clock: Clock;
  readonly ended: () => void;
}

function barTask(bars: cliProgress.MultiBar, { label, total, clock, ended }: BarSeed): Task {
  let payload: Payload = { name: safeText(label), words: "", first: -1, began: clock(), confirmed: false };
  let offset = 0;
  const bar = bars.create(total ?? 0, 0, payload);
  const show = (change: Partial<Payload>): void => {
    payload = { ...payload, ...change };
    bar.update(offset, payload);
  };
  const end = (change: Partial<Payload>): void => {
    show(change);
    bars.update();
    bar.stop();
    ended();
  };
  return {
    at(bytes) {
      offset = bytes;
      show(payload.first < 0 ? { first: bytes, words: "" } : { words: "" });
    },
    state: (words) => show({ words: safeText(words) }),
    done: () => end({ confirmed: true, words: `done in ${formatDuration((clock() - payload.began) / 1000)}` }),
    fail: () => end({ words: "stopped" }),
  };
}

function line(value: number, total: number, payload: Payload, now: number): string {
  const seconds = (now - payload.began) / 1000;
  const rate = payload.first < 0 || seconds <= 0 ? 0 : (value - payload.first) / seconds;
  const share = total === 0 ? 0 : Math.min(value / total, 1);
  const percent = payload.confirmed ? 100 : Math.min(99, Math.floor(share * 100));
  const cells = payload.confirmed ? 24 : Math.min(23, Math.floor(share * 24));
  const drawn = `${"=".repeat(cells)}${" ".repeat(24 - cells)}`;
  const left = rate > 0 && total > value ? formatDuration((total - value) / rate) : "";
  const sizes = total === 0 ? formatSize(value) : `${formatSize(value)} / ${formatSize(total)}`;
  const tail = payload.words === "" ? `${formatRate(rate)} ${left}` : payload.words;
  return `${payload.name} [${drawn}] ${String(percent).padStart(3)}% ${sizes} ${tail}`.trimEnd();
}
