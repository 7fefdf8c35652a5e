/**
 * The names of library:// and shub:// onto the store's repositories. Singularity Registry Server has one flat space of
 * `collection/name` and ignores the entity before it; repositories of other depths come from OCI clients.
 */
import { isRepoPath, parseRepoPath } from "../reference/name.ts";
import type { RepoPath } from "../reference/reference.ts";
import { normalCollection } from "../reference/sregistry.ts";
import type { Store } from "../registry/local/index.ts";
import { Failure } from "./failure.ts";

/** Where a short name belongs: Sylabs' library knows images without entity and collection. */
const DEFAULT_COLLECTION = "library";

/**
 * The repository that `path` (`entity/collection/container`, `collection/container` or `container`, in any case) names: the
 * first that is there, else the one that a push makes. The flat name goes before the whole one: whose an image is does not
 * hang on the entity, so a repository that is called like an entity, collection and container must not stand in its place.
 * @throws SregistryError REFERENCE_INVALID for what cannot be a name.
 */
export async function imagePath(store: Store, path: string): Promise<RepoPath> {
  const components = path
    .toLowerCase()
    .split("/")
    .filter((component) => component !== "");
  const container = components.pop() ?? "";
  const collection = components.at(-1);
  const normal = normalCollection(collection ?? DEFAULT_COLLECTION);
  if (normal === "") throw new Failure(400, "NAME_INVALID", `${JSON.stringify(collection)} is no collection's name`);
  const made = parseRepoPath(`${normal}/${container}`, "local");
  const whole = [...components, container].join("/");
  const short = collection === undefined || collection === DEFAULT_COLLECTION ? [container] : [];
  for (const candidate of new Set([`${collection ?? DEFAULT_COLLECTION}/${container}`, made, ...short, whole])) {
    if (await exists(store, candidate)) return parseRepoPath(candidate, "local");
  }
  return made;
}

async function exists(store: Store, path: string): Promise<boolean> {
  return isRepoPath(path, "local") && (await store.repository(path).index()) !== undefined;
}
