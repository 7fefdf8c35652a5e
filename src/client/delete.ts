/** Removal in two steps: what would go (to ask about), and the deed. */
import type { Call } from "../call.ts";
import type { Reference } from "../reference/reference.ts";
import { capability } from "../registry/registry.ts";
import type { Services } from "./services.ts";

export interface DeleteOutcome {
  /** Tags and digests that are gone, tags that went with an image included. */
  readonly deleted: readonly string[];
}

/** What `remove` would take away, tags that go with it included. @throws NOT_FOUND when there is nothing. */
export async function planRemoval(services: Services, named: Reference, call: Call): Promise<DeleteOutcome> {
  const reference = await services.place(named);
  const registry = await services.open(reference);
  return capability(registry, "deletable")(reference, call);
}

export async function remove(services: Services, named: Reference, call: Call): Promise<DeleteOutcome> {
  const reference = await services.place(named);
  const registry = await services.open(reference);
  return capability(registry, "delete")(reference, call);
}
