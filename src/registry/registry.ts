/** The port that every endpoint implements. It never touches files (but for `local`), the terminal or configuration. */
import type { Readable } from "node:stream";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { Descriptor, Document } from "../image/document.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import type { Digest } from "../reference/digest.ts";
import type { PlacedReference, RepoPath, Tag } from "../reference/reference.ts";
import type { Source } from "../transfer/source.ts";

/** One SIF at an endpoint, as far as it is known without its bytes. */
export interface ImageInfo {
  readonly reference: PlacedReference;
  /** Bytes of the SIF; undefined where the endpoint does not say before the download. */
  readonly size: number | undefined;
  /** Digest of the SIF's bytes; undefined where the endpoint promises none (shub). */
  readonly digest: Digest | undefined;
  /** What pins this image at the endpoint: an OCI manifest's digest. Undefined where the content digest is the pin. */
  readonly manifest?: Digest;
  /** Go's name: amd64, arm64, ... */
  readonly architecture: string | undefined;
  readonly mediaType: string | undefined;
  /** RFC 3339, where the endpoint knows it. */
  readonly created?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Bytes `start` up to but without `end`; without `end` to the end of the image. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface BodyPart {
  /** First byte the server really sent: 0 when it ignored the range. */
  readonly start: number;
  /** Size of the whole image, where the answer says. */
  readonly total: number | undefined;
  /** The body is all of the image, whatever range was asked for; absent where that is not known. */
  readonly whole?: true;
  readonly body: Readable;
}

export interface PushRequest {
  readonly reference: PlacedReference;
  /** Every tag to set; the first is the reference's own. Empty: by digest only. */
  readonly tags: readonly Tag[];
  readonly source: Source;
  /** Of the source's bytes, where somebody has promised it: they are looked for before anything is sent, and held to it. */
  readonly digest?: Digest;
  /** Base name of the pushed file: the layer's title annotation. */
  readonly title: string;
  /** Undefined for a file that is no SIF (--any-file). */
  readonly metadata: ImageMetadata | undefined;
  readonly description?: string;
  /** A repository of the same endpoint that may hold the bytes: they are mounted from there if it lets us. */
  readonly from?: RepoPath;
  /** Exactly Singularity's manifest: config `{}`, no annotations of ours. */
  readonly plainManifest: boolean;
}

export interface PushResult {
  readonly reference: PlacedReference;
  /** Digest of the SIF's bytes as hashed while they were sent. */
  readonly digest: Digest;
  /** The pin to print; undefined where the content digest is the pin. */
  readonly manifest?: Digest;
  /** `uploaded`, `present` (nothing sent), `mounted` (from another repository), `resumed`. */
  readonly transfer: "uploaded" | "present" | "mounted" | "resumed";
  readonly tags: readonly Tag[];
  /** Where the endpoint counts what its users store. */
  readonly quota?: Quota;
  /** Page of the container for people, where the endpoint has one. */
  readonly page?: string;
}

/** Bytes. */
export interface Quota {
  readonly used: number;
  /** Undefined: unlimited. */
  readonly total: number | undefined;
}

export interface DeleteResult {
  /** What is gone: tags and digests, as text for the user. */
  readonly deleted: readonly string[];
}

/** Characters that a library wants to search for. */
export const SHORTEST_SEARCH = 3;

export interface SearchOptions {
  /** Go architecture; undefined: all that the endpoint knows. */
  readonly architecture?: string;
  /** Signed images only. */
  readonly signed?: boolean;
}

/** One image that a search found. */
export interface SearchHit {
  /** By its first tag, or by digest when it has none. */
  readonly reference: PlacedReference;
  readonly tags: readonly Tag[];
  readonly description: string | undefined;
  readonly architecture: string | undefined;
  /** PGP fingerprints, as the endpoint says; nothing is verified. */
  readonly signedBy: readonly string[];
}

/** Absent members ask for nothing. */
export interface LabelFilter {
  readonly key?: string;
  readonly value?: string;
}

/** One label of an endpoint's own index, with the images that carry it. */
export interface LabelRow {
  readonly key: string;
  readonly value: string;
  readonly images: readonly PlacedReference[];
}

export interface CollectionInfo {
  /** As the endpoint normalised it. */
  readonly name: string;
  readonly private: boolean;
}

/** Powers beyond resolve and read. A missing one is a missing member: ask with `capability`. */
export interface Capabilities {
  push(request: PushRequest, call: Call): Promise<PushResult>;
  /** Every repository, in the order the endpoint gives; pages are fetched as the consumer goes on. */
  repositories(call: Call): AsyncIterable<RepoPath>;
  tags(path: RepoPath, call: Call): AsyncIterable<Tag>;
  /** Metadata that the endpoint holds besides the image; undefined when it holds none for this one. */
  metadata(image: ImageInfo, call: Call): Promise<ImageMetadata | undefined>;
  /** More names for an image, without its bytes. */
  tag(image: ImageInfo, tags: readonly Tag[], call: Call): Promise<void>;
  /** What `delete` would remove, tags that go with it included. */
  deletable(reference: PlacedReference, call: Call): Promise<DeleteResult>;
  delete(reference: PlacedReference, call: Call): Promise<DeleteResult>;
  /** Free text; pages are fetched as the consumer goes on. */
  search(query: string, options: SearchOptions, call: Call): AsyncIterable<SearchHit>;
  /** The endpoint's own index of labels; undefined when it has none that is filled. */
  labels(filter: LabelFilter, call: Call): Promise<readonly LabelRow[] | undefined>;
  /** @throws SregistryError CONFLICT when there is one of this name already. */
  createCollection(name: string, options: { readonly private: boolean }, call: Call): Promise<CollectionInfo>;
  /** Collections without a repository, which `repositories` does not tell. No request after it was read to its end. */
  emptyCollections(call: Call): Promise<readonly string[]>;
  /** What is attached to an image by a `subject`: signatures, SBOMs. */
  referrers(image: ImageInfo, call: Call): Promise<readonly Referrer[]>;
}

export interface Referrer {
  readonly digest: Digest;
  /** Of the artifact: its artifactType, or its config's media type. */
  readonly type: string;
  /** Bytes of its manifest. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ResolveOptions {
  /** Go architecture to choose from an index; default: the host's, and an index of one is that one. */
  readonly architecture?: string;
}

/** A manifest or an index as it is stored; its digest is that of these bytes. */
export interface StoredDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly document: Document;
}

