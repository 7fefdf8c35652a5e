/** Bars on a terminal, one a running transfer (cli-progress). What is through goes above them, once and for all. */
import cliProgress from "cli-progress";
import type { Progress, Several, Task } from "../call.ts";
import { formatDuration, shortRate, shortSize } from "../units.ts";
import { type BarLook, type BarState, barLine } from "./bar-line.ts";
import type { Output } from "./output.ts";
import type { Clock } from "./progress.ts";
import { Rate } from "./rate.ts";
import { safeText } from "./safe-text.ts";
import { Screen } from "./screen.ts";
import type { Style } from "./style.ts";
import { displayWidth } from "./width.ts";

export interface Bars extends Progress {
  /** Takes the bars away for something to be written, and draws them anew below it; false when none is drawn. */
  above(write: () => void): boolean;
  /** Takes them away for good, whatever still runs. */
  close(): void;
}

export interface BarOptions {
  readonly out: Output;
  readonly clock: Clock;
  readonly style: Style;
  /** What the terminal shows besides ASCII. */
  readonly unicode: boolean;
}

export function createBars(options: BarOptions): Bars {
  const drawing = new Drawing(options);
  return {
    start: (label, total) => drawing.start(label, total),
    several: (labels) => drawing.several(labels),
    above: (write) => drawing.above(write),
    close: () => drawing.close(),
  };
}

interface Payload {
  readonly line: () => string;
}

class Drawing {
  readonly #options: BarOptions;
  readonly #screen: Screen;
  readonly #bars: cliProgress.MultiBar;
  /** Transfers, and lots of them, that have begun and are not over. */
  #running = 0;
  #longestName = 0;
  /** The last line, while there are several images. */
  #sum: { bar: cliProgress.SingleBar; readonly line: () => string } | undefined;
  /** Of the transfers since the several began. */
  #rates: Rate[] = [];

  constructor(options: BarOptions) {
    this.#options = options;
    this.#screen = new Screen(options.out);
    const settings = {
      format: (_options: unknown, _params: unknown, { line }: Payload) => line(),
      terminal: this.#screen,
      // A kill, or Ctrl-Z, would leave the terminal as it was told to be: without a cursor, and cutting lines.
      hideCursor: false,
      linewrap: true,
      // All go when the last is through: what is to stay is above them.
      clearOnComplete: true,
      stopOnComplete: false,
      forceRedraw: true,
      fps: 10,
      gracefulExit: false,
    };
    this.#bars = new cliProgress.MultiBar(settings);
  }

  start(label: string, total?: number): Task {
    const name = safeText(label);
    this.#longestName = Math.max(this.#longestName, displayWidth(name));
    this.#running += 1;
    return this.#task(name, total);
  }

  #task(name: string, total: number | undefined): Task {
    const { clock } = this.#options;
    const began = clock();
    const rate = new Rate(began);
    let state: BarState = { name, offset: 0, total, rate: 0, words: "", phase: "running" };
    const show = (change: Partial<BarState>): void => {
      state = { ...state, ...change };
    };
    const line = (): string => barLine({ ...state, rate: rate.perSecond(clock()) }, this.#look());
    const bar = this.#newBar(line);
    this.#rates.push(rate);
    this.#sumLast();
    const end = (change: Partial<BarState>): void => {
      show(change);
      this.#leave(bar, line());
    };
    return {
      at(offset, found) {
        if (found === undefined) rate.at(clock(), offset);
        else rate.from(clock(), offset);
        show({ offset, words: "" });
      },
      state: (words) => show({ words: safeText(words) }),
      // Who waited for another process has not seen its last bytes.
      done: () => end({ phase: "done", offset: total ?? state.offset, words: doneWords(rate.moved, clock() - began) }),
      fail: () => end({ phase: "failed", words: "stopped" }),
    };
  }

  several(labels: readonly string[]): Several {
    const { clock } = this.#options;
    for (const label of labels) this.#longestName = Math.max(this.#longestName, displayWidth(safeText(label)));
    this.#running += 1;
    this.#rates = [];
    let through = 0;
    const line = (): string => {
      const moved = this.#rates.reduce((sum, rate) => sum + rate.moved, 0);
      const perSecond = this.#rates.reduce((sum, rate) => sum + rate.perSecond(clock()), 0);
      const words = `${through} of ${labels.length} images, ${shortSize(moved)}, ${shortRate(perSecond)}`;
      return words.slice(0, Math.max(0, this.#options.out.columns - 1));
    };
    this.#sum = { bar: this.#newBar(line), line };
    return {
      through: () => {
        through += 1;
      },
      over: () => {
        const bar = this.#sum?.bar;
        this.#sum = undefined;
        if (bar !== undefined) this.#leave(bar);
      },
    };
  }

  #newBar(line: () => string): cliProgress.SingleBar {
    return this.#bars.create(1, 0, { line } satisfies Payload);
  }

  /** cli-progress adds new lines at the end. */
  #sumLast(): void {
    if (this.#sum === undefined) return;
    this.#bars.remove(this.#sum.bar);
    this.#sum.bar = this.#newBar(this.#sum.line);
  }

  above(write: () => void): boolean {
    if (this.#running === 0) return false;
    this.#screen.cursorRelativeReset();
    this.#screen.clearBottom();
    this.#screen.flush();
    write();
    this.#bars.update();
    return true;
  }

  close(): void {
    if (this.#running === 0) return;
    this.#running = 0;
    this.#bars.stop();
    this.#screen.flush();
  }

  #look(): BarLook {
    const { out, unicode, style } = this.#options;
    return { columns: out.columns, longestName: this.#longestName, unicode, style };
  }

  /** `line`: what stays of it. */
  #leave(bar: cliProgress.SingleBar, line?: string): void {
    if (this.#running === 0) return;
    this.#bars.remove(bar);
    if (line !== undefined) this.above(() => void this.#options.out.write(`${line}\n`));
    this.#running -= 1;
    if (this.#running > 0) return;
    this.#bars.stop();
    this.#screen.flush();
  }
}

/** `done in 12s, 85.3 MiB/s`; nothing that moved has no rate, and what took no time neither. */
function doneWords(moved: number, milliseconds: number): string {
  const words = `done in ${formatDuration(milliseconds / 1000)}`;
  return moved === 0 || milliseconds < 1_000 ? words : `${words}, ${shortRate((moved * 1000) / milliseconds)}`;
}
