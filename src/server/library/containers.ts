/** Entities, collections and containers: looked up before a push, and made where they are missing. */
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { parseRepoPath } from "../../reference/name.ts";
import { normalCollection } from "../../reference/sregistry.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { maySee } from "../access.ts";
import { type Collection, repositoriesByCollection } from "../collections.ts";
import { type Exchange, replyJson } from "../exchange.ts";
import { Failure } from "../failure.ts";
import { imagePath } from "../image-path.ts";
import type { Parameters, Route } from "../router.ts";
import { jsonBody } from "./body.ts";
import { collectionOfId } from "./ids.ts";
import { components, findCollection, readable } from "./names.ts";
import { collectionRecord, containerRecord, DEFAULT_ENTITY, entityRecord } from "./records.ts";

export const containerRoutes: readonly Route[] = [
  { method: "GET", path: "/v1/entities", handle: ownEntity },
  { method: "POST", path: "/v1/entities", handle: makeEntity },
  { method: "GET", path: "/v1/entities/{entity}", handle: getEntity },
  { method: "GET", path: "/v1/collections", handle: listCollections },
  { method: "POST", path: "/v1/collections", handle: makeCollection },
  { method: "GET", path: "/v1/collections/{name}", handle: getCollection },
  { method: "GET", path: "/v1/containers", handle: listContainers },
  { method: "POST", path: "/v1/containers", handle: makeContainer },
  { method: "GET", path: "/v1/containers/{name}", handle: getContainer },
];

/** The user's own, by which clients learn their name. */
async function ownEntity(exchange: Exchange): Promise<void> {
  const { user, admin } = exchange.identity;
  if (user === undefined && !admin) throw new Failure(404, "NAME_UNKNOWN", "nobody is logged in");
  await replyEntity(exchange, user ?? DEFAULT_ENTITY);
}

/** Every name is an entity: whose an image is, its collection says, and the entity before it is not looked at. */
async function getEntity(exchange: Exchange, parameters: Parameters): Promise<void> {
  await replyEntity(exchange, parseRepoPath((parameters["entity"] ?? "").toLowerCase(), "local"));
}

async function makeEntity(exchange: Exchange): Promise<void> {
  const { name } = await jsonBody(exchange, named);
  await replyEntity(exchange, parseRepoPath(name.toLowerCase(), "local"));
}

const named: Decoder<{ readonly name: string }> = (value, where) => ({
  name: field(object(value, where), "name", string, where),
});

async function replyEntity(exchange: Exchange, name: string): Promise<void> {
  replyJson(exchange, { data: entityRecord(name, await collectionsOf(exchange, name)) });
}

/** Those that may be seen of an entity's; nobody's count as the default entity's. */
async function collectionsOf({ access, identity }: Exchange, entity: string): Promise<readonly Collection[]> {
  const visible = await access.collections.list(identity);
  return visible.filter(({ owner }) => (owner ?? DEFAULT_ENTITY) === entity);
}

/** Of the user; of everybody for those who may do everything. */
async function listCollections(exchange: Exchange): Promise<void> {
  const { access, identity } = exchange;
  const own =
    identity.user === undefined
      ? await access.collections.list(identity)
      : await collectionsOf(exchange, identity.user);
  await replyCollections(exchange, own);
}

async function replyCollections(exchange: Exchange, collections: readonly Collection[]): Promise<void> {
  const repositories = await repositoriesByCollection(exchange.store);
  const rows = collections.map((one) => collectionRecord(one, repositories.get(one.name) ?? [], undefined));
  replyJson(exchange, { data: rows });
}

async function repositoriesIn({ store }: Exchange, { name }: Collection): Promise<readonly Repository[]> {
  return (await repositoriesByCollection(store)).get(name) ?? [];
}

/** `entity`: the list of what it has. `entity/collection`: the collection. */
async function getCollection(exchange: Exchange, parameters: Parameters): Promise<void> {
  const parts = components(parameters["name"]);
  const [entity = "", ...others] = parts;
  if (others.length === 0) return await replyCollections(exchange, await collectionsOf(exchange, entity.toLowerCase()));
  const found = await visibleCollection(exchange, parts);
  replyJson(exchange, { data: collectionRecord(found, await repositoriesIn(exchange, found), entity) });
}

