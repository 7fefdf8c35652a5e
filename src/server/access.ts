/** Who may read and write what. Handlers ask here with the identity that the guard found. */
import type { RepoPath } from "../reference/reference.ts";
import type { Store } from "../registry/local/index.ts";
import {
  type Collection,
  type CollectionRecords,
  collectionOf,
  openCollections,
  repositoriesByCollection,
} from "./collections.ts";
import { Failure, noRepository } from "./failure.ts";
import { openUsers, type Users } from "./users.ts";

export interface Identity {
  /** Name of a user of the store; undefined for anybody else. */
  readonly user: string | undefined;
  /** May do everything: a token of --token-file, or a server on loopback that has neither users nor tokens. */
  readonly admin: boolean;
  /** Whoever is on the machine, since the server knows neither users nor tokens. */
  readonly everybody?: true;
  /** The Authorization header of a signed request: nobody yet, until the handler has verified it. */
  readonly hmac?: string;
}

export const NOBODY: Identity = { user: undefined, admin: false };
export const ADMIN: Identity = { user: undefined, admin: true };
export const EVERYBODY: Identity = { ...ADMIN, everybody: true };

export interface Access {
  readonly users: Users;
  readonly collections: Collections;
  mayRead(path: RepoPath, identity: Identity): Promise<boolean>;
  /** Every repository that may be read, in the order of the store. */
  readable(identity: Identity): Promise<readonly RepoPath[]>;
  /**
   * @throws Failure 404, as if there were no such repository; with `login` 401 when nobody is logged in, so that OCI
   * clients send what they have.
   */
  requireRead(path: RepoPath, identity: Identity, login?: boolean): Promise<void>;
  /** Makes the collection the user's when it is nobody's. @throws Failure 403 for somebody else's. */
  requireWrite(path: RepoPath, identity: Identity): Promise<void>;
  /** The same for what makes nothing anybody's: a deletion, and a push before anything of it is known to be right. */
  requireChange(path: RepoPath, identity: Identity): Promise<void>;
}

export interface Collections {
  /** Those that the identity may see, by name; the ones without a record too. */
  list(identity: Identity): Promise<readonly Collection[]>;
  /** The record; undefined when there is none. Whether it may be seen is for `maySee`. */
  get(name: string): Promise<Collection | undefined>;
  /**
   * For a user, `exists` where repositories are already: those become a user's by a push alone.
   * @throws Failure 403 in the same words for a name that begins with another user's, and for one that the user may not see.
   */
  create(name: string, owner: string | undefined, hidden: boolean): Promise<"created" | "exists">;
  /** Whether any is private, or, with `owned`, somebody's. */
  anyClosed(owned: boolean): Promise<boolean>;
}

export function createAccess(store: Store): Access {
  const users = openUsers(store.root);
  const records: CollectionRecords = openCollections(store);

  async function mayRead(path: RepoPath, identity: Identity): Promise<boolean> {
    return maySee(await records.get(collectionOf(path)), identity);
  }

  async function owned(path: RepoPath, identity: Identity): Promise<Collection | undefined> {
    const found = await records.get(collectionOf(path));
    if (found === undefined) await requireOwnName(collectionOf(path), identity);
    if (mayChange(found, identity)) return found;
    throw somebodyElses(collectionOf(path));
  }

  /** A name that begins with a user's is that user's, though nothing is there yet. */
  async function requireOwnName(collection: string, { user }: Identity): Promise<void> {
    const [first = ""] = collection.split("/");
    if (user === undefined || user === first || (await users.byName(first)) === undefined) return;
    throw somebodyElses(collection);
  }

  return {
    users,
    collections: {
      list: async (identity) => (await records.list()).filter((one) => maySee(one, identity)),
      get: records.get,
      async create(name, owner, hidden) {
        await requireOwnName(name, { user: owner, admin: owner === undefined });
        // What others pushed there would be the user's at a word, and hidden from them.
        const taken = owner !== undefined && (await repositoriesByCollection(store)).has(name);
        const made = taken ? "exists" : await records.create(name, owner, hidden);
        const identity: Identity = { user: owner, admin: owner === undefined };
        if (made === "exists" && !maySee(await records.get(name), identity)) throw somebodyElses(name);
        return made;
      },
      async anyClosed(owned) {
        return [...(await records.byName()).values()].some((one) => one.private || (owned && one.owner !== undefined));
      },
    },
    mayRead,
    async readable(identity) {
      const known = await records.byName();
      return (await store.repositories()).filter((path) => maySee(known.get(collectionOf(path)), identity));
    },
    async requireRead(path, identity, login = false) {
      if (await mayRead(path, identity)) return;
      if (login && identity.user === undefined) throw unauthorized("this repository asks for a login");
      throw noRepository(path);
    },
    async requireWrite(path, identity) {
      if ((await owned(path, identity)) !== undefined || identity.user === undefined) return;
      // Somebody may have been first between the two looks.
      if ((await records.create(collectionOf(path), identity.user, false)) === "exists") await owned(path, identity);
    },
    async requireChange(path, identity) {
      await owned(path, identity);
    },
  };
}

/** The same for a name that is taken and for one that is kept for a user: a stranger does not learn what is there. */
function somebodyElses(collection: string): Failure {
  return new Failure(403, "DENIED", `the collection ${collection} belongs to somebody else`);
}

/** True as well where there is no record. */
export function maySee(collection: Collection | undefined, identity: Identity): boolean {
  return collection?.private !== true || mayChange(collection, identity);
}

/** A collection that is nobody's is everybody's, unless it is private: then it is for those who may do everything. */
export function mayChange(collection: Collection | undefined, { user, admin }: Identity): boolean {
  if (admin) return true;
  return collection?.owner === undefined ? collection?.private !== true : collection.owner === user;
}

export function unauthorized(message: string): Failure {
  const headers = { "www-authenticate": 'Basic realm="sregistry", charset="UTF-8"' };
  return new Failure(401, "UNAUTHORIZED", message, { headers });
}
