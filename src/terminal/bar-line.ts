/**
 * One line of a running transfer: name, bar, percent, size, rate, time left. Lines of one width have their columns below each
 * other, and none is longer than the terminal is wide; a narrow one has fewer columns.
 */
import { stripVTControlCharacters } from "node:util";
import { formatDuration, formatPart, shortRate, shortSize } from "../units.ts";
import { asciiMarks, type Style } from "./style.ts";
import { cutEnd, cutMiddle, displayWidth } from "./width.ts";

export interface BarState {
  readonly name: string;
  /** Bytes. */
  readonly offset: number;
  readonly total: number | undefined;
  /** Bytes a second. */
  readonly rate: number;
  /** What goes on, instead of rate and time left; "" for nothing but bytes. */
  readonly words: string;
  /** `running` is never at 100 %. */
  readonly phase: "running" | "done" | "failed";
}

export interface BarLook {
  /** Of the terminal. */
  readonly columns: number;
  /** Characters of the longest name that is shown, or will be. */
  readonly longestName: number;
  /** Not only ASCII. */
  readonly unicode: boolean;
  readonly style: Style;
}

interface Layout {
  readonly name: number;
  readonly bar: number;
  /** 0 for none. */
  readonly size: number;
  /** Rate and time left, or words. */
  readonly tail: number;
}

/** `1023/1023 MiB`; `1023 MiB/s`; `done in 12s, 85.3 MiB/s`. */
const SIZE = 13;
const RATE = 10;
const TAIL = 23;
/** `waiting for job 12345678 on node cn-0123`: as much as is worth the room where there is much. */
const LONG_TAIL = 42;
const SHORTEST_NAME = 8;
const LONGEST_BAR = 40;
const SHORTEST_BAR = 12;
/** Blanks between name, bar, percent, size and tail. */
const GAP = 2;
const PERCENT = 4;

function layout({ columns, longestName }: BarLook): Layout {
  // The last column is left free: a cursor beyond it is in the next line on some terminals.
  const room = Math.max(0, columns - 1);
  const rest = room - (GAP + SHORTEST_BAR + 1 + PERCENT + GAP + SIZE + GAP + TAIL);
  if (rest >= SHORTEST_NAME) {
    const name = Math.min(Math.max(longestName, SHORTEST_NAME), rest);
    const more = rest - name;
    const tail = TAIL + Math.min(LONG_TAIL - TAIL, Math.floor(more / 2));
    return { name, bar: Math.min(LONGEST_BAR, SHORTEST_BAR + more - (tail - TAIL)), size: SIZE, tail };
  }
  const narrow = room - (GAP + PERCENT + GAP + SIZE);
  const name = Math.max(0, Math.min(Math.max(longestName, SHORTEST_NAME), narrow));
  return { name, bar: 0, size: 0, tail: Math.max(0, room - (name + GAP + PERCENT + GAP)) };
}

export function barLine(state: BarState, look: BarLook): string {
  const { name, bar, size, tail } = layout(look);
  const { phase, offset, total } = state;
  const short = inCharset(cutMiddle(state.name, name), look.unicode);
  const left = short + " ".repeat(Math.max(0, name - displayWidth(short)));
  const cells = drawnBar(state, bar, look);
  const percent = percentText(state).padStart(PERCENT);
  const sizes = phase === "done" || total === undefined ? shortSize(offset) : formatPart(offset, total);
  const right = tailText(state, { size, tail, sizes, unicode: look.unicode });
  const line = [left, ...(cells === "" ? [percent] : [`${cells} ${percent}`]), right].join(" ".repeat(GAP));
  return columnsOf(line, look.columns - 1).trimEnd();
}

function percentText({ phase, offset, total }: BarState): string {
  if (phase === "done") return "100%";
  if (total === undefined || total === 0) return "";
  return `${Math.min(99, Math.floor((offset * 100) / total))}%`;
}

interface TailPlace {
  readonly size: number;
  readonly tail: number;
  readonly sizes: string;
  readonly unicode: boolean;
}

/** Words that need more room than there is beside the sizes take theirs. */
function tailText({ words, rate, offset, total }: BarState, { size, tail, sizes, unicode }: TailPlace): string {
  const withSize = size === 0 ? "" : sizes.padStart(size) + " ".repeat(GAP);
  if (words === "") {
    const seconds = rate > 0 && total !== undefined && total > offset ? (total - offset) / rate : undefined;
    const left = seconds === undefined ? "" : formatDuration(seconds);
    const speed = shortRate(rate).padStart(Math.min(RATE, tail));
    const both = `${speed}${" ".repeat(GAP)}${left.padStart(6)}`;
    return `${withSize}${both.length <= tail ? both : speed}`;
  }
  if (words.length <= tail) return `${withSize}${inCharset(cutEnd(words, tail), unicode)}`;
  return inCharset(cutEnd(words, withSize.length + tail), unicode);
}

function drawnBar({ phase, offset, total }: BarState, width: number, { unicode, style }: BarLook): string {
  if (width === 0) return "";
  const cells = unicode ? width : width - 2;
  const share = total === undefined || total === 0 ? 0 : Math.min(1, offset / total);
  // Full only when it is confirmed.
  const full = phase === "done" ? cells : Math.min(cells - 1, Math.floor(share * cells));
  if (!unicode) return `[${"=".repeat(full)}${" ".repeat(cells - full)}]`;
  const paint = phase === "running" ? style.name : phase === "done" ? style.good : style.error;
  return `${full === 0 ? "" : paint("━".repeat(full))}${full === cells ? "" : style.dim("─".repeat(cells - full))}`;
}

/** ASCII's own mark for what was cut; as wide as the other. */
function inCharset(text: string, unicode: boolean): string {
  return unicode ? text : asciiMarks(text);
}

/** For a terminal that is narrower than anything fits: without colour then, so that no sequence is cut. */
function columnsOf(line: string, width: number): string {
  const visible = stripVTControlCharacters(line);
  return displayWidth(visible.trimEnd()) <= width ? line : visible.slice(0, Math.max(0, width));
}
