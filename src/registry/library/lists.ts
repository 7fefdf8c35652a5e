/** What is there: lists where the library has real ones (Hinkskalle, ours), and the tags of a container. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
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

const names: Decoder<readonly string[]> = (value, where) =>
  list((row, at) => field(object(row, at), "name", string, at))(value, where).filter((name) =>
    isRepoPath(name, "library"),
  );

/** @throws SregistryError UNSUPPORTED where the library lists nothing (Sylabs cloud, Singularity Registry Server). */
export async function* repositoriesOf(api: LibraryApi, call: Call): AsyncGenerator<RepoPath> {
  const all = await listed(api, "v1/containers", containers, call);
  if (all !== undefined) {
    yield* pathsOf(all);
    return;
  }
  const entities = await listed(api, "v1/entities", names, call);
  if (entities === undefined) {
    throw new SregistryError("UNSUPPORTED", `${api.name} does not list its containers`, {
      hint: "name one (library://ENTITY/COLLECTION/CONTAINER), or look for it: sregistry search WORD",
    });
  }
  // Hinkskalle lists one level at a time.
  for (const entity of entities) {
    const collections = (await listed(api, `v1/collections/${entity}`, names, call)) ?? [];
    for (const collection of collections) {
      yield* pathsOf((await listed(api, `v1/containers/${entity}/${collection}`, containers, call)) ?? []);
    }
  }
}

function* pathsOf(rows: readonly ListedContainer[]): Generator<RepoPath> {
  for (const { path } of rows) if (isRepoPath(path, "library")) yield path;
}

/** Undefined where there is no such list: Singularity Registry Server 2.1 answers with an object, others 403, 404 or 405. */
async function listed<T>(api: LibraryApi, path: string, decoder: Decoder<T>, call: Call): Promise<T | undefined> {
  try {
    return await api.find(api.url(path), decoder, call);
  } catch (error) {
    if (!isCode(error, "REPLY_INVALID", "UNSUPPORTED", "FORBIDDEN")) throw error;
    return undefined;
  }
}

/** Of all architectures, each once. @throws SregistryError NOT_FOUND for a container that is not there. */
export async function* tagsOf(api: LibraryApi, path: RepoPath, call: Call): AsyncGenerator<Tag> {
  for (const full of fullPaths(path)) {
    const record = await api.find(api.url(`v1/containers/${full}`), containerRecord, call);
    const byArchitecture = Object.values(record?.archTags ?? {}).flatMap((tags) => Object.keys(tags));
    const tags = new Set([...byArchitecture, ...Object.keys(record?.imageTags ?? {})].filter(isFinished));
    // Singularity Registry Server 2.1 answers with the collection where there is no such container.
    if (tags.size === 0) continue;
    yield* [...tags].sort();
    return;
  }
  throw new SregistryError("NOT_FOUND", `${api.name} has no container ${path}, or it is not yours to see`);
}

/** Singularity Registry Server 2.1 lists the rows of unfinished pushes under a tag of its own until night. */
function isFinished(text: string): text is Tag {
  return isTag(text) && !/^DUMMY-[0-9a-f-]{36}$/.test(text);
}

/** What a short name may stand for: the default entity is `default` at Hinkskalle and `library` at Sylabs cloud. */
function fullPaths(path: RepoPath): readonly string[] {
  const components = path.split("/").length;
  if (components > 2) return [path];
  return ["default", "library"].map((entity) => `${entity}/${components === 1 ? "default/" : ""}${path}`);
}
