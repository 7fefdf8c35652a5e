/** Rows as the library API has them. Clients in Go decode them strictly: every time is a time, no list is null. */
import { digestHex } from "../../reference/digest.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { type Collection, collectionOf, containerOf, nobodys } from "../collections.ts";
import type { Exchange } from "../exchange.ts";
import { collectionId, containerId, entityId, imageId } from "./ids.ts";
import { type ImageEntry, imagesOf, type StoredImage } from "./images.ts";
import { type TagTable, tagTable } from "./tag-table.ts";

/** Go's zero time: never. */
const NEVER = "0001-01-01T00:00:00Z";
/** Whose images are that nobody owns. */
export const DEFAULT_ENTITY = "library";

function common(created: string = NEVER, owner = ""): object {
  return {
    deleted: false,
    createdBy: owner,
    createdAt: created,
    updatedBy: owner,
    updatedAt: created,
    deletedBy: "",
    deletedAt: NEVER,
    owner,
    customData: "",
  };
}

export function entityRecord(name: string, collections: readonly Collection[]): object {
  return {
    ...common(),
    id: entityId(name),
    name,
    description: name,
    collections: collections.map((one) => collectionId(one.name)),
    size: collections.length,
    quota: 0,
    defaultPrivate: false,
  };
}

/** `asked`: the entity in the client's words; the owner is the entity where it left that out. */
export function collectionRecord(
  collection: Collection,
  repositories: readonly Repository[],
  asked: string | undefined,
): object {
  const entity = asked ?? collection.owner ?? DEFAULT_ENTITY;
  return {
    ...common(collection.created, collection.owner),
    id: collectionId(collection.name),
    name: collection.name,
    description: `${collection.name} collection`,
    entity: entityId(entity),
    entityName: entity,
    containers: repositories.map(({ path }) => containerId(path)),
    size: repositories.length,
    private: collection.private,
  };
}

/** Of a container without images too: the protocol's clients make one before they push. */
export async function containerRecord(
  exchange: Exchange,
  repository: Repository,
  asked: string | undefined,
): Promise<object> {
  const collection = await collectionFor(exchange, repository);
  const entity = asked ?? collection.owner ?? DEFAULT_ENTITY;
  const images = await imagesOf(repository);
  const table = await tagTable(repository);
  return {
    ...common(collection.created, collection.owner),
    id: containerId(repository.path),
    name: containerOf(repository.path),
    description: `${repository.path} container`,
    fullDescription: "",
    collection: collectionId(collection.name),
    collectionName: collection.name,
    entity: entityId(entity),
    entityName: entity,
    images: images.map(({ digest }) => imageId({ path: repository.path, digest })),
    ...tagIds(repository, table),
    size: images.reduce((sum, { size }) => sum + size, 0),
    private: collection.private,
    readOnly: false,
    downloadCount: 0,
    stars: 0,
  };
}

export async function imageRecord(exchange: Exchange, image: StoredImage, asked: string | undefined): Promise<object> {
  const { repository, digest, size, created, architecture, signed, encrypted, fingerprints, tags } = image;
  return {
    ...(await imageBase(exchange, repository, image, asked)),
    ...common(created),
    size,
    uploaded: true,
    blob: digest,
    arch: architecture ?? "",
    signed,
    encrypted,
    fingerprints,
    tags,
  };
}

/** An image whose bytes are still to come. */
export async function newImageRecord(
  exchange: Exchange,
  repository: Repository,
  image: Pick<ImageEntry, "digest" | "description">,
): Promise<object> {
  return {
    ...(await imageBase(exchange, repository, image, undefined)),
    // Carries the description to the end of the push: an image that is there has its own.
    id: imageId({ path: repository.path, ...image }),
    ...common(new Date().toISOString()),
    size: 0,
    uploaded: false,
    blob: "",
    arch: "",
    signed: false,
    encrypted: false,
    fingerprints: [],
    tags: [],
  };
}

async function imageBase(
  exchange: Exchange,
  repository: Repository,
  { digest, description }: Pick<ImageEntry, "digest" | "description">,
  asked: string | undefined,
): Promise<object> {
  const { name, owner } = await collectionFor(exchange, repository);
  const entity = asked ?? owner ?? DEFAULT_ENTITY;
  return {
    id: imageId({ path: repository.path, digest }),
    hash: `sha256.${digestHex(digest)}`,
    description: description ?? "",
    container: containerId(repository.path),
    containerName: containerOf(repository.path),
    containerDescription: "",
    containerStars: 0,
    containerDownloads: 0,
    collection: collectionId(name),
    collectionName: name,
    entity: entityId(entity),
    entityName: entity,
  };
}

/** Tags with image ids: as they are now, and by architecture. */
export function tagIds(
  { path }: Repository,
  table: TagTable,
): { readonly imageTags: object; readonly archTags: object } {
  const archTags = Object.fromEntries(
    [...table].map(([architecture, tags]) => [
      architecture,
      Object.fromEntries([...tags].map(([tag, digest]) => [tag, imageId({ path, digest })])),
    ]),
  );
  return { imageTags: Object.assign({}, ...Object.values(archTags)), archTags };
}

async function collectionFor({ access }: Exchange, { path }: Repository): Promise<Collection> {
  return (await access.collections.get(collectionOf(path))) ?? nobodys(collectionOf(path));
}
