import { type Inspection, inspect as inspectImage, inspectTarget } from "../client/inspect.ts";
import { inspectionText } from "./inspect-text.ts";
import { metadataText, paintedPart, partText } from "./metadata-text.ts";
import { INSPECT, INSPECT_PARTS } from "./schemas/inspect.ts";
import { ARCHITECTURE_OPTION, type MetadataPart, metadataOptions, metadataParts } from "./shared.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly word: string;
  readonly parts: readonly MetadataPart[];
  readonly architecture?: string;
}

export const inspect = defineVerb<Input>({
  arguments: [{ name: "<image>", description: "a file, or a reference: read by ranges, not downloaded" }],
  options: [...metadataOptions("inspect"), ARCHITECTURE_OPTION],
  examples: [
    { command: "sregistry inspect tool.sif", says: "a file" },
    { command: "sregistry inspect oras://ghcr.io/org/tool:1.0", says: "an image at a registry" },
    { command: "sregistry inspect lab/tool:1.0 -d > tool.def", says: "one part alone, as it is" },
  ],
  answers: [INSPECT, INSPECT_PARTS],
  answer: ({ parts }) => (parts.length === 0 ? INSPECT : INSPECT_PARTS),
  parse(words, flags) {
    const architecture = flags.text("arch");
    const word = requireWord(words, 0, "the image to inspect");
    return { word, parts: metadataParts(flags), ...(architecture === undefined ? {} : { architecture }) };
  },
  async run({ word, parts, architecture }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const target = await inspectTarget(context.cwd, word);
    const objects = parts.length === 0;
    const options = { objects, ...(architecture === undefined ? {} : { architecture }) };
    const inspection = await inspectImage(services, target, options, call);
    const { terminal, flags } = context;
    if (flags.structured) return terminal.document(document(inspection, parts));
    const [only] = parts;
    return terminal.page((look) => {
      if (only === undefined) return inspectionText(inspection, Date.now(), look);
      if (parts.length > 1) return metadataText(inspection.metadata, parts, "", look);
      return `${paintedPart(partText(inspection.metadata, only), only, look.style)}\n`;
    });
  },
});

function document(inspection: Inspection, parts: readonly MetadataPart[]): Record<string, unknown> {
  const { metadata } = inspection;
  if (parts.length === 0) return { ...inspection };
  return { name: inspection.name, ...Object.fromEntries(parts.map((part) => [part, metadata[part] ?? null])) };
}
