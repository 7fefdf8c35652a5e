/** One repository of the store: blobs, manifests, tags and referrers. No protocol is known here. */

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { JsonObject } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { type Document, decodeDocument } from "../../image/document.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestOf, isDigest } from "../../reference/digest.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { syncDirectory } from "../../transfer/disk.ts";
import { documentsOf, namedBy, neededBy } from "./documents.ts";
import { freezeTag, putEntry, removeManifest, removeTag } from "./edits.ts";
import { fileStat, linkOrCopy, makeDirectory, onDisk, removeFile, temporaryBeside, writeSynced } from "./files.ts";
import { frozenError, requireThawed } from "./frozen.ts";
import { type Entry, indexFile, type RepositoryIndex } from "./index-file.ts";
import type { Layout } from "./layout.ts";
import { readReferrers, referrerOf, removeReferrer, writeReferrer } from "./referrers.ts";
import { Upload } from "./upload.ts";

export interface ManifestInput {
  readonly bytes: Uint8Array;
  /** Undefined: what the document says of itself. */
  readonly contentType: string | undefined;
  /** What the bytes must hash to; undefined: whatever their sha256 is. */
  readonly digest?: Digest | undefined;
  readonly tags: readonly Tag[];
}

export type PutManifest =
  | { readonly kind: "stored"; readonly digest: Digest; readonly subject: Digest | undefined }
  /** Nothing was changed: these blobs have to come first. */
  | { readonly kind: "missing"; readonly blobs: readonly Digest[] };

export interface StoredManifest extends Entry {
  readonly bytes: Uint8Array;
}

export interface Repository {
  readonly path: RepoPath;
  readonly layout: Layout;
  /** Undefined when nothing was ever pushed here. */
  index(): Promise<RepositoryIndex | undefined>;
  /** Size in bytes; undefined when it is not here. */
  blobSize(digest: Digest): Promise<number | undefined>;
  /** Bytes `start` up to but without `end`. */
  readBlob(digest: Digest, start: number, end: number): Readable;
  /** Makes another repository's blob one of this. False when it is not there. */
  mount(digest: Digest, from: Repository): Promise<boolean>;
  /** `referenced` when a manifest here needs it: then it stays. */
  deleteBlob(digest: Digest): Promise<"deleted" | "absent" | "referenced">;
  /** `owned`: nobody else can go on with it once this process is gone. */
  createUpload(algorithm: DigestAlgorithm, owned: boolean): Promise<Upload>;
  upload(id: string): Promise<Upload | undefined>;
  /**
   * @throws SregistryError INTEGRITY for another digest, REPLY_INVALID for bytes that are no manifest, CONFLICT for a
   * frozen tag of another manifest.
   */
  putManifest(input: ManifestInput): Promise<PutManifest>;
  manifest(name: Tag | Digest): Promise<StoredManifest | undefined>;
  /** Decoded; undefined when its blob is missing or damaged. */
  document(entry: Pick<Entry, "digest" | "mediaType">): Promise<Document | undefined>;
  /** More names for a manifest. @throws SregistryError NOT_FOUND when it is not here, CONFLICT for a frozen tag. */
  tag(digest: Digest, tags: readonly Tag[]): Promise<void>;
  /** From now on the tag can neither be moved nor deleted; `on` false lets it go. @throws SregistryError NOT_FOUND. */
  freeze(tag: Tag, on: boolean): Promise<void>;
  /** False when there is no such tag. @throws SregistryError CONFLICT for a frozen one. */
  deleteTag(tag: Tag): Promise<boolean>;
  /**
   * With its tags. `unused`: and the blobs that no other manifest here needs. False when it is not there.
   * @throws SregistryError CONFLICT when a frozen tag needs it.
   */
  deleteManifest(digest: Digest, options?: { readonly unused?: boolean }): Promise<boolean>;
  /** Takes a manifest off the index alone, when `broken` says so under the lock. */
  forget(digest: Digest, broken: () => Promise<boolean>): Promise<void>;
  /** Removes the unused ones of these blobs, and gives back which. */
  collect(candidates: readonly Digest[]): Promise<readonly Digest[]>;
  referrers(subject: Digest): Promise<readonly JsonObject[]>;
  /** Digests that some manifest here names, the manifests' own among them. */
  referenced(index: RepositoryIndex): Promise<ReadonlySet<Digest>>;
}

