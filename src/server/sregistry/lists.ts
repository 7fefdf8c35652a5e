/** What there is: collections and containers, page by page, and searches. What may not be read is not there. */
import type { RepoPath } from "../../reference/reference.ts";
import { normalCollection, uriOf } from "../../reference/sregistry.ts";
import { containerOf } from "../collections.ts";
import { baseUrl, type Exchange, replyJson } from "../exchange.ts";
import { Failure } from "../failure.ts";
import { numericId } from "../ids.ts";
import { imagePath } from "../image-path.ts";
import type { Parameters, Route } from "../router.ts";
import { describeRow, describeShelf, inTurn, rowsOf, type Shelf, visibleRows, visibleShelves } from "./catalogue.ts";
import { pageOf, windowOf } from "./paging.ts";
import { getRoutes } from "./routes.ts";

const SEARCH = "/api/container/search";

export const listRoutes: readonly Route[] = [
  ...getRoutes("/api/collections", listCollections),
  ...getRoutes("/api/collections/{id}", getCollection),
  ...getRoutes("/api/collection/search/{query}", searchCollections),
  ...getRoutes("/api/collection/{name}", findCollection),
  ...getRoutes("/api/containers", listContainers),
  ...getRoutes("/api/containers/{id}", getContainer),
  ...getRoutes(`${SEARCH}/name/{image}`, searchContainers),
  ...getRoutes(`${SEARCH}/name/{image}/tag/{tag}`, searchContainers),
  ...getRoutes(`${SEARCH}/collection/{collection}/name/{image}`, searchContainers),
  ...getRoutes(`${SEARCH}/collection/{collection}/name/{image}/tag/{tag}`, searchContainers),
];

async function listCollections(exchange: Exchange): Promise<void> {
  const shelves = await thereStill(exchange, await visibleShelves(exchange));
  const window = windowOf(exchange.query);
  const base = baseUrl(exchange);
  const shown = shelves.slice(window.offset, window.offset + window.limit);
  const results = await inTurn(shown, (shelf) => describeShelf(exchange.store, shelf, base));
  replyJson(exchange, pageOf(`${base}/api/collections/`, window, shelves.length, results));
}

/** A collection that nobody made is there as long as something is in it. */
async function thereStill({ store }: Exchange, shelves: readonly Shelf[]): Promise<readonly Shelf[]> {
  const there = await inTurn(shelves, async ({ collection, paths }) => {
    if (collection.created !== undefined) return true;
    for (const path of paths) if (((await store.repository(path).index())?.entries.length ?? 0) > 0) return true;
    return false;
  });
  return shelves.filter((_, at) => there[at] === true);
}

async function getCollection(exchange: Exchange, parameters: Parameters): Promise<void> {
  const id = Number(parameters["id"]);
  const shelf = (await visibleShelves(exchange)).find(({ collection }) => numericId(collection.name) === id);
  if (shelf === undefined) throw notFound();
  replyJson(exchange, await describeShelf(exchange.store, shelf, baseUrl(exchange)));
}

/** An unknown one is an empty object, as Singularity Registry Server 2.1 has it. */
async function findCollection(exchange: Exchange, parameters: Parameters): Promise<void> {
  const shelf = shelfNamed(await visibleShelves(exchange), parameters["name"] ?? "");
  replyJson(exchange, shelf === undefined ? {} : await describeShelf(exchange.store, shelf, baseUrl(exchange)));
}

/** Those whose name has the word in it. */
async function searchCollections(exchange: Exchange, parameters: Parameters): Promise<void> {
  const word = (parameters["query"] ?? "").toLowerCase();
  const found = (await visibleShelves(exchange)).filter(({ collection }) => collection.name.includes(word));
  const base = baseUrl(exchange);
  replyJson(exchange, await inTurn(found, (shelf) => describeShelf(exchange.store, shelf, base)));
}

async function listContainers(exchange: Exchange): Promise<void> {
  const rows = await visibleRows(exchange);
  const window = windowOf(exchange.query);
  const results = await inTurn(rows.slice(window.offset, window.offset + window.limit), describeRow);
  replyJson(exchange, pageOf(`${baseUrl(exchange)}/api/containers/`, window, rows.length, results));
}

async function getContainer(exchange: Exchange, parameters: Parameters): Promise<void> {
  const id = Number(parameters["id"]);
  const row = (await visibleRows(exchange)).find((candidate) => numericId(uriOf(candidate)) === id);
  if (row === undefined) throw notFound();
  replyJson(exchange, await describeRow(row));
}

/** By whole names; the tag as it is or in lower case, which is how the Python client asks for any. */
async function searchContainers(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { collection, image = "", tag } = parameters;
  const paths =
    collection === undefined ? await pathsNamed(exchange, image) : await pathIn(exchange, collection, image);
  const rows = (await inTurn(paths, (path) => rowsOf(exchange.store.repository(path)))).flat();
  const found = tag === undefined ? rows : rows.filter((row) => row.tag === tag || row.tag.toLowerCase() === tag);
  replyJson(exchange, await inTurn(found, describeRow));
}

async function pathsNamed(exchange: Exchange, image: string): Promise<readonly RepoPath[]> {
  const name = image.toLowerCase();
  const paths = (await visibleShelves(exchange)).flatMap((shelf) => shelf.paths);
  return paths.filter((path) => containerOf(path) === name);
}

async function pathIn(exchange: Exchange, collection: string, image: string): Promise<readonly RepoPath[]> {
  const path = await imagePath(exchange.store, `${collection}/${image}`);
  return (await exchange.access.mayRead(path, exchange.identity)) ? [path] : [];
}

/** As it is, or as a push would have changed it. */
function shelfNamed(shelves: readonly Shelf[], name: string): Shelf | undefined {
  const named = (wanted: string): Shelf | undefined => shelves.find(({ collection }) => collection.name === wanted);
  return named(name.toLowerCase()) ?? named(normalCollection(name));
}

function notFound(): Failure {
  return new Failure(404, "NAME_UNKNOWN", "Not found.");
}
