import { endpointPattern, type SearchEntry, search as searchImages } from "../client/search.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { Column } from "../terminal/table.ts";
import { SEARCH } from "./schemas/search.ts";
import { ARCHITECTURE_OPTION } from "./shared.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly query: string;
  readonly where: Pattern;
  readonly options: { readonly architecture?: string; readonly signed?: boolean };
}

export const search = defineVerb<Input>({
  arguments: [
    { name: "<query>", description: "part of a name or description; libraries want three characters or more" },
    {
      name: "[where]",
      description: "an endpoint: library://, library://HOST, oras://HOST; default the default registry",
      completes: "endpoint",
    },
  ],
  options: [
    {
      ...ARCHITECTURE_OPTION,
      description: "only images for this one: amd64, arm64, ...",
      env: ["SINGULARITY_SEARCH_ARCH"],
    },
    {
      flags: "--signed",
      description: "only signed images, where the endpoint knows",
      variable: "SREGISTRY_SEARCH_SIGNED",
    },
  ],
  examples: [
    { command: "sregistry search lolcow", says: "at the default registry" },
    { command: "sregistry search lolcow library://", says: "at the active remote's library" },
  ],
  answers: [SEARCH],
  parse(words, flags) {
    const query = requireWord(words, 0, "what to search for");
    const architecture = flags.text("arch");
    const options = {
      ...(architecture === undefined ? {} : { architecture }),
      ...(flags.on("signed") ? { signed: true } : {}),
    };
    return { query, where: endpointPattern(words[1]), options };
  },
  async run({ query, where, options }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const found = searchImages(services, query, where, options, call);
    if (!context.flags.structured) {
      return context.terminal.table(
        COLUMNS,
        rows(found),
        `nothing there has ${JSON.stringify(query)} in its name or description`,
      );
    }
    const images: SearchEntry[] = [];
    for await (const entry of found) images.push(entry);
    return context.terminal.document({ query, images });
  },
});

const COLUMNS: readonly Column[] = [
  { title: "NAME", cut: "middle", least: 32, tone: "name" },
  { title: "TAGS", cut: "end", least: 10 },
  { title: "ARCH", drop: 2 },
  { title: "SIGNED BY", cut: "end", least: 9, drop: 3 },
  { title: "DESCRIPTION", cut: "end", least: 20, drop: 1 },
];

async function* rows(entries: AsyncIterable<SearchEntry>): AsyncGenerator<readonly string[]> {
  for await (const { name, tags, architecture, signedBy, description } of entries) {
    yield [name, tags.join(","), architecture ?? "", signedBy.join(","), description ?? ""];
  }
}