export interface BlobRequest {
  readonly path: RepoPath;
  readonly digest: Digest;
  readonly source: Source;
  /** For the progress. */
  readonly title: string;
  /** A repository of the same endpoint that may hold the blob. */
  readonly from?: RepoPath;
}

/** Manifests and blobs one by one, as they are stored: what a copy that changes no byte stands on. */
export interface Content {
  /** Blobs of two repositories with the same origin may be mounted. */
  readonly origin: string;
  /** The digest of what a name stands for, without its bytes; undefined when there is nothing. */
  digestOf(reference: PlacedReference, call: Call): Promise<Digest | undefined>;
  /** What a name stands for: an index stays one. @throws SregistryError NOT_FOUND. */
  document(reference: PlacedReference, call: Call): Promise<StoredDocument>;
  /** Bytes of a blob of the reference's repository. */
  readBlob(reference: PlacedReference, blob: Descriptor, range: ByteRange, call: Call): Promise<BodyPart>;
  hasBlob(path: RepoPath, blob: Descriptor, call: Call): Promise<boolean>;
  putBlob(request: BlobRequest, call: Call): Promise<PushResult["transfer"]>;
  /** Under a tag or its own digest, and read back. What it names has to be there. @throws SregistryError CONFLICT. */
  putDocument(path: RepoPath, name: Tag | Digest, document: StoredDocument, call: Call): Promise<void>;
  /** What points at a manifest by its `subject`. */
  referrersOf(path: RepoPath, digest: Digest, call: Call): Promise<readonly Digest[]>;
}

export interface Registry {
  /** For messages: `registry 127.0.0.1:5000`, `local store`. */
  readonly name: string;
  resolve(reference: PlacedReference, options: ResolveOptions, call: Call): Promise<ImageInfo>;
  /** @throws SregistryError REPLY_INVALID when the answer is neither the range asked for nor the whole. */
  read(image: ImageInfo, range: ByteRange, call: Call): Promise<BodyPart>;
  readonly can: Partial<Capabilities>;
  /** How its images are to be fetched: connections at a time, and bytes of each request. What is not said is found out. */
  readonly parallel?: { readonly concurrency?: number; readonly partSize?: number };
  /** Where images are stored as OCI documents and blobs. */
  readonly content?: Content;
  /** What is pushed has to be signed, unless the user says otherwise (-U). */
  readonly signedOnly?: boolean;
}

/** @throws SregistryError UNSUPPORTED (exit 8) when `registry` lacks the power. */
export function capability<K extends keyof Capabilities>(registry: Registry, name: K): Capabilities[K] {
  const power = registry.can[name];
  if (power === undefined) {
    const hint = INSTEAD[name];
    const details = hint === undefined ? {} : { hint };
    throw new SregistryError("UNSUPPORTED", `${registry.name} cannot ${POWER_NAMES[name]}`, details);
  }
  return power as Capabilities[K];
}

/** What does it all the same, where something does. */
const INSTEAD: Partial<Record<keyof Capabilities, string>> = {
  createCollection: "a push makes what is missing: sregistry push IMAGE.sif COLLECTION/NAME:TAG",
};

const POWER_NAMES: Record<keyof Capabilities, string> = {
  push: "take images",
  repositories: "list its repositories",
  tags: "list tags",
  metadata: "tell an image's metadata",
  tag: "set tags",
  deletable: "delete images",
  delete: "delete images",
  search: "search",
  labels: "list labels",
  createCollection: "create collections",
  emptyCollections: "list collections",
  referrers: "tell what is attached to an image",
};
