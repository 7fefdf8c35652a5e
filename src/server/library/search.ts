/** `GET /v1/search`: a word in names, tags and descriptions of what the client may see. */
import { repositoriesByCollection } from "../collections.ts";
import { type Exchange, replyJson } from "../exchange.ts";
import { Failure } from "../failure.ts";
import type { Route } from "../router.ts";
import { imagesOf, withFacts } from "./images.ts";
import { collectionRecord, containerRecord, DEFAULT_ENTITY, entityRecord, imageRecord } from "./records.ts";

export const searchRoutes: readonly Route[] = [{ method: "GET", path: "/v1/search", handle: search }];

async function search(exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const value = (query.get("value") ?? "").trim().toLowerCase();
  if (value === "") throw new Failure(400, "UNSUPPORTED", "value is missing: ?value=WORD");
  const { entity, collection } = await searchCollections(exchange, value);
  replyJson(exchange, { data: { entity, collection, ...(await searchImages(exchange, value)) } });
}

async function searchCollections(
  exchange: Exchange,
  value: string,
): Promise<{ readonly entity: readonly object[]; readonly collection: readonly object[] }> {
  const { store, access, identity } = exchange;
  const visible = await access.collections.list(identity);
  const repositories = await repositoriesByCollection(store);
  const owners = new Set(visible.map(({ owner }) => owner ?? DEFAULT_ENTITY));
  const ownedBy = (name: string) => visible.filter(({ owner }) => (owner ?? DEFAULT_ENTITY) === name);
  const found = visible.filter(({ name }) => name.includes(value));
  return {
    entity: [...owners].filter((name) => name.includes(value)).map((name) => entityRecord(name, ownedBy(name))),
    collection: found.map((one) => collectionRecord(one, repositories.get(one.name) ?? [], undefined)),
  };
}

async function searchImages(
  exchange: Exchange,
  value: string,
): Promise<{ readonly container: readonly object[]; readonly image: readonly object[] }> {
  const { store, access, identity, query } = exchange;
  const architecture = query.get("arch") || undefined;
  const signed = query.get("signed") === "true";
  const container: object[] = [];
  const image: object[] = [];
  for (const path of await access.readable(identity)) {
    const repository = store.repository(path);
    const named = path.includes(value);
    if (named) container.push(await containerRecord(exchange, repository, undefined));
    for (const entry of await imagesOf(repository)) {
      const words = [...entry.tags, entry.description ?? ""].map((word) => word.toLowerCase());
      // What no tag leads to any more is only asked for by its hash.
      if (entry.tags.length === 0 || !(named || words.some((word) => word.includes(value)))) continue;
      const found = await withFacts(repository, entry);
      if (found === undefined || (signed && !found.signed)) continue;
      if (architecture !== undefined && (found.architecture ?? architecture) !== architecture) continue;
      image.push(await imageRecord(exchange, found, undefined));
    }
  }
  return { container, image };
}
