/** An image's metadata as text: each part under its name, indented; or one part alone, as it is in the image. */
import type { ImageMetadata } from "../image/metadata.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { MetadataPart } from "./shared.ts";

/** Every part asked for is named, with "(none)" where the image has it not. */
export async function writeMetadata(
  terminal: Terminal,
  metadata: ImageMetadata,
  parts: readonly MetadataPart[],
  indent: string,
): Promise<void> {
  for (const part of parts) {
    const text = partText(metadata, part);
    if (text.trim() === "") {
      await terminal.block(`${indent}${part}: (none)`);
      continue;
    }
    await terminal.block(`${indent}${part}:\n${indented(text, `${indent}  `)}`);
  }
}

/** One part, ready for a file: `sregistry inspect -d REF > Singularity`. */
export function partText(metadata: ImageMetadata, part: MetadataPart): string {
  switch (part) {
    case "labels":
      return Object.entries(metadata.labels)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => `${key}: ${value}`)
        .join("\n");
    case "environment":
      return Object.values(metadata.environment)
        .map((text) => text.trimEnd())
        .join("\n");
    default:
      return metadata[part] ?? "";
  }
}

function indented(text: string, indent: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "" : indent + line))
    .join("\n");
}
