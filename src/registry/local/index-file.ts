/**
 * index.json of one repository: which manifests it has, and under which tags. A manifest has one entry without a name, or
 * one entry a tag (annotation org.opencontainers.image.ref.name), as skopeo and oras write and read it.
 */
import type { BigIntStats } from "node:fs";
import { open } from "node:fs/promises";
import { count, field, type JsonObject, list, object, optional, parseJson, record, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { MEDIA_TYPES } from "../../image/document.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";
import { type LockOptions, withLock } from "../../transfer/lock.ts";
import { ifPresent, makeDirectory, replaceFile } from "./files.ts";
import { LAYOUT_TEXT, type Layout } from "./layout.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
/** "true": the tag stays where it is. */
const FROZEN = "org.sregistry.frozen";

const encoder = new TextEncoder();

export interface Entry {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly tag: Tag | undefined;
  /** The tag may neither be moved nor deleted, by any protocol. */
  readonly frozen: boolean;
}

/** A manifest whatever its names are. */
export type ManifestEntry = Pick<Entry, "mediaType" | "digest" | "size">;

export interface RepositoryIndex {
  readonly entries: readonly Entry[];
  readonly tags: ReadonlyMap<Tag, Entry>;
  readonly manifests: ReadonlyMap<Digest, Entry>;
}

/** What another tool wrote into index.json and this one does not understand is kept as it is. */
interface Contents extends RepositoryIndex {
  readonly members: JsonObject;
  readonly foreign: readonly JsonObject[];
  /** The entry as it was read, by digest: platform, annotations and such. */
  readonly originals: ReadonlyMap<Digest, JsonObject>;
}

export type Edit = (index: RepositoryIndex) => readonly Entry[];

const EMPTY = build([], { schemaVersion: 2, mediaType: MEDIA_TYPES.index }, [], new Map());

/** Remembers an index as long as its file is the same. */
export interface IndexFile {
  /** Undefined when the repository does not exist. @throws SregistryError INTEGRITY for a file that is no index. */
  read(): Promise<RepositoryIndex | undefined>;
  /** Runs `before`, then `edit` on the newest contents, alone among all processes. */
  edit(edit: Edit, options?: EditOptions): Promise<void>;
}

export interface EditOptions extends LockOptions {
  /** Done under the lock before the edit; must bear to be done twice. */
  readonly before?: (index: RepositoryIndex) => Promise<void>;
  /** Done under the lock after the edit is on the disk. */
  readonly after?: (index: RepositoryIndex) => Promise<void>;
}

/** Milliseconds: others' edits take a few each, but hundreds of jobs may come at once. */
const LOCK_TIMEOUT = 60_000;

export function indexFile(layout: Layout): IndexFile {
  let known: { readonly key: string; readonly contents: Contents } | undefined;

  async function read(fresh: boolean): Promise<typeof known> {
    // Opened before it is looked at: opening is what makes an NFS client ask the server.
    const handle = await ifPresent(open(layout.index, "r"));
    if (handle === undefined) return undefined;
    try {
      const key = identity(await handle.stat({ bigint: true }));
      if (fresh || known?.key !== key) known = { key, contents: decode(await handle.readFile("utf8"), layout) };
      return known;
    } finally {
      await handle.close();
    }
  }

  /** False when somebody else changed the file meanwhile: then nothing is changed. */
  async function attempt(change: Edit, { before, after }: EditOptions): Promise<boolean> {
    const found = await read(true);
    const contents = found?.contents ?? EMPTY;
    await before?.(contents);
    const entries = change(contents);
    const next = build(entries, contents.members, contents.foreign, contents.originals);
    if (entries !== contents.entries) {
      // The marker is first: a directory with an index is a layout.
      if (found === undefined) await replaceFile(layout.marker, encoder.encode(LAYOUT_TEXT));
      const ready = async (): Promise<boolean> => (await currentKey(layout)) === found?.key;
      if (!(await replaceFile(layout.index, encoder.encode(encode(next)), { ready }))) return false;
    }
    await after?.(next);
    return true;
  }

  return {
    read: async () => (await read(false))?.contents,
    async edit(change, options = {}) {
      await makeDirectory(layout.directory);
      const work = (): Promise<boolean> => attempt(change, options);
      // A lock is advice: other tools take none, and one may be lost. What came in between is never overwritten.
      while (!(await withLock(layout.lock, work, { timeoutMs: LOCK_TIMEOUT, ...options })));
    },
  };
}

async function currentKey(layout: Layout): Promise<string | undefined> {
  const handle = await ifPresent(open(layout.index, "r"));
  if (handle === undefined) return undefined;
  try {
    return identity(await handle.stat({ bigint: true }));
  } finally {
    await handle.close();
  }
}

function identity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

function encode({ entries, members, foreign, originals }: Contents): string {
  const manifests = entries.map((entry) => encodeEntry(entry, originals.get(entry.digest)));
  return JSON.stringify({ ...members, manifests: [...manifests, ...foreign] });
}

function encodeEntry({ mediaType, digest, size, tag, frozen }: Entry, original: JsonObject | undefined): JsonObject {
  const { [REF_NAME]: before, [FROZEN]: _frozen, ...others } = annotationsOf(original);
  const name = tag ?? (before === undefined || isTag(before) ? undefined : before);
  const annotations = {
    ...others,
    ...(name === undefined ? {} : { [REF_NAME]: name }),
    ...(frozen ? { [FROZEN]: "true" } : {}),
  };
  const { annotations: _old, ...rest } = original ?? {};
  return { ...rest, mediaType, digest, size, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
}

function annotationsOf(entry: JsonObject | undefined): Readonly<Record<string, string>> {
  return entry === undefined ? {} : (field(entry, "annotations", optional(record(string)), "") ?? {});
}

function decode(text: string, layout: Layout): Contents {
  try {
    const { manifests, ...members } = object(parseJson(text, "index"), "index");
    const rows = list(object)(manifests ?? [], "manifests");
    const decoded = rows.map((row) => ({ row, entry: decodeEntry(row) }));
    const entries = decoded.flatMap(({ entry }) => entry ?? []);
    const foreign = decoded.filter(({ entry }) => entry === undefined).map(({ row }) => row);
    const originals = new Map(decoded.flatMap(({ row, entry }) => (entry === undefined ? [] : [[entry.digest, row]])));
    return build(entries, members, foreign, originals);
  } catch (cause) {
    if (!isCode(cause, "REPLY_INVALID")) throw cause;
    throw new SregistryError("INTEGRITY", `${layout.index} is damaged: ${cause.message}`, {
      hint: "sregistry serve --check",
      cause,
    });
  }
}

/** Undefined for a digest of another algorithm. A name that is no tag (skopeo takes any) is kept, but names nothing here. */
function decodeEntry(row: JsonObject): Entry | undefined {
  const digest = field(row, "digest", string, "manifests");
  if (!isDigest(digest)) return undefined;
  const { [REF_NAME]: name, [FROZEN]: frozen } = annotationsOf(row);
  return {
    mediaType: field(row, "mediaType", optional(string), "manifests") ?? MEDIA_TYPES.manifest,
    digest,
    size: field(row, "size", count, "manifests"),
    tag: name !== undefined && isTag(name) ? name : undefined,
    frozen: frozen === "true",
  };
}

function build(
  entries: readonly Entry[],
  members: JsonObject,
  foreign: readonly JsonObject[],
  originals: ReadonlyMap<Digest, JsonObject>,
): Contents {
  const tags = new Map<Tag, Entry>();
  const manifests = new Map<Digest, Entry>();
  for (const entry of entries) {
    if (entry.tag !== undefined) tags.set(entry.tag, entry);
    manifests.set(entry.digest, entry);
  }
  return { entries, tags, manifests, members, foreign, originals };
}
