/** What the paths of this protocol name: `entity/collection/container:tag`, and shorter forms of it. */
import type { Digest } from "../../reference/digest.ts";
import { isDigest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { normalCollection } from "../../reference/sregistry.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { type Collection, nobodys, repositoriesByCollection } from "../collections.ts";
import type { Exchange } from "../exchange.ts";
import { Failure, noRepository } from "../failure.ts";
import { imagePath } from "../image-path.ts";

export interface ImageName {
  readonly path: RepoPath;
  /** The first of three components: whose the client says it is. */
  readonly entity: string | undefined;
  readonly selector: { readonly tag: Tag } | { readonly digest: Digest };
}

/** Without empty components: clients write `imagefile//a/b`, and slashes at the end. */
export function components(text: string | undefined): readonly string[] {
  return (text ?? "").split("/").filter((component) => component !== "");
}

/** `a/b/c:tag`, `a/b/c:sha256.<hex>`, `b/c`, `c`; without a tag `latest`. @throws Failure 404 for what cannot be one. */
export async function imageName({ store }: Exchange, text: string | undefined): Promise<ImageName> {
  const parts = components(text);
  const last = parts.at(-1) ?? "";
  const colon = last.indexOf(":");
  const container = colon < 0 ? last : last.slice(0, colon);
  const tag = colon < 0 ? "latest" : last.slice(colon + 1);
  const path = await imagePath(store, [...parts.slice(0, -1), container].join("/"));
  const entity = parts.length > 2 ? parts[0] : undefined;
  const digest = tag.replace(/^sha256\./, "sha256:");
  if (isDigest(digest)) return { path, entity, selector: { digest } };
  if (isTag(tag)) return { path, entity, selector: { tag } };
  throw new Failure(404, "MANIFEST_UNKNOWN", `${JSON.stringify(tag.slice(0, 160))} is no tag`);
}

/** The repository, when there is one that may be read. `asked`: the client's name for it. @throws Failure 404. */
export async function readable(
  { store, access, identity }: Exchange,
  path: RepoPath,
  asked: string,
): Promise<Repository> {
  const repository = store.repository(path);
  if ((await access.mayRead(path, identity)) && (await repository.index()) !== undefined) return repository;
  // Not by its path, which hangs on what is there.
  throw noRepository(asked);
}

/** The collection that `entity/collection` names; undefined when it is not there. Whether it may be seen is not asked. */
export async function findCollection(exchange: Exchange, parts: readonly string[]): Promise<Collection | undefined> {
  const { store, access } = exchange;
  const lower = parts.map((part) => part.toLowerCase());
  const last = lower.at(-1) ?? "";
  let used: ReadonlyMap<string, unknown> | undefined;
  for (const name of [last, normalCollection(last), lower.join("/")]) {
    const record = await access.collections.get(name);
    if (record !== undefined) return record;
    used ??= await repositoriesByCollection(store);
    if (used.has(name)) return nobodys(name);
  }
  return undefined;
}
