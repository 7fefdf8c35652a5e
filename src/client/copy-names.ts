/** Where a copy goes, as it is written: a repository, and the tags to set there. */
import { SregistryError } from "../errors.ts";
import { repositoryName } from "../reference/format.ts";
import { parseReference } from "../reference/parse.ts";
import { parsePattern } from "../reference/pattern.ts";
import type { Reference, Tag } from "../reference/reference.ts";

export interface Destination {
  readonly destination: Reference;
  /** The written one and `more`; absent: the source's own. */
  readonly tags?: readonly Tag[];
}

/** @throws SregistryError USAGE for a name by digest, which is the copy's to tell. */
export function parseDestination(text: string, more: readonly Tag[]): Destination {
  const destination = parseReference(text);
  const tags = [...writtenTags(text, destination), ...more];
  return { destination, ...(tags.length === 0 ? {} : { tags }) };
}

/** A side of `copy --all`. @throws SregistryError USAGE for a name with a tag. */
export function parseRepository(text: string): Reference {
  if (parsePattern(text).selector === undefined) return parseReference(text);
  throw new SregistryError("USAGE", `${text} names one image, and --all copies a repository`, {
    hint: "leave the tag out; --tag TAG copies that one alone",
  });
}

function writtenTags(text: string, reference: Reference): readonly Tag[] {
  const { selector } = parsePattern(text);
  if (selector === undefined) return [];
  if (selector.kind === "tag") {
    return reference.scheme === "library" && reference.tags !== undefined ? reference.tags : [selector.tag];
  }
  throw new SregistryError("USAGE", `${text} is named by digest, which is the copy's to tell`, {
    hint: `name a tag: ${repositoryName(reference)}:TAG`,
  });
}
