import { labels as allLabels, type LabelEntry, type LabelFilter } from "../client/labels.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import type { Column } from "../terminal/table.ts";
import { LABELS } from "./schemas/labels.ts";
import { defineVerb } from "./verb.ts";

interface Input {
  readonly pattern: Pattern;
  readonly filter: LabelFilter;
}

export const labels = defineVerb<Input>({
  arguments: [{ name: "[pattern]", description: "which images, as for list; default all" }],
  options: [
    {
      flags: "-k, --key <key>",
      description: "only this key, upper and lower case alike",
      variable: "SREGISTRY_LABELS_KEY",
    },
    { flags: "--value <value>", description: "only this value", variable: "SREGISTRY_LABELS_VALUE" },
  ],
  examples: [
    { command: "sregistry labels", says: "every label of every image" },
    { command: "sregistry labels --key maintainer --value vanessasaur", says: "who has exactly that" },
    { command: "sregistry labels lab/tool:1.0", says: "of one image" },
  ],
  answers: [LABELS],
  parse(words, flags) {
    const key = flags.text("key");
    const value = flags.text("value");
    const filter = { ...(key === undefined ? {} : { key }), ...(value === undefined ? {} : { value }) };
    return { pattern: parsePattern(words[0]), filter };
  },
  async run({ pattern, filter }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const entries = allLabels(services, pattern, filter, call);
    if (!context.flags.structured)
      return context.terminal.table(COLUMNS, rows(entries), "no image there has such a label");
    const found: LabelEntry[] = [];
    for await (const entry of entries) found.push(entry);
    return context.terminal.document({ labels: found });
  },
});

const COLUMNS: readonly Column[] = [
  { title: "KEY", cut: "middle", least: 28, tone: "name" },
  { title: "VALUE", cut: "end", least: 16 },
  { title: "IMAGE", cut: "middle", least: 30 },
];

async function* rows(entries: AsyncIterable<LabelEntry>): AsyncGenerator<readonly string[]> {
  for await (const { key, value, name } of entries) yield [key, value, name];
}
