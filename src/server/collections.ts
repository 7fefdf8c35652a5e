/** Whose a collection is and who may see it: `<store>/.sregistry/collections.json`. What has no record is public and nobody's. */
import { type Decoder, field, object, optional, string } from "../decode.ts";
import type { RepoPath } from "../reference/reference.ts";
import type { Store } from "../registry/local/index.ts";
import type { Repository } from "../registry/local/repository.ts";
import { numericId } from "./ids.ts";
import { recordFile, stateFile } from "./record-file.ts";

export interface Collection {
  readonly name: string;
  /** Name of the user; undefined: nobody's. */
  readonly owner: string | undefined;
  readonly private: boolean;
  /** RFC 3339; undefined without a record. */
  readonly created: string | undefined;
  readonly id: number;
}

/** The records alone; who may see them is decided by `Access`. */
export interface CollectionRecords {
  get(name: string): Promise<Collection | undefined>;
  /** Without those that repositories alone make. */
  byName(): Promise<ReadonlyMap<string, Collection>>;
  /** Records, and the collections that repositories are in, by name. */
  list(): Promise<readonly Collection[]>;
  /** One writer at a time: of two that make the same name, one is told `exists`. */
  create(name: string, owner: string | undefined, hidden: boolean): Promise<"created" | "exists">;
}

/** `a/b` for `a/b/c`; `library` for a name of one component. */
export function collectionOf(path: RepoPath): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "library" : path.slice(0, slash);
}

/** What stands behind the collection's name: `c` of `a/b/c`. */
export function containerOf(path: RepoPath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function openCollections(store: Store): CollectionRecords {
  const file = recordFile(
    stateFile(store.root, "collections.json"),
    collection,
    ({ name, owner, private: hidden, created }) => ({ name, owner, private: hidden, created }),
  );
  const byName = async (): Promise<Map<string, Collection>> =>
    new Map((await file.read()).map((one) => [one.name, one]));
  return {
    get: async (name) => (await file.read()).find((one) => one.name === name),
    byName,
    async list() {
      const all = await byName();
      for (const name of (await repositoriesByCollection(store)).keys()) {
        if (!all.has(name)) all.set(name, nobodys(name));
      }
      return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async create(name, owner, hidden) {
      let made: "created" | "exists" = "exists";
      const created = new Date().toISOString();
      await file.edit((collections) => {
        if (collections.some((one) => one.name === name)) return collections;
        made = "created";
        return [...collections, { name, owner, private: hidden, created, id: numericId(name) }];
      });
      return made;
    },
  };
}

/** What is in them; collections without a repository are not there. */
export async function repositoriesByCollection(store: Store): Promise<ReadonlyMap<string, readonly Repository[]>> {
  const collections = new Map<string, Repository[]>();
  for (const path of await store.repositories()) {
    const own = collections.get(collectionOf(path)) ?? [];
    own.push(store.repository(path));
    collections.set(collectionOf(path), own);
  }
  return collections;
}

export function nobodys(name: string): Collection {
  return { name, owner: undefined, private: false, created: undefined, id: numericId(name) };
}

const collection: Decoder<Collection> = (value, where) => {
  const json = object(value, where);
  const name = field(json, "name", string, where);
  return {
    name,
    id: numericId(name),
    owner: field(json, "owner", optional(string), where),
    // Anything but a plain `false` hides: a slip in a file edited by hand must not publish.
    private: json["private"] !== false,
    created: field(json, "created", optional(string), where),
  };
};
