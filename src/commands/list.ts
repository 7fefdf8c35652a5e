import { type Description, describeOne, type ListEntry } from "../client/list.ts";
import { LIST_COLUMNS, parseColumns, parseSort } from "../client/list-columns.ts";
import { chosenEntries } from "../client/list-rows.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { parsePattern } from "../reference/pattern.ts";
import { globalFlags } from "./globals.ts";
import { withFormat } from "./list-format.ts";
import { emptyCollections, type ListInput, listTable } from "./list-table.ts";
import type { UsageInput } from "./list-usage.ts";
import { metadataText } from "./metadata-text.ts";
import { LIST } from "./schemas/list.ts";
import { LIST_USAGE } from "./schemas/list-usage.ts";
import { type MetadataPart, metadataOptions, metadataParts } from "./shared.ts";
import { defineVerb, type Flags, flagName, type OptionSpec } from "./verb.ts";

interface Input extends ListInput, UsageInput {
  readonly parts: readonly MetadataPart[];
  readonly usage: boolean;
}

const TABLE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--columns <names>",
    description: `what to tell of each, with commas between: ${LIST_COLUMNS.join(", ")}`,
  },
  { flags: "--sort <column>", description: "by name, size, created, ...; -size: the largest first" },
  { flags: "--limit <n>", description: "no more than so many; nothing is asked for the rest" },
];

const USAGE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--usage",
    description: "what they take by collection or container, each once",
    variable: "SREGISTRY_LIST_USAGE",
  },
  {
    flags: "--html <file>",
    description: "the same as a page with a treemap; - is standard output",
    variable: "SREGISTRY_LIST_HTML",
  },
  { flags: "-f, --force", description: "with --html: replace a file that is there" },
];

export const list = defineVerb<Input>({
  arguments: [
    { name: "[pattern]", description: "dinosaur, /avocado, dinosaur/avocado[:tag], oras://HOST[/PATH]; default all" },
  ],
  options: [...metadataOptions("list"), ...TABLE_OPTIONS, ...USAGE_OPTIONS],
  examples: [
    { command: "sregistry list", says: "everything at the default registry" },
    { command: "sregistry list dinosaur", says: "one collection" },
    { command: "sregistry list /avocado", says: "one name in every collection" },
    { command: "sregistry list dinosaur/tacos:delicious -e -r -t -d -l", says: "with all it says of itself" },
    { command: "sregistry list --sort -size --limit 10", says: "the ten largest" },
    { command: "sregistry list --html usage.html", says: "what takes the room, for a browser" },
    { command: "sregistry list oras://127.0.0.1:5000", says: "at an OCI registry" },
  ],
  answers: [LIST, LIST_USAGE],
  answer: ({ usage, html }) => (!usage ? LIST : html === "-" ? undefined : LIST_USAGE),
  parse(words, flags) {
    const pattern = parsePattern(words[0]);
    const { structured, format } = globalFlags(flags);
    const page = { usage: asksUsage(flags), html: flags.text("html"), force: flags.on("force") };
    if (page.usage && page.html === "-" && structured) {
      throw new SregistryError("USAGE", "a page and a document both want standard output", {
        hint: "name a file for the page: --html usage.html",
      });
    }
    if (page.usage) return { pattern, parts: [], ...page };
    const parts = metadataParts(flags);
    return withFormat(checked({ pattern, parts, ...page, ...tableInput(flags, parts.length > 0) }), format);
  },
  async run(input, context) {
    if (input.usage) return (await import("./list-usage.ts")).listUsage(input, context);
    return input.parts.length === 0 ? listTable(input, context) : listDescribed(input, context);
  },
});

/** What is told of single images. */
const OF_SINGLE = [...["columns", "sort", "limit"], ...metadataOptions("list").map(flagName)];

/** A page is always one of usage. @throws SregistryError USAGE for a flag beside it that is typed and means single images. */
function asksUsage(flags: Flags): boolean {
  if (!flags.on("usage") && flags.text("html") === undefined) return false;
  const single = OF_SINGLE.find((name) => flags.typed(name));
  if (single === undefined) return true;
  if (!flags.typed("usage") && !flags.typed("html")) return false;
  throw new SregistryError("USAGE", `--usage counts all images together, and --${single} is for single ones`, {
    hint: "leave one of the two out; the largest images: sregistry list --sort -size --limit 10",
  });
}

/** `described`: there is no table, and what a variable says of tables stands in nobody's way. */
function tableInput(flags: Flags, described: boolean): Omit<ListInput, "pattern"> {
  const [columns, sort] = ["columns", "sort"].map((name) =>
    described && !flags.typed(name) ? undefined : flags.text(name),
  );
  const limit = flags.text("limit");
  return {
    ...(columns === undefined ? {} : { columns: parseColumns(columns) }),
    ...(sort === undefined ? {} : { sort: parseSort(sort) }),
    ...(limit === undefined ? {} : { limit: parseLimit(limit) }),
  };
}

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new SregistryError("USAGE", `--limit ${JSON.stringify(text)} is no number of images: expected 1 or more`, {
    hint: "--limit 10",
  });
}

/** Metadata is told of one image after the other, not in a table. @throws SregistryError USAGE. */
function checked(input: Input): Input {
  const { parts, columns, sort } = input;
  if (parts.length === 0) return input;
  if (columns !== undefined) {
    throw new SregistryError("USAGE", `--columns makes a table, and ${parts.join(", ")} would not fit into one`, {
      hint: "leave one of the two out",
    });
  }
  if (sort === undefined || sort.column === "name") return input;
  throw new SregistryError("USAGE", `with ${parts.join(", ")} the order is that of names, not of ${sort.column}`, {
    hint: "--sort name, or leave it out",
  });
}

async function listDescribed(input: Input, context: Context): Promise<void> {
  const { flags, terminal } = context;
  const { pattern, parts } = input;
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const describeEntry = (entry: ListEntry): Promise<Description | undefined> =>
    describeOne(services, pattern, entry, call);
  const containers: Record<string, unknown>[] = [];
  const empty: string[] = [];
  for await (const entry of chosenEntries(services, input, call)) {
    if ("collection" in entry) {
      if (flags.structured) empty.push(entry.collection);
      else await terminal.title(entry.name);
      continue;
    }
    const described = await describeEntry(entry);
    if (described === undefined) continue;
    const { image, metadata } = described;
    if (flags.structured) {
      const { size, digest } = image;
      const shown = Object.fromEntries(parts.map((part) => [part, metadata[part] ?? null]));
      containers.push({ name: entry.name, size, digest, architecture: metadata.architecture, ...shown });
      continue;
    }
    await terminal.title(entry.name);
    await terminal.page((look) => metadataText(metadata, parts, "  ", look));
  }
  if (flags.structured) await terminal.document({ containers, ...emptyCollections(empty) });
}
