/** One repository against itself: index, manifests, what they need, what refers to them, what nobody needs. */
import { readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isCode } from "../../errors.ts";
import { type Document, decodeDocument, LARGEST_DOCUMENT } from "../../image/document.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import { namedBy, neededBy } from "./documents.ts";
import { fileStat, ifPresent, linkOrCopy, makeDirectory, names, removeFile, replaceFile } from "./files.ts";
import type { Finding } from "./findings.ts";
import type { BlobHealth, Health } from "./health.ts";
import type { Entry, RepositoryIndex } from "./index-file.ts";
import { digestName, INDEX_FILE, LAYOUT_FILE, LAYOUT_TEXT, type Layout } from "./layout.ts";
import { referrerOf, writeReferrer } from "./referrers.ts";
import type { Repository } from "./repository.ts";

/** What is repaired before the next finding is asked for is not found again in another shape. */
export async function* examineLayout(
  repository: Repository,
  health: Health,
  minimumAge: number,
): AsyncGenerator<Finding> {
  const { layout } = repository;
  const bad = new Set(health.of(layout).flatMap(({ good, digest }) => (good ? [] : [digest])));
  for (const blob of health.of(layout)) if (!blob.good) yield damagedBlob(layout, blob, health, bad);
  const index = yield* readIndex(repository, health);
  if (index === undefined) return;
  const documents = new Map<Entry, Document>();
  let understood = true;
  for (const entry of index.manifests.values()) {
    const state = await examineManifest(layout, entry, bad);
    if (state.kind === "whole") documents.set(entry, state.document);
    else understood = false;
    if (state.kind === "broken") yield brokenImage(repository, index, entry, state.missing, health, bad);
  }
  yield* referrers(layout, index, documents, Math.min(minimumAge, RESTS));
  // A manifest that is not understood, or not whole, may need any blob.
  if (understood) yield* unusedBlobs(repository, health, documents, minimumAge);
}

/** Milliseconds: a push is between two of its steps for less. */
const RESTS = 10 * 60_000;

function damagedBlob(layout: Layout, blob: BlobHealth, health: Health, bad: Set<Digest>): Finding {
  return {
    kind: "damaged",
    repository: layout.path,
    message: `blob ${blob.digest} is damaged: its ${blob.size} bytes have another digest`,
    async repair() {
      const now = await fileStat(blob.path);
      bad.delete(blob.digest);
      if (now === undefined || `${now.dev}:${now.ino}` !== blob.identity) return "replaced meanwhile";
      const aside = join(layout.damaged, digestName(blob.digest));
      await makeDirectory(layout.damaged);
      await rename(blob.path, aside);
      const copy = health.goodCopy(blob.digest);
      if (copy === undefined) return `set aside as ${aside}`;
      await linkOrCopy(copy, blob.path);
      return `set aside as ${aside}, and put back from another repository`;
    },
  };
}

/** Undefined when it cannot be read and was not repaired. */
async function* readIndex(
  repository: Repository,
  health: Health,
): AsyncGenerator<Finding, RepositoryIndex | undefined> {
  const { layout } = repository;
  const found = await readable(repository);
  const marked = (await fileStat(layout.marker)) !== undefined;
  if (found !== undefined && found !== DAMAGED) {
    if (!marked) yield missingMarker(layout);
    return found;
  }
  // Without a marker nothing was ever entered: there are blobs of a first push, which may still go on.
  if (found === undefined && !marked) return NOTHING;
  const words = found === DAMAGED ? "cannot be read" : "is missing";
  yield {
    kind: "layout",
    repository: layout.path,
    message: `${INDEX_FILE} ${words}`,
    repair: () => rebuildIndex(repository, health),
  };
  const after = await readable(repository);
  return after === DAMAGED ? undefined : after;
}

const DAMAGED = Symbol("damaged");
const NOTHING: RepositoryIndex = { entries: [], tags: new Map(), manifests: new Map() };

async function readable(repository: Repository): Promise<RepositoryIndex | undefined | typeof DAMAGED> {
  try {
    return await repository.index();
  } catch (error) {
    if (isCode(error, "INTEGRITY")) return DAMAGED;
    throw error;
  }
}

/** Enters every manifest there is. Which tag was whose stood in the index alone. */
async function rebuildIndex(repository: Repository, health: Health): Promise<string> {
  const { layout } = repository;
  const aside = join(layout.damaged, `${INDEX_FILE}-${Date.now()}`);
  await makeDirectory(layout.damaged);
  const kept = (await ifPresent(rename(layout.index, aside).then(() => true))) === true;
  let entered = 0;
  for (const blob of health.of(layout)) {
    const bytes = blob.good && blob.size <= LARGEST_DOCUMENT ? await ifPresent(readFile(blob.path)) : undefined;
    if (bytes === undefined || decoded(bytes) === undefined) continue;
    const put = await repository.putManifest({ bytes, contentType: undefined, digest: blob.digest, tags: [] });
    if (put.kind === "stored") entered += 1;
  }
  const where = kept ? `; the old one is ${aside}` : "";
  return `made again with ${entered} manifests by digest, their tags are lost${where}`;
}

