import { type Description, describeOne, type ListEntry, list as listContainers } from "../client/list.ts";
import type { Context } from "../context.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import { writeMetadata } from "./metadata-text.ts";
import { METADATA_OPTIONS, type MetadataPart, metadataParts } from "./shared.ts";
import { defineVerb } from "./verb.ts";

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
  parse: (words, flags) => ({ pattern: parsePattern(words[0]), parts: metadataParts(flags) }),
  async run({ pattern, parts }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const entries = listContainers(services, pattern, call);
    if (parts.length === 0) return listNames(entries, context);
    return listDescribed(entries, parts, context, (entry) => describeOne(services, pattern, entry, call));
  },
});

async function listNames(entries: AsyncIterable<ListEntry>, { flags, terminal }: Context): Promise<void> {
  if (!flags.json) return terminal.table(["NAME"], namesOf(entries));
  const containers: { readonly name: string }[] = [];
  for await (const { name } of entries) containers.push({ name });
  return terminal.json({ containers });
}

async function* namesOf(entries: AsyncIterable<ListEntry>): AsyncGenerator<readonly string[]> {
  for await (const { name } of entries) yield [name];
}

async function listDescribed(
  entries: AsyncIterable<ListEntry>,
  parts: readonly MetadataPart[],
  { flags, terminal }: Context,
  describeEntry: (entry: ListEntry) => Promise<Description | undefined>,
): Promise<void> {
  const containers: Record<string, unknown>[] = [];
  for await (const entry of entries) {
    const described = await describeEntry(entry);
    if (described === undefined) continue;
    const { image, metadata } = described;
    if (flags.json) {
      const { size, digest } = image;
      const shown = Object.fromEntries(parts.map((part) => [part, metadata[part] ?? null]));
      containers.push({ name: entry.name, size, digest, architecture: metadata.architecture, ...shown });
      continue;
    }
    await terminal.title(entry.name);
    await writeMetadata(terminal, metadata, parts, "  ");
  }
  if (flags.json) await terminal.json({ containers });
}
