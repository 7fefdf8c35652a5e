import { type Inspection, inspect as inspectImage, inspectTarget } from "../client/inspect.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { formatSize } from "../units.ts";
import { partText, writeMetadata } from "./metadata-text.ts";
import { INSPECT, INSPECT_PARTS } from "./schemas/inspect.ts";
import { ARCHITECTURE_OPTION, METADATA_PARTS, type MetadataPart, metadataOptions, metadataParts } from "./shared.ts";
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
    if (parts.length === 1 && only !== undefined) return terminal.block(partText(inspection.metadata, only));
    if (parts.length > 1) return writeMetadata(terminal, inspection.metadata, parts, "");
    return writeInspection(terminal, inspection);
  },
});

function document(inspection: Inspection, parts: readonly MetadataPart[]): Record<string, unknown> {
  const { metadata } = inspection;
  if (parts.length === 0) return { ...inspection };
  return { name: inspection.name, ...Object.fromEntries(parts.map((part) => [part, metadata[part] ?? null])) };
}

/** That there are signatures, and whose keys they name; they are not verified here. */
function signedText({ metadata, signatures = [] }: Inspection): string {
  if (!metadata.signed) return "no";
  const keys = signatures.map(({ format, fingerprint }) => `${format.toUpperCase()} ${fingerprint ?? ""}`.trim());
  return keys.length === 0 ? "yes" : `yes (${keys.join(", ")}), not verified`;
}

async function writeInspection(terminal: Terminal, inspection: Inspection): Promise<void> {
  const { metadata, objects = [] } = inspection;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["name", inspection.name],
    ["size", `${formatSize(inspection.size)} (${inspection.size} bytes)`],
    ["digest", inspection.digest],
    ["manifest", inspection.manifest],
    ["format", metadata.format === "sif" ? "SIF" : "OCI-SIF"],
    ["architecture", metadata.architecture ?? "unknown"],
    ["signed", signedText(inspection)],
    ["encrypted", metadata.encrypted ? "yes" : "no"],
  ];
  for (const [name, value] of facts) {
    if (value !== undefined) await terminal.fact(name, value);
  }
  if (objects.length > 0) {
    await terminal.fact("objects", "");
    for (const { id, group, link, position, type } of objects) {
      await terminal.line(
        `  ${String(id).padEnd(4)} ${group.padEnd(6)} ${link.padEnd(8)} ${position.padEnd(22)} ${type}`,
      );
    }
  }
  if (inspection.referrers.length > 0) {
    await terminal.fact("attached", "");
    for (const { digest, type, size } of inspection.referrers)
      await terminal.line(`  ${digest} ${type} (${formatSize(size)})`);
  }
  const present = METADATA_PARTS.filter((part) => partText(metadata, part).trim() !== "");
  await writeMetadata(terminal, metadata, present, "");
}
