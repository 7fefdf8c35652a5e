/** Names as Singularity Registry Server has them: one flat space of `collection/name:tag`, and rules of its own. */
import type { Log } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import { isRepoPath, isTag, parseRepoPath, parseTag } from "../../reference/name.ts";
import type {
  LibraryReference,
  PlacedReference,
  RepoPath,
  Selector,
  ShubReference,
  Tag,
} from "../../reference/reference.ts";
import { normalCollection, uriOf } from "../../reference/sregistry.ts";

export interface Container {
  readonly collection: string;
  readonly name: string;
}

export interface ImageName extends Container {
  readonly tag: string;
}

/**
 * As the server stores it. Its lookups do not normalise, and the signature covers this form.
 * @throws SregistryError REFERENCE_INVALID for a name that it cannot store.
 */
export function storedCollection(name: string): string {
  const normal = normalCollection(name);
  if (normal !== "") return normal;
  throw new SregistryError(
    "REFERENCE_INVALID",
    `${JSON.stringify(name)} is no name for a collection: it has no letter or digit`,
  );
}

/** The entity before the collection means nothing here; a name alone is in `library`. */
export function containerAt(path: RepoPath): Container {
  const [name = "", collection = "library"] = path.split("/").reverse();
  return { collection, name };
}

/** What the server cuts out of every name it is asked for (sregistry 2.1, "parse_image_name"). */
const ENDING = /\.(?:sif|simg|img)/i;

/**
 * The name under which an image can be found again: the library protocol stores names as they come and lower-cases what it is
 * asked for. @throws SregistryError REFERENCE_INVALID for a name with an ending that the server cuts out.
 */
export function storedName(path: RepoPath, tag: Tag, log: Log): ImageName {
  const { collection, name } = containerAt(path);
  const stored = { collection: storedCollection(collection), name: name.toLowerCase(), tag: tag.toLowerCase() };
  for (const word of [stored.name, stored.tag]) {
    if (!ENDING.test(word)) continue;
    throw new SregistryError(
      "REFERENCE_INVALID",
      `${JSON.stringify(word)} has an ending that Singularity Registry Server cuts out of names: the image could not be pulled`,
      { hint: `write ${JSON.stringify(word.replace(new RegExp(ENDING, "gi"), ""))}` },
    );
  }
  const given = `${path.split("/").slice(-2).join("/")}:${tag}`;
  const short = path.includes("/") ? uriOf(stored) : `${stored.name}:${stored.tag}`;
  if (short !== given) log.verbose(`the server stores ${given} as ${uriOf(stored)}`);
  return stored;
}

/** The same image in the words of shub://, which is the name without entity. */
export function shubName(reference: PlacedReference, selector: Selector = reference.selector): ShubReference {
  const { collection, name } = containerAt(reference.path);
  return { scheme: "shub", path: parseRepoPath(`${collection}/${name}`, "shub"), selector };
}

/** The reference with the names that the server stores, as far as a push there changes any; else the very same. */
export function asStored(reference: PlacedReference): PlacedReference {
  const { path, selector } = reference;
  const words = path.split("/");
  const at = words.length - 2;
  const stored = words.map((word, index) => (index === at ? storedCollection(word) : word)).join("/");
  const capitals = selector.kind === "tag" && /[A-Z]/.test(selector.tag);
  if (stored === path && !capitals) return reference;
  const named = { ...reference, path: parseRepoPath(stored, reference.scheme) };
  return capitals ? tagged(named, parseTag(selector.tag.toLowerCase())) : named;
}

/** Without the entity, as lists name it. */
export function flat(reference: PlacedReference): PlacedReference {
  const { collection, name } = containerAt(reference.path);
  return { ...reference, path: parseRepoPath(`${collection}/${name}`, reference.scheme) };
}

/** The same container's image of another tag. */
export function tagged(reference: PlacedReference, tag: Tag): PlacedReference {
  const { path } = reference;
  const selector = { kind: "tag", tag } as const;
  if (reference.scheme !== "library") return { ...reference, selector };
  const { scheme, host } = reference;
  return { scheme, ...(host === undefined ? {} : { host }), path, selector };
}

/** Unfinished pushes of the library protocol, until a job at night removes them. */
export function isUnfinished(tag: string): boolean {
  return /^DUMMY-[0-9a-f-]{36}$/i.test(tag);
}

/** As a user would name it; undefined for what no name of library:// can be. */
export function libraryPath({ collection, name }: Container): RepoPath | undefined {
  const path = `${collection}/${name}`;
  return isRepoPath(path, "library") ? path : undefined;
}

export function libraryReference(path: RepoPath, tag: Tag): LibraryReference {
  return { scheme: "library", path, selector: { kind: "tag", tag } };
}

/** `collection/name:tag`; a frozen image is listed by its version. */
export function parseUri(uri: string): LibraryReference | undefined {
  const [, path = "", word = ""] = /^([^:@]+):([^:@/]+)$/.exec(uri) ?? [];
  if (!isRepoPath(path, "library") || !isTag(word) || isUnfinished(word)) return undefined;
  const digest = digestOfVersion(word);
  return digest === undefined
    ? libraryReference(path, word)
    : { scheme: "library", path, selector: { kind: "digest", digest } };
}

/** Undefined for a version that is none of the image's own bytes by sha256. */
export function digestOfVersion(version: string | undefined): Digest | undefined {
  const digest = version?.toLowerCase().replace(/^sha256\./, "sha256:") ?? "";
  return isDigest(digest) ? digest : undefined;
}
