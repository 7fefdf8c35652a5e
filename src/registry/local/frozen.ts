/** Tags that stay where they are, whoever asks. */
import { SregistryError } from "../../errors.ts";
import type { Digest } from "../../reference/digest.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import type { RepositoryIndex } from "./index-file.ts";

/** `digest`: what the tags are to name; undefined: nothing any more. @throws SregistryError CONFLICT for a frozen one. */
export function requireThawed(
  path: RepoPath,
  { tags }: RepositoryIndex,
  wanted: readonly Tag[],
  digest: Digest | undefined,
): void {
  const frozen = wanted.find((tag) => tags.get(tag)?.frozen === true && tags.get(tag)?.digest !== digest);
  if (frozen !== undefined) throw frozenError(path, frozen, digest === undefined ? "" : "push under another tag; ");
}

/** `instead`: what else would do. A tag that was to be deleted has no other way. */
export function frozenError(path: RepoPath, tag: Tag, instead = ""): SregistryError {
  return new SregistryError("CONFLICT", `${path}:${tag} is frozen`, {
    hint: `${instead}on the registry's machine: sregistry serve unfreeze ${path}:${tag}`,
  });
}
