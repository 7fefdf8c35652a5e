/** Flags as rows of a screen. */
import type { OptionSpec } from "../verb.ts";
import type { Row } from "./layout.ts";

export function flagRows(options: readonly OptionSpec[]): readonly Row[] {
  return options.filter(({ hidden }) => hidden !== true).map(flagRow);
}

function flagRow({ flags, description, choices }: OptionSpec): Row {
  return { term: flags, says: choices === undefined ? description : `${description}: ${choices.join(", ")}` };
}
