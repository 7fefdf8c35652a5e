/** Collections made by themselves, where an endpoint knows them apart from the images in them. */
import type { Call } from "../call.ts";
import type { Pattern } from "../reference/pattern.ts";
import { type CollectionInfo, capability } from "../registry/registry.ts";
import type { Services } from "./services.ts";

export interface CollectionInput {
  readonly name: string;
  readonly private: boolean;
  /** An endpoint as `list` takes it; `{}` is the default registry. */
  readonly where: Pattern;
}

/** @throws SregistryError CONFLICT when there is one of this name already, whoever it belongs to. */
export async function createCollection(
  services: Services,
  { name, private: isPrivate, where }: CollectionInput,
  call: Call,
): Promise<CollectionInfo> {
  const registry = await services.openFor(where);
  return capability(registry, "createCollection")(name, { private: isPrivate }, call);
}
