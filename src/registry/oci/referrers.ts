/**
 * What points at a manifest by its `subject`: asked by the API, or, where the registry has none (registry:2, distribution v3,
 * Docker Hub), kept by the clients in an index under the tag `sha256-<hex>` (distribution-spec, "Referrers Tag Schema").
 */
import type { Call } from "../../call.ts";
import { field, type JsonObject, list, object, optional, parseJson } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { MANIFEST_LIMIT, readCapped } from "../../http/body.ts";
import { nextPage } from "../../http/link.ts";
import { type Descriptor, type Document, decodeDocument, MEDIA_TYPES } from "../../image/document.ts";
import { type Digest, digestOf } from "../../reference/digest.ts";
import { parseTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { type FetchedDocument, fetchDocument, putManifest } from "./manifests.ts";

/** A list that goes on longer than this is one without end. */
const MOST_PAGES = 100;
/** Another client may write the same index between our reading and writing it. */
const TRIES = 3;

/** @throws SregistryError REPLY_INVALID for what is no index. */
export async function referrersOf(
  api: OciApi,
  path: RepoPath,
  digest: Digest,
  call: Call,
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  const seen = new Set<string>();
  for (let url: URL | undefined = api.url(`/v2/${path}/referrers/${digest}`); url !== undefined; ) {
    if (seen.has(url.href) || seen.size >= MOST_PAGES) {
      throw new SregistryError("REPLY_INVALID", `the list of what refers to ${digest} at ${api.host} never ends`);
    }
    seen.add(url.href);
    const page = await referrersPage(api, path, url, call);
    if (page === undefined) return entries((await fallback(api, path, digest, call))?.document);
    found.push(...page.entries);
    url = page.next;
  }
  return found;
}

interface Page {
  readonly entries: readonly Descriptor[];
  readonly next: URL | undefined;
}

/** Undefined where there is no such API: registry:2 and distribution v3 answer 404 in plain text. */
function referrersPage(api: OciApi, path: RepoPath, url: URL, call: Call): Promise<Page | undefined> {
  const auth = repositoryAuth(path, "pull");
  return api.fetch({ method: "GET", url, accept: [200, 400, 404, 405], auth }, call, async (response) => {
    const bytes = await readCapped(response, MANIFEST_LIMIT);
    if (response.status !== 200) return undefined;
    return {
      entries: entries(decodeDocument(bytes, response.headers.get("content-type"))),
      next: nextPage(response),
    };
  });
}

function entries(document: Document | undefined): readonly Descriptor[] {
  return document?.kind === "index" ? document.manifests : [];
}

function fallbackTag(digest: Digest): Tag {
  // A sha512 digest is cut to the length of a tag, as the schema says.
  return parseTag(digest.replace(":", "-").slice(0, 128));
}

async function fallback(
  api: OciApi,
  path: RepoPath,
  subject: Digest,
  call: Call,
): Promise<FetchedDocument | undefined> {
  const selector = { kind: "tag", tag: fallbackTag(subject) } as const;
  try {
    return await fetchDocument(api, { scheme: "oras", host: api.host, path, selector }, call);
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** For a registry that does not note a manifest's subject itself. */
export async function noteReferrer(api: OciApi, path: RepoPath, made: FetchedDocument, call: Call): Promise<void> {
  const { document, digest, mediaType, bytes } = made;
  if (document.subject === undefined) return;
  const config = document.kind === "manifest" ? document.config.mediaType : undefined;
  const artifactType = document.artifactType ?? config;
  const entry = {
    mediaType,
    digest,
    size: bytes.length,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(document.annotations).length === 0 ? {} : { annotations: document.annotations }),
  };
  await editFallback(api, path, document.subject.digest, call, (known) =>
    known.some((one) => one["digest"] === digest) ? known : [...known, entry],
  );
}

/** After `gone`, which pointed at `subject`, was deleted. */
export async function forgetReferrer(
  api: OciApi,
  path: RepoPath,
  subject: Digest,
  gone: Digest,
  call: Call,
): Promise<void> {
  await editFallback(api, path, subject, call, (known) => known.filter((one) => one["digest"] !== gone));
}

/** Entries keep every member that others wrote. Written, then read again: the last one to write wins, and may not be us. */
async function editFallback(
  api: OciApi,
  path: RepoPath,
  subject: Digest,
  call: Call,
  edit: (entries: readonly JsonObject[]) => readonly JsonObject[],
): Promise<void> {
  for (let left = TRIES; left > 0; left -= 1) {
    const index = await fallback(api, path, subject, call);
    const known = index === undefined ? [] : rawEntries(index.bytes);
    const manifests = edit(known);
    if (manifests.length === known.length) return;
    const bytes = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests }),
    );
    await putManifest(
      api,
      path,
      fallbackTag(subject),
      { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.index },
      call,
    );
  }
  const index = await fallback(api, path, subject, call);
  const known = index === undefined ? [] : rawEntries(index.bytes);
  if (edit(known).length === known.length) return;
  throw new SregistryError("CONFLICT", `others keep changing what refers to ${subject} at ${api.host}`, {
    hint: "try again when they are done",
  });
}

function rawEntries(bytes: Uint8Array): readonly JsonObject[] {
  const index = object(parseJson(new TextDecoder().decode(bytes), "index"), "index");
  return field(index, "manifests", optional(list(object)), "index") ?? [];
}
