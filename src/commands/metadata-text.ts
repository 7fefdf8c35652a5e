/** An image's metadata as text: each part under its name, indented; or one part alone, as it is in the image. */
import type { ImageMetadata } from "../image/metadata.ts";
import { type Look, namedValues } from "../terminal/page.ts";
import { safeBlock } from "../terminal/safe-text.ts";
import type { Style } from "../terminal/style.ts";
import type { MetadataPart } from "./shared.ts";

/** Every part asked for is named, with "(none)" where the image has it not. */
export function metadataText(
  metadata: ImageMetadata,
  parts: readonly MetadataPart[],
  indent: string,
  look: Look,
): string {
  return parts.map((part) => namedPart(metadata, part, indent, look)).join("");
}

function namedPart(metadata: ImageMetadata, part: MetadataPart, indent: string, look: Look): string {
  const text = partText(metadata, part);
  const name = `${indent}${look.style.bold(`${part}:`)}`;
  if (text.trim() === "") return `${name} (none)\n`;
  const inner = `${indent}  `;
  if (part === "labels") return `${name}\n${namedValues(sortedLabels(metadata), inner, look)}`;
  return `${name}\n${indented(paintedPart(text, part, look.style), inner)}\n`;
}

/** One part, ready for a file: `sregistry inspect -d REF > Singularity`. */
export function partText(metadata: ImageMetadata, part: MetadataPart): string {
  switch (part) {
    case "labels":
      return sortedLabels(metadata)
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

/** One part alone, as it is in the image but for its colours. */
export function paintedPart(text: string, part: MetadataPart, style: Style): string {
  const clean = safeBlock(text).trimEnd();
  switch (part) {
    case "labels":
      return clean;
    case "deffile":
      return paintedDefinition(clean, style);
    default:
      return eachLine(clean, (line) => (COMMENT.test(line) ? style.dim(line) : line));
  }
}

function sortedLabels({ labels }: ImageMetadata): readonly (readonly [string, string])[] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

const COMMENT = /^\s*#/;
const SECTION = /^\s*%[a-z]+/;
const KEYWORD = /^\s*[A-Za-z]+(?=:)/;

/** Section headers, keys of the header before them, and comments. */
function paintedDefinition(text: string, style: Style): string {
  let inHeader = true;
  return eachLine(text, (line) => {
    if (COMMENT.test(line)) return style.dim(line);
    const section = SECTION.exec(line)?.[0];
    if (section !== undefined) {
      inHeader = false;
      return style.name(section) + line.slice(section.length);
    }
    const keyword = KEYWORD.exec(line)?.[0];
    // A multi-stage definition begins anew.
    inHeader ||= keyword !== undefined && /^\s*bootstrap$/i.test(keyword);
    return keyword === undefined || !inHeader ? line : style.bold(keyword) + line.slice(keyword.length);
  });
}

function eachLine(text: string, paint: (line: string) => string): string {
  return text.split("\n").map(paint).join("\n");
}

function indented(text: string, indent: string): string {
  return eachLine(text, (line) => (line === "" ? "" : indent + line));
}
