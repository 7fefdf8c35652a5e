/** Labels across images, computed from what each image says of itself. */
import type { Call } from "../call.ts";
import type { Pattern } from "../reference/pattern.ts";
import { describeOne, list } from "./list.ts";
import type { Services } from "./services.ts";

export interface LabelFilter {
  readonly key?: string;
  readonly value?: string;
}

export interface LabelEntry {
  readonly key: string;
  readonly value: string;
  /** The image that carries it, as `list` names it. */
  readonly name: string;
}

/** Keys are compared without case: `maintainer` finds `Maintainer`. Values are compared as they are. */
export async function* labels(
  services: Services,
  pattern: Pattern,
  filter: LabelFilter,
  call: Call,
): AsyncGenerator<LabelEntry> {
  const wanted = filter.key?.toLowerCase();
  for await (const entry of list(services, pattern, call)) {
    const described = await describeOne(services, pattern, entry, call);
    for (const [key, value] of Object.entries(described?.metadata.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (wanted !== undefined && key.toLowerCase() !== wanted) continue;
      if (filter.value !== undefined && value !== filter.value) continue;
      yield { key, value, name: entry.name };
    }
  }
}
