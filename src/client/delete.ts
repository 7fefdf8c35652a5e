/** Removal in two steps: what would go (to ask about), and the deed. */
import type { Call } from "../call.ts";
import type { Reference } from "../reference/reference.ts";
import { capability } from "../registry/registry.ts";
import type { Services } from "./services.ts";

/** What `remove` would take away, tags that go with it included. @throws NOT_FOUND when there is nothing. */
export async function planRemoval(services: Services, named: Reference, call: Call): Promise<readonly string[]> {
  const reference = await services.place(named);
  const registry = await services.open(reference);
  return (await capability(registry, "deletable")(reference, call)).deleted;
}

export async function remove(services: Services, named: Reference, call: Call): Promise<readonly string[]> {
  const reference = await services.place(named);
  const registry = await services.open(reference);
  return (await capability(registry, "delete")(reference, call)).deleted;
}
