/** The rows of `list`: what was asked of each image, sorted, and no more of them than wanted. */
import type { Call } from "../call.ts";
import { formatReference } from "../reference/format.ts";
import type { Pattern } from "../reference/pattern.ts";
import { type EmptyCollection, type ListEntry, listAll } from "./list.ts";
import { columnDepth, type ListColumn, type ListRow, type ListSort } from "./list-columns.ts";
import { type Asked, DEPTHS, type Depth, type Facts, withFacts } from "./list-facts.ts";
import type { Services } from "./services.ts";

export interface ListQuery {
  readonly pattern: Pattern;
  readonly columns: readonly ListColumn[];
  readonly sort?: ListSort;
  /** Rows; nothing is asked for more. */
  readonly limit?: number;
}

export interface ListedImage {
  readonly image: ListRow;
}

type Entry = ListEntry | EmptyCollection;

/** The names, sorted and cut where names are enough for that. */
export async function* chosenEntries(
  services: Services,
  { pattern, sort, limit }: Omit<ListQuery, "columns">,
  call: Call,
): AsyncGenerator<Entry> {
  const all = listAll(services, pattern, call);
  if (sort === undefined) return yield* atMost(limit, all);
  if (sort.column !== "name") return yield* all;
  const entries: Entry[] = [];
  for await (const entry of all) entries.push(entry);
  yield* entries.sort((a, b) => directed(sort, compare(a.name, b.name))).slice(0, limit);
}

/** Stops asking with the last one that is wanted. */
async function* atMost<T>(limit: number | undefined, items: AsyncIterable<T>): AsyncGenerator<T> {
  if (limit === undefined) return yield* items;
  let left = limit;
  for await (const item of items) {
    yield item;
    left -= 1;
    if (left <= 0) return;
  }
}

/**
 * Collections without an image come as they are. An image that cannot be read has null where it should tell something; one that
 * was asked for by its own tag or digest fails. `entries`: where they are known already.
 */
export async function* listRows(
  services: Services,
  query: ListQuery,
  call: Call,
  entries: AsyncIterable<Entry> = chosenEntries(services, query, call),
): AsyncGenerator<ListedImage | EmptyCollection> {
  const { pattern, columns, sort, limit } = query;
  const sortColumns = sort === undefined ? [] : [sort.column];
  const depth = deepest([...columns, ...sortColumns]);
  const [registry, placement] = await Promise.all([services.openFor(pattern), services.placement(pattern)]);
  const rowOf = ({ entry, facts }: Asked<Entry>): FullRow | EmptyCollection =>
    "collection" in entry
      ? entry
      : { ...nameParts(entry, placement.shown(entry.reference).path, registry.name), ...facts };
  const rows = mapped(withFacts(services, entries, { depth, strict: pattern.selector !== undefined }, call), rowOf);
  for await (const row of sorted(rows, sort, limit)) yield "reference" in row ? { image: picked(row, columns) } : row;
}

type FullRow = Required<ListRow>;

function nameParts(entry: ListEntry, path: string, registry: string): Omit<FullRow, keyof Facts> {
  const { name, reference } = entry;
  const slash = path.lastIndexOf("/");
  return {
    name,
    reference: formatReference(reference),
    registry,
    collection: slash < 0 ? null : path.slice(0, slash),
    container: path.slice(slash + 1),
    tag: reference.selector.kind === "tag" ? reference.selector.tag : null,
  };
}

function deepest(columns: readonly ListColumn[]): Depth {
  return DEPTHS[Math.max(0, ...columns.map((column) => DEPTHS.indexOf(columnDepth(column))))] ?? "name";
}

async function* mapped<T, R>(items: AsyncIterable<T>, map: (item: T) => R): AsyncGenerator<R> {
  for await (const item of items) yield map(item);
}

async function* sorted(
  rows: AsyncIterable<FullRow | EmptyCollection>,
  sort: ListSort | undefined,
  limit: number | undefined,
): AsyncGenerator<FullRow | EmptyCollection> {
  // By name they come so.
  if (sort === undefined || sort.column === "name") return yield* rows;
  const full: FullRow[] = [];
  const empty: EmptyCollection[] = [];
  for await (const row of rows) {
    if ("reference" in row) full.push(row);
    else empty.push(row);
  }
  full.sort((a, b) => compareRows(sort, a, b));
  yield* [...full, ...empty].slice(0, limit);
}

/** What is not known is last in both directions; what is alike is in the order of names. */
function compareRows(sort: ListSort, a: FullRow, b: FullRow): number {
  const key = rowKey(sort.column);
  const [x, y] = [sortable(a[key], key), sortable(b[key], key)];
  if (x === null || y === null) return Number(x === null) - Number(y === null) || compare(a.name, b.name);
  return directed(sort, compare(x, y)) || compare(a.name, b.name);
}

/** Dates in any zone and form. */
function sortable(value: string | number | boolean | null, key: keyof ListRow): string | number | null {
  if (typeof value === "boolean") return Number(value);
  return key === "created" && typeof value === "string" ? Date.parse(value) : value;
}

function directed({ descending }: ListSort, order: number): number {
  return descending ? -order : order;
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function picked(row: FullRow, columns: readonly ListColumn[]): ListRow {
  return Object.fromEntries(columns.map(rowKey).map((key) => [key, row[key]]));
}

/** A column's name in a document. */
export function rowKey(column: ListColumn): keyof ListRow {
  return column === "arch" ? "architecture" : column;
}
