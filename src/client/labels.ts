/** Labels across images: out of the endpoint's index where it has one, else computed from what each image says of itself. */
import type { Call } from "../call.ts";
import { formatReference } from "../reference/format.ts";
import { matches, type Pattern } from "../reference/pattern.ts";
import type { PlacedReference } from "../reference/reference.ts";
import type { LabelFilter, Registry } from "../registry/registry.ts";
import { describeOne, list } from "./list.ts";
import type { Services } from "./services.ts";

export type { LabelFilter } from "../registry/registry.ts";

export interface LabelEntry {
  readonly key: string;
  readonly value: string;
  /** The image that carries it, as `list` names it. */
  readonly name: string;
}

/**
 * @throws SregistryError NOT_FOUND as `list` does: an image without labels is there, and one that is not has none either.
 * Keys are compared without case: `maintainer` finds `Maintainer`. Values are compared as they are.
 */
export async function* labels(
  services: Services,
  pattern: Pattern,
  filter: LabelFilter,
  call: Call,
): AsyncGenerator<LabelEntry> {
  const registry = await services.openFor(pattern);
  const rows = pattern.selector?.kind === "digest" ? undefined : await registry.can.labels?.(filter, call);
  if (rows === undefined) return yield* computed(services, registry, pattern, filter, call);
  call.log.info(`labels from the index of ${registry.name}`);
  const placement = await services.placement(pattern);
  let found = false;
  for (const { key, value, images } of rows) {
    if (!wanted(key, value, filter)) continue;
    for (const reference of images) {
      if (!asked(pattern, reference)) continue;
      found = true;
      yield { key, value, name: formatReference(placement.shown(reference)) };
    }
  }
  if (!found && (pattern.path ?? pattern.container) !== undefined)
    for await (const _ of list(services, pattern, call)) return;
}

/** From the images: what was read of a digest once is not asked for again. */
async function* computed(
  services: Services,
  registry: Registry,
  pattern: Pattern,
  filter: LabelFilter,
  call: Call,
): AsyncGenerator<LabelEntry> {
  call.log.info(`labels as the images at ${registry.name} carry them`);
  for await (const entry of list(services, pattern, call)) {
    const described = await describeOne(services, pattern, entry, call);
    for (const [key, value] of Object.entries(described?.metadata.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (wanted(key, value, filter)) yield { key, value, name: entry.name };
    }
  }
}

function wanted(key: string, value: string, filter: LabelFilter): boolean {
  if (filter.key !== undefined && key.toLowerCase() !== filter.key.toLowerCase()) return false;
  return filter.value === undefined || value === filter.value;
}

function asked(pattern: Pattern, { path, selector }: PlacedReference): boolean {
  if (!matches(pattern, path)) return false;
  if (pattern.selector?.kind !== "tag") return pattern.selector === undefined;
  return selector.kind === "tag" && selector.tag === pattern.selector.tag;
}
