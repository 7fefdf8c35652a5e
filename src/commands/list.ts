import { type Description, describeOne, type EmptyCollection, type ListEntry, listAll } from "../client/list.ts";
import type { Context } from "../context.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import { writeMetadata } from "./metadata-text.ts";
import { LIST } from "./schemas/list.ts";
import { METADATA_OPTIONS, type MetadataPart, metadataParts } from "./shared.ts";
import { defineVerb } from "./verb.ts";

type Entry = ListEntry | EmptyCollection;

interface Input {
  readonly pattern: Pattern;
  readonly parts: readonly MetadataPart[];
}

export const list = defineVerb<Input>({
  arguments: [
    { name: "[pattern]", description: "dinosaur, /avocado, dinosaur/avocado[:tag], oras://HOST[/PATH]; default all" },
  ],
  options: METADATA_OPTIONS,
  examples: [
    { command: "sregistry list", says: "everything at the default registry" },
    { command: "sregistry list dinosaur", says: "one collection" },
    { command: "sregistry list /avocado", says: "one name in every collection" },
    { command: "sregistry list dinosaur/tacos:delicious -e -r -t -d -l", says: "with all it says of itself" },
    { command: "sregistry list oras://127.0.0.1:5000", says: "at an OCI registry" },
  ],
  answers: [LIST],
  parse: (words, flags) => ({ pattern: parsePattern(words[0]), parts: metadataParts(flags) }),
  async run({ pattern, parts }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const entries = listAll(services, pattern, call);
    if (parts.length === 0) return listNames(entries, context);
    return listDescribed(entries, parts, context, (entry) => describeOne(services, pattern, entry, call));
  },
});

async function listNames(entries: AsyncIterable<Entry>, { flags, terminal }: Context): Promise<void> {
  if (!flags.structured) return terminal.table(["NAME"], namesOf(entries));
  const containers: { readonly name: string }[] = [];
  const empty: string[] = [];
  for await (const entry of entries) {
    if ("collection" in entry) empty.push(entry.collection);
    else containers.push({ name: entry.name });
  }
  return terminal.document({ containers, ...emptyCollections(empty) });
}

/** Absent where there is none. */
function emptyCollections(names: readonly string[]): { readonly emptyCollections?: readonly string[] } {
  return names.length === 0 ? {} : { emptyCollections: names };
}

async function* namesOf(entries: AsyncIterable<Entry>): AsyncGenerator<readonly string[]> {
  for await (const { name } of entries) yield [name];
}

async function listDescribed(
  entries: AsyncIterable<Entry>,
  parts: readonly MetadataPart[],
  { flags, terminal }: Context,
  describeEntry: (entry: ListEntry) => Promise<Description | undefined>,
): Promise<void> {
  const containers: Record<string, unknown>[] = [];
  const empty: string[] = [];
  for await (const entry of entries) {
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
    await writeMetadata(terminal, metadata, parts, "  ");
  }
  if (flags.structured) await terminal.document({ containers, ...emptyCollections(empty) });
}
