/** Labels across images, from what pushes left beside them. Singularity Registry Server 2.1 has the routes and fills nothing in. */
import { uriOf } from "../../reference/sregistry.ts";
import { type Exchange, replyJson } from "../exchange.ts";
import type { Parameters, Route } from "../router.ts";
import { labelsOf, visibleRows } from "./catalogue.ts";
import { getRoutes } from "./routes.ts";

const SEARCH = "/api/labels/search";

export const labelRoutes: readonly Route[] = [
  ...getRoutes(SEARCH, searchLabels),
  ...getRoutes(`${SEARCH}/{key}/key`, searchLabels),
  ...getRoutes(`${SEARCH}/{key}/key/{name}/value`, searchLabels),
  // A value may have slashes: many are URLs.
  ...getRoutes(`${SEARCH}/{name}/value`, searchLabels),
];

interface LabelRow {
  readonly key: string;
  readonly value: string;
  readonly containers: string[];
}

/** Case is passed over: the Python client asks in lower case, whatever it was given. */
async function searchLabels(exchange: Exchange, { key, name: value }: Parameters): Promise<void> {
  const found = new Map<string, LabelRow>();
  for (const row of await visibleRows(exchange)) {
    for (const [itsKey, itsValue] of Object.entries(await labelsOf(row))) {
      if (!isSame(key, itsKey) || !isSame(value, itsValue)) continue;
      const id = JSON.stringify([itsKey, itsValue]);
      const label = found.get(id) ?? { key: itsKey, value: itsValue, containers: [] };
      label.containers.push(uriOf(row));
      found.set(id, label);
    }
  }
  replyJson(
    exchange,
    [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, label]) => label),
  );
}

/** Nothing is asked for: anything is. */
function isSame(wanted: string | undefined, found: string): boolean {
  return wanted === undefined || wanted.toLowerCase() === found.toLowerCase();
}
