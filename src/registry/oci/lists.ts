/** Tags, repositories and referrers: in pages, as the consumer goes on, in constant memory. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { MANIFEST_LIMIT, readCapped, readJson } from "../../http/body.ts";
import { nextPage } from "../../http/link.ts";
import type { Auth } from "../../http/transport.ts";
import { type Descriptor, decodeDocument } from "../../image/document.ts";
import type { Digest } from "../../reference/digest.ts";
import { parseRepoPath, parseTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { fetchDocument } from "./manifests.ts";

/** Items asked for at once: ECR refuses more (google/go-containerregistry#1091). */
const PAGE = 1000;
/** A list that goes on longer than this is one without end (oras-project/oras-go#1215). */
const MOST_PAGES = 10_000;

/** Tags of the referrers tag schema (distribution-spec, "Referrers Tag Schema") and of cosign: not names of images. */
const FALLBACK_TAG = /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\..*)?$/;

/** @throws SregistryError NOT_FOUND for a repository that is not there. */
export async function* tagsOf(api: OciApi, path: RepoPath, call: Call): AsyncGenerator<Tag> {
  const names: Decoder<readonly string[]> = (value, where) =>
    field(object(value, where), "tags", optional(list(string)), where) ?? [];
  const start = api.url(`/v2/${path}/tags/list?n=${PAGE}`);
  for await (const name of pages(api, start, repositoryAuth(path, "pull"), names, call)) {
    if (!FALLBACK_TAG.test(name)) yield parseTag(name);
  }
}

/** @throws SregistryError UNSUPPORTED where the registry has no catalogue (Hub, GHCR, GitLab.com, Quay.io). */
export async function* repositoriesOf(api: OciApi, call: Call): AsyncGenerator<RepoPath> {
  const names: Decoder<readonly string[]> = (value, where) =>
    field(object(value, where), "repositories", optional(list(string)), where) ?? [];
  const auth: Auth = { kind: "registry", scopes: ["registry:catalog:*"] };
  try {
    for await (const name of pages(api, api.url(`/v2/_catalog?n=${PAGE}`), auth, names, call))
      yield parseRepoPath(name);
  } catch (error) {
    if (!isCode(error, "NOT_FOUND", "UNSUPPORTED")) throw error;
    throw new SregistryError("UNSUPPORTED", `${api.host} does not list its repositories`, {
      hint: `name one: sregistry list oras://${api.host}/PATH`,
      cause: error,
    });
  }
}

async function* pages<T>(
  api: OciApi,
  start: URL,
  auth: Auth,
  decoder: Decoder<readonly T[]>,
  call: Call,
): AsyncGenerator<T> {
  const seen = new Set<string>();
  for (let url: URL | undefined = start; url !== undefined; ) {
    if (seen.has(url.href) || seen.size >= MOST_PAGES) {
      throw new SregistryError(
        "REPLY_INVALID",
        `the list of ${api.host} never ends: page ${seen.size + 1} is one it gave before`,
      );
    }
    seen.add(url.href);
    const response = await api.send({ method: "GET", url, accept: [200], auth }, call);
    url = nextPage(response);
    yield* await readJson(response, decoder);
  }
}

/** The tag under which referrers are kept where the API is missing: `sha256-<hex>`. */
export function fallbackTag(digest: Digest): Tag {
  return parseTag(digest.replace(":", "-").slice(0, 128));
}

/** By the API; where it is missing (registry:2 and distribution v3 answer 404), by the tag schema. */
export async function referrersOf(
  api: OciApi,
  path: RepoPath,
  digest: Digest,
  call: Call,
): Promise<readonly Descriptor[]> {
  const auth = repositoryAuth(path, "pull");
  const url = api.url(`/v2/${path}/referrers/${digest}`);
  const response = await api.send({ method: "GET", url, accept: [200, 404, 405], auth }, call);
  const bytes = await readCapped(response, MANIFEST_LIMIT);
  if (response.status === 200) return entries(decodeDocument(bytes, response.headers.get("content-type")));
  return (await fallbackIndex(api, path, digest, call)) ?? [];
}

/** Undefined when nothing is attached. */
export async function fallbackIndex(
  api: OciApi,
  path: RepoPath,
  digest: Digest,
  call: Call,
): Promise<readonly Descriptor[] | undefined> {
  const selector = { kind: "tag", tag: fallbackTag(digest) } as const;
  try {
    const { document } = await fetchDocument(api, { scheme: "oras", host: api.host, path, selector }, call);
    return entries(document);
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function entries(document: ReturnType<typeof decodeDocument>): readonly Descriptor[] {
  return document.kind === "index" ? document.manifests : [];
}
