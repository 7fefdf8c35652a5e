/** `list --format`: what the template names is asked for, so that no field of it stays empty for want of a flag. */
import { LIST_COLUMNS, type ListColumn } from "../client/list-columns.ts";
import { rowKey } from "../client/list-rows.ts";
import { SregistryError } from "../errors.ts";
import { METADATA_PARTS, type MetadataPart } from "./shared.ts";
import { fieldNames } from "./template.ts";

interface Asked {
  readonly parts: readonly MetadataPart[];
  readonly columns?: readonly ListColumn[];
}

/** What is told of an image along with its metadata. */
const BESIDE_METADATA: readonly ListColumn[] = ["name", "size", "digest", "arch"];

/** @throws SregistryError USAGE for a template that is none, and for one whose fields are not told together. */
export function withFormat<Input extends Asked>(input: Input, format: string | undefined): Input {
  if (format === undefined) return input;
  const names = fieldNames(format);
  const parts = METADATA_PARTS.filter((part) => input.parts.includes(part) || names.includes(part));
  const columns = LIST_COLUMNS.filter(
    (column) => input.columns?.includes(column) === true || names.includes(rowKey(column)),
  );
  if (parts.length === 0) return columns.length === 0 ? input : { ...input, columns };
  const [other] = columns.filter((column) => !BESIDE_METADATA.includes(column));
  if (other === undefined) return { ...input, parts };
  throw new SregistryError("USAGE", `--format names ${parts[0]} and ${other}, which list does not tell together`, {
    hint: `beside ${parts[0]} there are name, size, digest and architecture`,
  });
}
