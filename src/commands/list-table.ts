/** `list` without metadata: names, or what the columns tell, for people, scripts and programs. */

import type { Call } from "../call.ts";
import type { EmptyCollection, ListEntry } from "../client/list.ts";
import { DEFAULT_COLUMNS, type ListColumn, type ListDocument, type ListRow } from "../client/list-columns.ts";
import { chosenEntries, type ListedImage, type ListQuery, listRows, rowKey } from "../client/list-rows.ts";
import type { Services } from "../client/services.ts";
import type { Context } from "../context.ts";
import { dateCell, digestCell, sizeCell, textCell, UNKNOWN } from "../terminal/cells.ts";
import type { Cell, Column } from "../terminal/table.ts";

/** `columns`: undefined where none were asked for. */
export interface ListInput extends Omit<ListQuery, "columns"> {
  readonly columns?: readonly ListColumn[];
}

/** A pattern that finds nothing is a failure; so this is of a whole registry. */
export const NO_IMAGES =
  "no images yet: sregistry push IMAGE.sif COLLECTION/NAME:TAG; which registry was asked: sregistry list -v";

/** Images that a terminal asks of unasked: a table is waited for as a whole. */
const ASKED_UNASKED = 500;
/** Images that somebody waits for, at a registry that is far away. */
const WORTH_A_WORD = 100;

export async function listTable(input: ListInput, context: Context): Promise<void> {
  const { flags, terminal } = context;
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const rows = (columns: readonly ListColumn[]) => listRows(services, { ...input, columns }, call);
  if (flags.structured) return terminal.document({ ...(await document(rows(input.columns ?? ["name"]))) });
  const { columns } = input;
  if (columns !== undefined) return terminal.table(columns.map(asked), cells(rows(columns), columns), NO_IMAGES);
  if (!terminal.out.isTerminal) return terminal.table(["NAME"], names(services, input, call));
  return listForPeople(input, services, context);
}

/** Nothing is made of an entry but its line: there may be many thousands. */
async function* names(services: Services, input: ListInput, call: Call): AsyncGenerator<readonly Cell[]> {
  if (input.sort === undefined || input.sort.column === "name") {
    for await (const { name } of chosenEntries(services, input, call)) yield [name];
  } else yield* cells(listRows(services, { ...input, columns: ["name"] }, call), ["name"]);
}

/** The usual columns, while that is no wait; of a long list the names alone. */
async function listForPeople(input: ListInput, services: Services, context: Context): Promise<void> {
  const call = await context.call();
  const entries: (ListEntry | EmptyCollection)[] = [];
  for await (const entry of chosenEntries(services, input, call)) entries.push(entry);
  const many = entries.length > ASKED_UNASKED;
  if (!many && entries.length > WORTH_A_WORD) call.log.info(`looking at ${entries.length} images`);
  const columns = many ? ["name" as const] : DEFAULT_COLUMNS;
  const rows = listRows(services, { ...input, columns }, call, each(entries));
  await context.terminal.table(
    columns.map((column) => COLUMNS[column]),
    cells(rows, columns),
    NO_IMAGES,
  );
  if (many) {
    const count = entries.length.toLocaleString("en");
    call.log.info(`names alone of ${count} images: --limit 100 tells more of the first, --columns name,size of all`);
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

type Row = ListedImage | EmptyCollection;

async function document(rows: AsyncIterable<Row>): Promise<ListDocument> {
  const containers: ListRow[] = [];
  const empty: string[] = [];
  for await (const row of rows) {
    if ("image" in row) containers.push(row.image);
    else empty.push(row.collection);
  }
  return { containers, ...emptyCollections(empty) };
}

/** Absent where there is none. */
export function emptyCollections(names: readonly string[]): Pick<ListDocument, "emptyCollections"> {
  return names.length === 0 ? {} : { emptyCollections: names };
}

async function* cells(rows: AsyncIterable<Row>, columns: readonly ListColumn[]): AsyncGenerator<readonly Cell[]> {
  const now = Date.now();
  for await (const row of rows) {
    // Of a collection without an image there is its name alone.
    if ("image" in row) yield columns.map((column) => cell(column, row.image, now));
    else
      yield columns.map((column) =>
        column === "name" ? row.name : column === "collection" ? row.collection : UNKNOWN,
      );
  }
}

function cell(column: ListColumn, row: ListRow, now: number): Cell {
  switch (column) {
    case "size":
      return sizeCell(row.size);
    case "created":
      return dateCell(row.created, now);
    case "digest":
    case "manifest":
      return digestCell(row[column]);
    case "signed":
      return row.signed == null ? UNKNOWN : row.signed ? "yes" : "no";
    default:
      return textCell(row[rowKey(column)]?.toString());
  }
}

/** Where a terminal is narrow, names keep enough to be told apart, and the rest goes from the last to the first. */
const COLUMNS: Readonly<Record<ListColumn, Column>> = {
  name: { title: "NAME", cut: "middle", least: 32, tone: "name" },
  size: { title: "SIZE", align: "right", drop: 1 },
  arch: { title: "ARCH", drop: 3 },
  created: { title: "CREATED", drop: 2 },
  digest: { title: "DIGEST", drop: 4, tone: "dim" },
  reference: { title: "REFERENCE", cut: "middle", least: 32, tone: "name" },
  registry: { title: "REGISTRY", cut: "middle", least: 16 },
  collection: { title: "COLLECTION", cut: "middle", least: 16 },
  container: { title: "CONTAINER", cut: "middle", least: 16 },
  tag: { title: "TAG", cut: "middle", least: 12 },
  manifest: { title: "MANIFEST", tone: "dim" },
  format: { title: "FORMAT" },
  signed: { title: "SIGNED" },
};

/** What was asked for by name is not left out. */
function asked(column: ListColumn): Column {
  const { drop: _, ...kept } = COLUMNS[column];
  return kept;
}
