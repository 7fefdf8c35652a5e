/** More tags for an image that is at its endpoint already: no bytes of the image move. */
import type { Call } from "../call.ts";
import { formatReference } from "../reference/format.ts";
import { parseTag } from "../reference/name.ts";
import type { Reference, Tag } from "../reference/reference.ts";
import { capability } from "../registry/registry.ts";
import { withTag } from "./placement.ts";
import type { Services } from "./services.ts";

export interface TagOutcome {
  readonly references: readonly string[];
}

export async function tag(
  services: Services,
  source: Reference,
  names: readonly Tag[],
  call: Call,
): Promise<TagOutcome> {
  const reference = await services.place(source);
  const registry = await services.open(reference);
  const setTags = capability(registry, "tag");
  const image = await registry.resolve(reference, {}, call);
  await setTags(image, names, call);
  return { references: names.map((name) => formatReference(withTag(reference, name))) };
}

/** `NEW` of `tag REF NEW...`: a tag, with or without a leading colon. */
export function parseNewTag(text: string): Tag {
  return parseTag(text.startsWith(":") ? text.slice(1) : text);
}
