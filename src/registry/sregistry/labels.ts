/** The server's index of labels. Nothing fills it in since 2018 but old data; it is asked all the same, and may be empty. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional, string } from "../../decode.ts";
import type { LabelFilter, LabelRow } from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { parseUri } from "./names.ts";

interface Label {
  readonly key: string;
  readonly value: string;
  readonly containers: readonly string[];
}

const labelDecoder: Decoder<Label> = (value, where) => {
  const json = object(value, where);
  return {
    key: field(json, "key", string, where),
    value: field(json, "value", optional(string), where) ?? "",
    containers: field(json, "containers", list(string), where),
  };
};

const SEARCH = "/api/labels/search";

/** Undefined when there is not one label in the index: then it says nothing about the images. */
export async function labels(
  api: SregistryApi,
  filter: LabelFilter,
  call: Call,
): Promise<readonly LabelRow[] | undefined> {
  const found = await api.get(`${SEARCH}${filterPath(filter)}`, list(labelDecoder), call);
  const unfiltered = filterPath(filter) === "";
  if (found.length === 0 && (unfiltered || (await api.get(SEARCH, list(labelDecoder), call)).length === 0)) {
    return undefined;
  }
  return found.filter((label) => isWanted(label, filter)).map((label) => rowOf(api, label, call));
}

/** In lower case, as the server has them. A slash cannot be asked for: Django reads it as the path's, however it is written. */
function filterPath({ key, value }: LabelFilter): string {
  const word = (text: string | undefined, kind: string): string =>
    text === undefined || text === "" || text.includes("/") ? "" : `/${encodeURIComponent(text.toLowerCase())}/${kind}`;
  return `${word(key, "key")}${word(value, "value")}`;
}

function isWanted({ key, value }: Label, filter: LabelFilter): boolean {
  const same = (wanted: string | undefined, found: string): boolean =>
    wanted === undefined || wanted.toLowerCase() === found.toLowerCase();
  return same(filter.key, key) && same(filter.value, value);
}

function rowOf(api: SregistryApi, { key, value, containers }: Label, call: Call): LabelRow {
  const images = containers.flatMap((uri) => {
    const reference = parseUri(uri);
    if (reference !== undefined) return [reference];
    call.log.verbose(
      `${api.name} has the label ${JSON.stringify(key)} on ${JSON.stringify(uri.slice(0, 300))}: no name`,
    );
    return [];
  });
  return { key, value, images };
}
