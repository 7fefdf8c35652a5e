/** Parameters of OCI routes into the store's types; what is wrong with them, in the specification's codes. */
import { type Digest, isDigest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";
import type { Repository } from "../../registry/local/repository.ts";
import type { Exchange } from "../exchange.ts";
import { type ApiCode, Failure, noRepository } from "../failure.ts";
import type { Parameters } from "../router.ts";

/** @throws SregistryError REFERENCE_INVALID, which becomes 400 NAME_INVALID; Failure where it may not be read. */
export async function toRead(exchange: Exchange, parameters: Parameters): Promise<Repository> {
  const repository = repositoryAt(exchange, parameters);
  await exchange.access.requireRead(repository.path, exchange.identity, true);
  return repository;
}

/** For what is pushed there. Nothing becomes anybody's yet: a push `claims` once it is known to be one. */
export async function toChange(exchange: Exchange, parameters: Parameters): Promise<Repository> {
  const repository = repositoryAt(exchange, parameters);
  await exchange.access.requireChange(repository.path, exchange.identity);
  return repository;
}

/** For what is deleted there: it has to be there for who asks before they are told whose it is. */
export async function toDelete(exchange: Exchange, parameters: Parameters): Promise<Repository> {
  const repository = repositoryAt(exchange, parameters);
  await exchange.access.requireRead(repository.path, exchange.identity);
  await exchange.access.requireChange(repository.path, exchange.identity);
  return repository;
}

/** Why there is nothing: of a repository that is not there itself, nothing else is said than where it may not be read. */
export async function absence(repository: Repository, code: ApiCode, name: Tag | Digest): Promise<Failure> {
  if ((await repository.index()) === undefined) return noRepository(repository.path);
  return new Failure(404, code, `${repository.path} has no ${code === "BLOB_UNKNOWN" ? "blob" : "manifest"} ${name}`);
}

/** The collection becomes the user's when it is nobody's. */
export async function claim({ access, identity }: Exchange, { path }: Repository): Promise<void> {
  await access.requireWrite(path, identity);
}

function repositoryAt({ store }: Exchange, parameters: Parameters): Repository {
  return store.repository(parameters["name"] ?? "");
}

export function digestIn(text: string | null | undefined): Digest {
  if (text !== null && text !== undefined && isDigest(text)) return text;
  const given = text === null || text === undefined ? "no digest is given" : `${quoted(text)} is no digest`;
  throw new Failure(400, "DIGEST_INVALID", `${given}: expected sha256:<64 hex digits> or sha512:<128 hex digits>`);
}

/** A manifest's name in a path. A colon makes it a digest, as no tag has one. */
export function manifestName(text: string): Tag | Digest {
  return text.includes(":") ? digestIn(text) : tagIn(text);
}

export function tagIn(text: string): Tag {
  if (isTag(text)) return text;
  throw new Failure(400, "MANIFEST_INVALID", `${quoted(text)} is no tag: expected [A-Za-z0-9_][A-Za-z0-9._-]{0,127}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 160));
}
