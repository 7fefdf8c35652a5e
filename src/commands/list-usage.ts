/** `list --usage`: what images take, as bars for people, rows for scripts, a document, or a page for a browser. */
import { type Usage, type UsageCounts, usage } from "../client/usage.ts";
import { pageTarget, writePage } from "../client/usage-file.ts";
import { usagePage } from "../client/usage-page.ts";
import type { Context } from "../context.ts";
import type { Pattern } from "../reference/pattern.ts";
import { sizeCell } from "../terminal/cells.ts";
import { barText } from "../terminal/chart.ts";
import type { Cell, Column } from "../terminal/table.ts";
import { displayWidth } from "../terminal/width.ts";
import { formatSize } from "../units.ts";
import { NO_IMAGES } from "./list-table.ts";

export interface UsageInput {
  readonly pattern: Pattern;
  /** A file, or `-`; undefined: no page. */
  readonly html: string | undefined;
  readonly force: boolean;
}

export async function listUsage({ pattern, html, force }: UsageInput, context: Context): Promise<void> {
  const { terminal, flags, cwd } = context;
  const target = html === undefined || html === "-" ? undefined : await pageTarget(cwd, html, force);
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const found = await usage(services, pattern, { dates: html !== undefined }, call);
  if (html === "-") return terminal.out.write(usagePage(found, new Date()));
  if (target !== undefined) await writePage(target, usagePage(found, new Date()));
  if (flags.structured) return terminal.document(document(found, target?.path));
  if (target !== undefined) return terminal.line(target.path);
  const level = levelOf(found, pattern);
  if (level.rows.length === 0) return terminal.out.isTerminal ? call.log.info(NO_IMAGES) : undefined;
  if (terminal.out.isTerminal) await terminal.table(...chart(found, level, terminal.out.columns));
  else await terminal.table(["NAME", "CONTAINERS", "TAGS", "BYTES", "TAGGED"], each(level.rows.map(exactRow)));
  for (const words of remarks(found, level)) call.log.info(words);
}

interface LevelRow extends UsageCounts {
  readonly name: string;
  readonly containers: number;
}

interface Level {
  readonly title: "COLLECTION" | "CONTAINER";
  readonly rows: readonly LevelRow[];
}

/** The containers of the one collection that was asked for, else the collections. */
function levelOf({ collections }: Usage, { path }: Pattern): Level {
  const [only] = collections;
  if (path !== undefined && only !== undefined && collections.length === 1) {
    return { title: "CONTAINER", rows: only.containers.map((one) => ({ ...one, containers: 1 })) };
  }
  const rows = collections.map((one) => ({ ...one, containers: one.containers.length }));
  return { title: "COLLECTION", rows };
}

/** `-`: containers outside any collection. */
function exactRow({ name, containers, tags, size, tagged }: LevelRow): readonly Cell[] {
  return [name || "-", String(containers), String(tags), String(size), String(tagged)];
}

const NARROWEST_BAR = 8;
const WIDEST_BAR = 50;

/** Bars as long as the terminal has room for, of which the largest row has the longest. */
function chart(
  { total }: Usage,
  { title, rows }: Level,
  room: number,
): [readonly Column[], AsyncIterable<readonly Cell[]>] {
  const columns: readonly Column[] = [
    { title, cut: "middle", least: 20, tone: "name" },
    { title: "", drop: 1, tone: "name" },
    { title: "SIZE", align: "right" },
    { title: "SHARE", align: "right" },
    { title: "CONTAINERS", align: "right", drop: 3 },
    { title: "TAGS", align: "right", drop: 2 },
    { title: "SUM OF TAGS", align: "right", drop: 4 },
  ];
  const row = (one: LevelRow, bar: string): readonly Cell[] => [
    one.name || "(no collection)",
    bar,
    sizeCell(one.size),
    total.size > 0 ? `${((100 * one.size) / total.size).toFixed(1)} %` : "",
    title === "CONTAINER" ? "" : one.containers.toLocaleString("en"),
    one.tags.toLocaleString("en"),
    rows.some(({ size, tagged }) => size !== tagged) ? sizeCell(one.tagged) : "",
  ];
  const sum = row({ ...total, name: "total" }, "");
  const bare = [...rows.map((one) => row(one, "")), sum];
  const width = Math.min(WIDEST_BAR, Math.max(NARROWEST_BAR, room - widthOf(columns, bare)));
  const largest = rows.reduce((most, { size }) => Math.max(most, size), 0);
  const lines = rows.map((one) => row(one, barText(largest > 0 ? one.size / largest : 0, width)));
  return [columns, each([...lines, sum])];
}

/** What a table takes without its bars, but with the blanks beside them. */
function widthOf(columns: readonly Column[], rows: readonly (readonly Cell[])[]): number {
  const widths = columns.map(({ title, drop }, index) => {
    const texts = rows.map((row) => row[index] ?? "").map((cell) => (typeof cell === "string" ? cell : cell.shown));
    if (drop !== undefined && title !== "" && texts.every((text) => text === "")) return 0;
    return texts.reduce((most, text) => Math.max(most, displayWidth(text)), displayWidth(title)) + 2;
  });
  return widths.reduce((sum, width) => sum + width, -2);
}

function remarks({ total }: Usage, { title, rows }: Level): readonly string[] {
  const twice = rows.reduce((sum, { size }) => sum + size, -total.size);
  const [what, image] = [
    title === "CONTAINER" ? "containers" : "collections",
    total.unknown === 1 ? "image" : "images",
  ];
  return [
    ...(twice > 0 ? [`${formatSize(twice)} are in several ${what}: the total counts them once`] : []),
    ...(total.unknown > 0 ? [`${total.unknown} ${image} of unknown size: in no sum`] : []),
  ];
}

function document(
  { registry, total, collections }: Usage,
  html: string | undefined,
): Readonly<Record<string, unknown>> {
  const shown = collections.map(({ containers, ...collection }) => ({
    ...collection,
    containers: containers.map(({ contents: _, ...container }) => container),
  }));
  return { registry, total, collections: shown, ...(html === undefined ? {} : { html }) };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