const BLOB_MODE = 0o444;

export function repositoryOf(layout: Layout, uploads: Map<string, Upload>): Repository {
  const file = indexFile(layout);
  const documents = documentsOf(layout);

  async function writeBlob(bytes: Uint8Array, digest: Digest): Promise<void> {
    const path = layout.blob(digest);
    if ((await documents.bytes(digest)) !== undefined) return;
    await makeDirectory(dirname(path));
    const temporary = temporaryBeside(path);
    await writeSynced(temporary, bytes);
    await chmod(temporary, BLOB_MODE);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  }

  async function missing(document: Document): Promise<readonly Digest[]> {
    const absent: Digest[] = [];
    for (const { digest } of neededBy(document)) {
      if ((await fileStat(layout.blob(digest))) === undefined) absent.push(digest);
    }
    return absent;
  }

  async function referenced(index: RepositoryIndex): Promise<ReadonlySet<Digest>> {
    const digests = new Set<Digest>();
    for (const entry of index.manifests.values()) {
      digests.add(entry.digest);
      const document = await documents.read(entry);
      if (document !== undefined) for (const digest of namedBy(document)) digests.add(digest);
    }
    return digests;
  }

  async function removeUnused(candidates: readonly Digest[], index: RepositoryIndex): Promise<readonly Digest[]> {
    const used = await referenced(index);
    const unused = candidates.filter((digest) => !used.has(digest));
    for (const digest of unused) await removeFile(layout.blob(digest));
    return unused;
  }

  async function putManifest({ bytes, contentType, digest: expected, tags }: ManifestInput): Promise<PutManifest> {
    const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
    if (expected !== undefined && digest !== expected) {
      throw new SregistryError("INTEGRITY", `the manifest's digest is ${digest}, not ${expected}`);
    }
    const document = decodeDocument(bytes, contentType);
    const entry = { digest, mediaType: document.mediaType, size: bytes.length };
    const subject = document.subject?.digest;
    let absent: readonly Digest[] = [];
    const before = async (index: RepositoryIndex): Promise<void> => {
      requireThawed(layout.path, index, tags, digest);
      // Under the lock, since whoever deletes blobs looks under it at what is needed.
      absent = await missing(document);
      if (absent.length > 0) return;
      await writeBlob(bytes, digest);
      if (subject !== undefined) await writeReferrer(layout, subject, referrerOf(entry, document));
    };
    const put = putEntry(entry, tags);
    await onDisk(`cannot write to ${layout.directory}`, () =>
      file.edit((index) => (absent.length > 0 ? index.entries : put(index)), { before }),
    );
    return absent.length > 0 ? { kind: "missing", blobs: absent } : { kind: "stored", digest, subject };
  }

  async function deleteManifest(digest: Digest, { unused = false } = {}): Promise<boolean> {
    const entry = (await file.read())?.manifests.get(digest);
    if (entry === undefined) return false;
    // One that cannot be read goes too; what it pointed at is then left to a check.
    const document = await readable(entry);
    const after = async (index: RepositoryIndex): Promise<void> => {
      const subject = document?.subject?.digest;
      if (subject !== undefined) await removeReferrer(layout, subject, digest);
      const own = document === undefined || !unused ? [] : namedBy(document);
      await removeUnused([digest, ...own.filter((blob) => !index.manifests.has(blob))], index);
    };
    const before = (index: RepositoryIndex): Promise<void> => requireUnfrozen(digest, index);
    await onDisk(`cannot delete in ${layout.directory}`, () => file.edit(removeManifest(digest), { before, after }));
    return true;
  }

  async function readable(entry: Entry): Promise<Document | undefined> {
    return await documents.read(entry).catch((error: unknown) => {
      if (isCode(error, "REPLY_INVALID")) return undefined;
      throw error;
    });
  }

  /** A frozen tag keeps its manifest, and of an index the manifests in it. */
  async function requireUnfrozen(digest: Digest, { entries }: RepositoryIndex): Promise<void> {
    for (const entry of entries) {
      if (!entry.frozen || entry.tag === undefined) continue;
      const document = await readable(entry);
      if (entry.digest === digest || (document !== undefined && namedBy(document).includes(digest))) {
        throw frozenError(layout.path, entry.tag);
      }
    }
  }

  return {
    path: layout.path,
    layout,
    index: () => onDisk(`cannot read ${layout.index}`, file.read),
    blobSize: async (digest) => (await fileStat(layout.blob(digest)))?.size,
    readBlob: (digest, start, end) => readRange(layout.blob(digest), start, end),
    async mount(digest, from) {
      if ((await from.blobSize(digest)) === undefined) return false;
      const to = layout.blob(digest);
      await onDisk(`cannot write to ${layout.directory}`, async () => {
        await makeDirectory(dirname(to));
        await linkOrCopy(from.layout.blob(digest), to);
      });
      return true;
    },
    async deleteBlob(digest) {
      if ((await fileStat(layout.blob(digest))) === undefined) return "absent";
      let outcome: "deleted" | "referenced" = "deleted";
      const before = async (index: RepositoryIndex): Promise<void> => {
        if ((await referenced(index)).has(digest)) outcome = "referenced";
        else await removeFile(layout.blob(digest));
      };
      await onDisk(`cannot delete in ${layout.directory}`, () => file.edit(({ entries }) => entries, { before }));
      return outcome;
    },
    async createUpload(algorithm, owned) {
      const upload = await Upload.create(layout, randomUUID(), algorithm, owned);
      uploads.set(join(layout.uploads, upload.id), upload);
      return upload;
    },
    async upload(id) {
      const key = join(layout.uploads, id);
      const known = uploads.get(key) ?? (await Upload.find(layout, id));
      if (known !== undefined) uploads.set(key, known);
      return known;
    },
    putManifest,
    async manifest(name) {
      const index = await file.read();
      const entry = index === undefined ? undefined : entryOf(index, name);
      const bytes = entry === undefined ? undefined : await documents.bytes(entry.digest);
      return entry === undefined || bytes === undefined ? undefined : { ...entry, bytes };
    },
    document: documents.read,
    async tag(digest, tags) {
      await onDisk(`cannot write to ${layout.directory}`, () =>
        file.edit((index) => {
          const entry = index.manifests.get(digest);
          requireThawed(layout.path, index, tags, digest);
          if (entry !== undefined) return putEntry(entry, tags)(index);
          throw new SregistryError("NOT_FOUND", `${layout.path} has no manifest ${digest}`);
        }),
      );
    },
    async deleteTag(tag) {
      if ((await file.read())?.tags.has(tag) !== true) return false;
      const remove = removeTag(tag);
      await onDisk(`cannot write to ${layout.directory}`, () =>
        file.edit((index) => {
          requireThawed(layout.path, index, [tag], undefined);
          return remove(index);
        }),
      );
      return true;
    },
    async freeze(tag, on) {
      if ((await file.read())?.tags.has(tag) !== true) {
        throw new SregistryError("NOT_FOUND", `${layout.path} has no tag ${tag}`, {
          hint: `sregistry list local://${layout.path}`,
          missing: { kind: "image", name: `local://${layout.path}:${tag}` },
        });
      }
      await onDisk(`cannot write to ${layout.directory}`, () => file.edit(freezeTag(tag, on)));
    },
    deleteManifest,
    async forget(digest, broken) {
      let gone = false;
      const before = async (): Promise<void> => {
        gone = await broken();
      };
      const remove = removeManifest(digest);
      await onDisk(`cannot write to ${layout.directory}`, () =>
        file.edit((index) => (gone ? remove(index) : index.entries), { before }),
      );
    },
    async collect(candidates) {
      let removed: readonly Digest[] = [];
      const before = async (index: RepositoryIndex): Promise<void> => {
        removed = await removeUnused(candidates, index);
      };
      await onDisk(`cannot delete in ${layout.directory}`, () => file.edit(({ entries }) => entries, { before }));
      return removed;
    },
    referrers: async (subject) => readReferrers(layout, subject, (await file.read())?.manifests ?? new Map()),
    referenced,
  };
}

function entryOf(index: RepositoryIndex, name: Tag | Digest): Entry | undefined {
  return isDigest(name) ? index.manifests.get(name) : index.tags.get(name);
}

const READ_SIZE = 256 * 1024;

/** A blob never changes, so a stream opened late reads the same bytes. */
function readRange(path: string, start: number, end: number): Readable {
  if (start >= end) return Readable.from([]);
  return createReadStream(path, { start, end: end - 1, highWaterMark: READ_SIZE });
}