function decoded(bytes: Uint8Array, mediaType?: string): Document | undefined {
  try {
    return decodeDocument(bytes, mediaType);
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

function missingMarker(layout: Layout): Finding {
  return {
    kind: "layout",
    repository: layout.path,
    message: `${LAYOUT_FILE} is missing, so that other tools do not see a layout`,
    async repair() {
      await replaceFile(layout.marker, new TextEncoder().encode(LAYOUT_TEXT));
      return "written";
    },
  };
}

type ManifestState =
  | { readonly kind: "whole"; readonly document: Document }
  /** Of a kind that another tool wrote and this one does not read. */
  | { readonly kind: "foreign" }
  | { readonly kind: "broken"; readonly missing: readonly Digest[] };

async function examineManifest(
  layout: Layout,
  { digest, mediaType }: Entry,
  bad: ReadonlySet<Digest>,
): Promise<ManifestState> {
  const lacks = async (blob: Digest): Promise<boolean> =>
    bad.has(blob) || (await fileStat(layout.blob(blob))) === undefined;
  if (await lacks(digest)) return { kind: "broken", missing: [digest] };
  const bytes = await ifPresent(readFile(layout.blob(digest)));
  const document = bytes === undefined ? undefined : decoded(bytes, mediaType);
  if (document === undefined) return { kind: "foreign" };
  const missing: Digest[] = [];
  for (const needed of neededBy(document)) if (await lacks(needed.digest)) missing.push(needed.digest);
  return missing.length === 0 ? { kind: "whole", document } : { kind: "broken", missing };
}

function brokenImage(
  repository: Repository,
  index: RepositoryIndex,
  entry: Entry,
  missing: readonly Digest[],
  health: Health,
  bad: ReadonlySet<Digest>,
): Finding {
  const { layout } = repository;
  const tags = index.entries.flatMap(({ digest, tag }) => (digest === entry.digest && tag !== undefined ? [tag] : []));
  const names = tags.length === 0 ? "" : ` (${tags.join(", ")})`;
  return {
    kind: "missing",
    repository: layout.path,
    message: `image ${entry.digest}${names} lacks ${missing.join(", ")}`,
    async repair() {
      for (const digest of missing) {
        const copy = health.goodCopy(digest);
        if (copy === undefined) continue;
        await makeDirectory(dirname(layout.blob(digest)));
        await linkOrCopy(copy, layout.blob(digest));
      }
      let broken = false;
      await repository.forget(entry.digest, async () => {
        broken = (await examineManifest(layout, entry, bad)).kind === "broken";
        return broken;
      });
      return broken ? "taken off the index: push it again" : "put back from another repository";
    },
  };
}

async function* referrers(
  layout: Layout,
  index: RepositoryIndex,
  documents: ReadonlyMap<Entry, Document>,
  age: number,
): AsyncGenerator<Finding> {
  for (const [entry, document] of documents) {
    const subject = document.subject?.digest;
    if (subject === undefined) continue;
    const path = join(layout.referrers, digestName(subject), digestName(entry.digest));
    if ((await fileStat(path)) !== undefined) continue;
    yield {
      kind: "referrers",
      repository: layout.path,
      message: `the referrers of ${subject} lack ${entry.digest}`,
      async repair() {
        await writeReferrer(layout, subject, referrerOf(entry, document));
        return "entered";
      },
    };
  }
  for (const subject of await names(layout.referrers)) {
    for (const name of await names(join(layout.referrers, subject))) {
      const digest = name.replace("-", ":");
      if (!isDigest(digest) || index.manifests.has(digest)) continue;
      const path = join(layout.referrers, subject, name);
      const found = await fileStat(path);
      if (found === undefined || Date.now() - found.mtimeMs < age) continue;
      yield {
        kind: "referrers",
        repository: layout.path,
        message: `the referrers of ${subject.replace("-", ":")} name ${digest}, which is not here`,
        async repair() {
          await removeFile(path);
          return "removed";
        },
      };
    }
  }
}

async function* unusedBlobs(
  repository: Repository,
  health: Health,
  documents: ReadonlyMap<Entry, Document>,
  minimumAge: number,
): AsyncGenerator<Finding> {
  const used = new Set<Digest>();
  for (const [{ digest }, document] of documents) for (const name of [digest, ...namedBy(document)]) used.add(name);
  const latest = Date.now() - minimumAge;
  const unused = health
    .of(repository.layout)
    .filter(({ digest, good, changed }) => good && !used.has(digest) && changed <= latest);
  if (unused.length === 0) return;
  const bytes = unused.reduce((sum, { size }) => sum + size, 0);
  yield {
    kind: "unused",
    repository: repository.path,
    message: `no manifest needs ${unused.length === 1 ? "1 blob" : `${unused.length} blobs`} of ${bytes} bytes`,
    async repair() {
      const removed = await repository.collect(unused.map(({ digest }) => digest));
      return `${removed.length} removed`;
    },
  };
}
