/** `collection/name[:tag][@version]` in a path, and the image of the store that it means. */
import { type Digest, digestHex, isDigest } from "../../reference/digest.ts";
import { isTag, parseTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { findEntry } from "../../registry/local/images.ts";
import type { Store } from "../../registry/local/index.ts";
import type { Entry, RepositoryIndex } from "../../registry/local/index-file.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { collectionOf, containerOf } from "../collections.ts";
import { Failure } from "../failure.ts";
import { imagePath } from "../image-path.ts";
import { contentDigest, type Row } from "./catalogue.ts";
import type { Subject } from "./hmac.ts";

export interface ImageName {
  /** Collection and name as the client wrote them, and so signed them. */
  readonly given: Pick<Subject, "collection" | "name">;
  /** Where that is, or would be, in the store. */
  readonly path: RepoPath;
  readonly tag: Tag | undefined;
  readonly version: string | undefined;
}

export async function parseImageName(store: Store, text: string): Promise<ImageName> {
  const [, given = "", tag, version] = /^([^:@]+)(?::([^:@/]*))?(?:@([^/]*))?$/.exec(text) ?? [];
  if (given === "" || (tag !== undefined && !isTag(tag))) {
    throw new Failure(404, "NAME_UNKNOWN", "Not found.");
  }
  const at = given.lastIndexOf("/");
  return {
    given: { collection: at < 0 ? "library" : given.slice(0, at), name: given.slice(at + 1) },
    path: await imagePath(store, given),
    tag,
    version,
  };
}

/** What a client may have signed: the name it wrote, and the one that the store has. */
export function subjectsOf(
  { given, path }: Pick<ImageName, "given" | "path">,
  tag: string,
): readonly [Subject, Subject] {
  return [
    { ...given, tag },
    { collection: collectionOf(path), name: containerOf(path), tag },
  ];
}

/** By version if there is one, else by tag. Undefined when it is not there. */
export async function findRow(repository: Repository, { path, tag, version }: ImageName): Promise<Row | undefined> {
  const index = await repository.index();
  if (index === undefined) return undefined;
  const wanted = tag ?? LATEST;
  const entry = version === undefined ? entryOfTag(index, wanted) : await entryOfVersion(repository, index, version);
  if (entry === undefined) return undefined;
  const name = entry.digest === index.tags.get(wanted)?.digest ? wanted : (entry.tag ?? wanted);
  return { collection: collectionOf(path), name: containerOf(path), tag: name, entry, repository };
}

const LATEST = parseTag("latest");

/** As it is, else in any case: the Python client knows lower case only. */
function entryOfTag({ tags }: RepositoryIndex, tag: Tag): Entry | undefined {
  return tags.get(tag) ?? [...tags].find(([other]) => other.toLowerCase() === tag)?.[1];
}

/** `sha256.<hex>`, `sha256:<hex>` or the hex alone, of the image or its manifest; or the image's first 40 digits, a commit. */
async function entryOfVersion(
  repository: Repository,
  index: RepositoryIndex,
  version: string,
): Promise<Entry | undefined> {
  const hex = version.toLowerCase().replace(/^sha256[.:]/, "");
  const digest = `sha256:${hex}`;
  if (isDigest(digest)) return await findEntry(repository, index, { selector: { kind: "digest", digest } });
  if (hex.length !== COMMIT_DIGITS) return undefined;
  for (const entry of index.manifests.values()) {
    if (commitOf(await contentDigest(repository, entry)) === hex) return entry;
  }
  return undefined;
}

const COMMIT_DIGITS = 40;

/** Singularity's shub:// looks for a commit: the image's own digest stands in for it. */
export function commitOf(digest: Digest): string {
  return digestHex(digest).slice(0, COMMIT_DIGITS);
}