async function visibleCollection(exchange: Exchange, parts: readonly string[]): Promise<Collection> {
  const found = await findCollection(exchange, parts);
  if (found !== undefined && maySee(found, exchange.identity)) return found;
  throw new Failure(404, "NAME_UNKNOWN", `there is no collection ${parts.join("/")}`);
}

const newCollection: Decoder<{ readonly name: string; readonly hidden: boolean }> = (value, where) => {
  const json = object(value, where);
  const hidden = json["private"];
  if (hidden !== undefined && hidden !== null && typeof hidden !== "boolean") {
    throw new Failure(400, "UNSUPPORTED", `${where}.private is neither true nor false`);
  }
  return { name: field(json, "name", string, where), hidden: hidden === true };
};

async function makeCollection(exchange: Exchange): Promise<void> {
  const { access, identity, store } = exchange;
  const { name: asked, hidden } = await jsonBody(exchange, newCollection);
  const name = normalCollection(asked);
  if (name === "") throw new Failure(400, "NAME_INVALID", `${JSON.stringify(asked)} is no collection's name`);
  parseRepoPath(name, "local");
  if (hidden && identity.everybody === true) {
    throw new Failure(403, "DENIED", "a private collection needs an owner: sregistry serve user add NAME makes one");
  }
  await store.prepare();
  if ((await access.collections.create(name, identity.user, hidden)) === "exists") {
    throw new Failure(409, "DENIED", `A collection named '${name}' exists already!`);
  }
  const made = await visibleCollection(exchange, [name]);
  replyJson(exchange, { data: collectionRecord(made, await repositoriesIn(exchange, made), undefined) });
}

/** All that may be seen. */
async function listContainers(exchange: Exchange): Promise<void> {
  const { store, access, identity } = exchange;
  const paths = await access.readable(identity);
  await replyContainers(
    exchange,
    paths.map((path) => store.repository(path)),
    undefined,
  );
}

async function replyContainers(
  exchange: Exchange,
  repositories: readonly Repository[],
  entity: string | undefined,
): Promise<void> {
  const rows: object[] = [];
  // One after the other: a store may have more repositories than a process may have open files.
  for (const repository of repositories) {
    // What was deleted to its last image is a folder of the store, and no container.
    const there = ((await repository.index())?.entries.length ?? 0) > 0;
    if (there) rows.push(await containerRecord(exchange, repository, entity));
  }
  replyJson(exchange, { data: rows });
}

/** `entity/collection`: the list of what is in it. `entity/collection/container`: the container. */
async function getContainer(exchange: Exchange, parameters: Parameters): Promise<void> {
  const parts = components(parameters["name"]);
  const [entity] = parts;
  if (parts.length === 2) {
    const collection = await visibleCollection(exchange, parts);
    return await replyContainers(exchange, await repositoriesIn(exchange, collection), entity);
  }
  const repository = await readable(exchange, await imagePath(exchange.store, parts.join("/")), parts.join("/"));
  const asked = parts.length > 2 ? entity : undefined;
  replyJson(exchange, { data: await containerRecord(exchange, repository, asked) });
}

const newContainer: Decoder<{ readonly name: string; readonly collection: string }> = (value, where) => {
  const json = object(value, where);
  return {
    name: field(json, "name", string, where),
    collection: field(json, "collection", optional(string), where) ?? "",
  };
};

/** Nothing is written for it: a container is there when an image is. */
async function makeContainer(exchange: Exchange): Promise<void> {
  const { store, access, identity } = exchange;
  const { name, collection } = await jsonBody(exchange, newContainer);
  const path = parseRepoPath(`${collectionOfId(collection)}/${name.toLowerCase()}`, "local");
  await access.requireChange(path, identity);
  replyJson(exchange, { data: await containerRecord(exchange, store.repository(path), undefined) });
}
