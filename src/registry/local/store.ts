/** The embedded registry on a disk: repositories below one directory, each an OCI image layout. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../reference/digest.ts";
import { isRepoPath } from "../../reference/name.ts";
import type { RepoPath } from "../../reference/reference.ts";
import { ifPresent, makeDirectory, onDisk } from "./files.ts";
import { INDEX_FILE, isMember, layoutOf } from "./layout.ts";
import { type Repository, repositoryOf } from "./repository.ts";
import type { Upload } from "./upload.ts";

export interface Store {
  readonly root: string;
  /** Makes the root, for its owner alone, when it is not there. */
  prepare(): Promise<void>;
  /** @throws SregistryError REFERENCE_INVALID for a name that a repository cannot have. Touches no disk. */
  repository(path: string): Repository;
  /** Paths with an index, in the order of their characters' codes. */
  repositories(): Promise<readonly RepoPath[]>;
  /** Every directory that holds something of a layout, an unfinished one too. */
  directories(): Promise<readonly RepoPath[]>;
  /** Some repository that has the blob, of those that `among` takes. */
  holder(digest: Digest, among?: (path: RepoPath) => Promise<boolean>): Promise<Repository | undefined>;
}

/** Unfinished uploads whose running hash is kept; others are hashed again from the disk. */
const REMEMBERED_UPLOADS = 1000;
const REMEMBERED_REPOSITORIES = 1000;

export function openStore(root: string): Store {
  const known = new Map<string, Repository>();
  const uploads = new Map<string, Upload>();

  function repository(path: string): Repository {
    forgetOldest(uploads, REMEMBERED_UPLOADS);
    const before = known.get(path);
    if (before !== undefined) return before;
    const made = repositoryOf(layoutOf(root, path), uploads);
    forgetOldest(known, REMEMBERED_REPOSITORIES);
    known.set(path, made);
    return made;
  }

  async function* walk(below: string): AsyncGenerator<{ readonly path: RepoPath; readonly indexed: boolean }> {
    const entries = (await ifPresent(readdir(join(root, below), { withFileTypes: true }))) ?? [];
    const members = entries.filter(({ name }) => isMember(name)).map(({ name }) => name);
    if (members.length > 0 && isRepoPath(below, "local")) yield { path: below, indexed: members.includes(INDEX_FILE) };
    for (const entry of entries) {
      if (entry.isDirectory() && !isMember(entry.name))
        yield* walk(below === "" ? entry.name : `${below}/${entry.name}`);
    }
  }

  async function paths(every: boolean): Promise<readonly RepoPath[]> {
    return await onDisk(`cannot read ${root}`, async () => {
      const found: RepoPath[] = [];
      for await (const { path, indexed } of walk("")) if (every || indexed) found.push(path);
      return found.sort();
    });
  }

  return {
    root,
    prepare: () => onDisk(`cannot make ${root}`, () => makeDirectory(root, 0o700)),
    repository,
    repositories: () => paths(false),
    directories: () => paths(true),
    async holder(digest, among) {
      for (const path of await paths(true)) {
        const candidate = repository(path);
        if ((await candidate.blobSize(digest)) !== undefined && (await among?.(path)) !== false) return candidate;
      }
      return undefined;
    },
  };
}

/** Insertion order is age, near enough. */
function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size < most) return;
    map.delete(key);
  }
}
