/** What is there: lists where the library has real ones (Hinkskalle, ours), and the tags of a container. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { isRepoPath, isTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import type { LibraryApi } from "./api.ts";
import { containerRecord } from "./records.ts";

interface ListedContainer {
  readonly path: string;
}

const containers: Decoder<readonly ListedContainer[]> = list((value, where) => {
  const json = object(value, where);
  const part = (name: string): string => field(json, name, optional(string), where) ?? "";
  // Short names are the default entity's: `default` at Hinkskalle, `library` at Sylabs cloud and ours.
  const entity = /^(?:default|library)$/.test(part("entityName")) ? "" : part("entityName");
  return { path: [entity, part("collectionName"), part("name")].filter((word) => word !== "").join("/") };
});

/** @throws SregistryError UNSUPPORTED where the library lists nothing (Sylabs cloud, Singularity Registry Server). */
export async function* repositoriesOf(api: LibraryApi, call: Call): AsyncGenerator<RepoPath> {
  const unsupported = new SregistryError("UNSUPPORTED", `${api.name} does not list its containers`, {
    hint: "name one (library://ENTITY/COLLECTION/CONTAINER), or look for it: sregistry search WORD",
  });
  let found: readonly ListedContainer[] | undefined;
  try {
    found = await api.find(api.url("v1/containers"), containers, call);
  } catch (error) {
    // Singularity Registry Server 2.1 answers `{}`.
    if (!(error instanceof SregistryError) || !["REPLY_INVALID", "UNSUPPORTED", "FORBIDDEN"].includes(error.code))
      throw error;
  }
  if (found === undefined) throw unsupported;
  for (const { path } of found) if (isRepoPath(path, "library")) yield path;
}

/** Of all architectures, each once. @throws SregistryError NOT_FOUND for a container that is not there. */
export async function* tagsOf(api: LibraryApi, path: RepoPath, call: Call): AsyncGenerator<Tag> {
  const full = path.split("/").length < 3 ? `default/${path}` : path;
  const record = await api.find(api.url(`v1/containers/${full}`), containerRecord, call);
  const byArchitecture = Object.values(record?.archTags ?? {}).flatMap((tags) => Object.keys(tags));
  const tags = new Set([...byArchitecture, ...Object.keys(record?.imageTags ?? {})].filter(isTag));
  // Singularity Registry Server 2.1 answers with the collection where there is no such container.
  if (record === undefined || tags.size === 0) {
    throw new SregistryError("NOT_FOUND", `${api.name} has no container ${path}, or it is not yours to see`);
  }
  yield* [...tags].sort();
}
