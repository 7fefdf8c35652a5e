/**
 * Where things are: one OCI image layout (image-spec image-layout.md) per repository, so that skopeo, oras, crane and zot
 * can read it. What is ours besides is hidden: readers of layouts pass hidden entries over.
 */
import { join } from "node:path";
import { SregistryError } from "../../errors.ts";
import { type Digest, digestAlgorithm, digestHex } from "../../reference/digest.ts";
import { parseRepoPath } from "../../reference/name.ts";
import type { RepoPath } from "../../reference/reference.ts";

export const LAYOUT_FILE = "oci-layout";
export const INDEX_FILE = "index.json";
export const BLOBS = "blobs";
export const LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}';

const MEMBERS: readonly string[] = [LAYOUT_FILE, INDEX_FILE, BLOBS];

export interface Layout {
  readonly path: RepoPath;
  readonly directory: string;
  readonly marker: string;
  readonly index: string;
  /** Guards index.json. */
  readonly lock: string;
  readonly blobs: string;
  /** A directory for each upload that is not committed. */
  readonly uploads: string;
  /** `<subject>/<referrer>`: what points at a manifest, without reading every manifest. */
  readonly referrers: string;
  /** What a repair took out of the way. */
  readonly damaged: string;
  blob(digest: Digest): string;
}

/** @throws SregistryError REFERENCE_INVALID for a path that is no OCI name, or that would collide with a layout. */
export function layoutOf(root: string, name: string): Layout {
  const path = parseRepoPath(name, "local");
  const components = path.split("/");
  const taken = components.find(isMember);
  if (taken !== undefined) {
    throw new SregistryError(
      "REFERENCE_INVALID",
      `path component "${taken}" of "${path}" is a file of the store itself`,
      {
        hint: `a name without the component ${taken}`,
      },
    );
  }
  const directory = join(root, ...components);
  const blobs = join(directory, BLOBS);
  return {
    path,
    directory,
    marker: join(directory, LAYOUT_FILE),
    index: join(directory, INDEX_FILE),
    lock: join(directory, ".lock"),
    blobs,
    uploads: join(directory, ".uploads"),
    referrers: join(directory, ".referrers"),
    damaged: join(directory, ".damaged"),
    blob: (digest) => join(blobs, digestAlgorithm(digest), digestHex(digest)),
  };
}

/** True for a directory entry that belongs to a layout, and so is no component of a repository's path. */
export function isMember(name: string): boolean {
  return name.startsWith(".") || MEMBERS.includes(name);
}

/** A digest as one file name. */
export function digestName(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}
