/** Manifests and indexes: fetched as raw bytes and hashed, never trusted by a header. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, MANIFEST_LIMIT, readCapped } from "../../http/body.ts";
import { DOCUMENT_TYPES, type Document, decodeDocument } from "../../image/document.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, RepoPath } from "../../reference/reference.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { refusalHint } from "./hints.ts";

export interface FetchedDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly document: Document;
}

/** registry:2 and distribution v3 answer 404 when Accept names no OCI type. */
const ACCEPT = { accept: DOCUMENT_TYPES.join(", ") };

/** What a reference's selector is in a manifest URL. */
export function selectorText(reference: PlacedReference): string {
  const { selector } = reference;
  if (selector.kind === "version") throw new SregistryError("REFERENCE_INVALID", `${selector.hex} is no OCI digest`);
  return selector.kind === "tag" ? selector.tag : selector.digest;
}

/** @throws SregistryError NOT_FOUND, INTEGRITY (not the bytes of the digest), REPLY_INVALID. */
export async function fetchDocument(api: OciApi, reference: PlacedReference, call: Call): Promise<FetchedDocument> {
  const wanted = selectorText(reference);
  const response = await found(
    reference,
    api,
    api.send(
      {
        method: "GET",
        url: api.manifestUrl(reference.path, wanted),
        accept: [200],
        headers: ACCEPT,
        auth: repositoryAuth(reference.path, "pull"),
      },
      call,
    ),
  );
  const bytes = await readCapped(response, MANIFEST_LIMIT);
  const promised = isDigest(wanted) ? wanted : response.headers.get("docker-content-digest");
  const expected = promised !== undefined && isDigest(promised) ? promised : undefined;
  const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
  if (expected !== undefined && digest !== expected) {
    throw new SregistryError(
      "INTEGRITY",
      `the manifest of ${formatReference(reference)} should have digest ${expected}, and its bytes have ${digest}`,
    );
  }
  const document = decodeDocument(bytes, response.headers.get("content-type"));
  return { bytes, digest, mediaType: document.mediaType, document };
}

/** The digest behind a tag or digest, without the body; undefined when there is nothing. */
export async function headManifest(
  api: OciApi,
  path: RepoPath,
  wanted: string,
  call: Call,
): Promise<Digest | "untold" | undefined> {
  const response = await api.send(
    {
      method: "HEAD",
      url: api.manifestUrl(path, wanted),
      accept: [200, 404],
      headers: ACCEPT,
      auth: repositoryAuth(path, "pull"),
    },
    call,
  );
  await discard(response);
  if (response.status === 404) return undefined;
  const digest = response.headers.get("docker-content-digest");
  return digest !== undefined && isDigest(digest) ? digest : "untold";
}

/** @throws SregistryError with the registry's words and what is known of its refusals; INTEGRITY on a foreign digest. */
export async function putManifest(
  api: OciApi,
  path: RepoPath,
  wanted: string,
  manifest: { readonly bytes: Uint8Array; readonly digest: Digest; readonly mediaType: string },
  call: Call,
): Promise<void> {
  const { bytes, digest, mediaType } = manifest;
  const response = await api
    .send(
      {
        method: "PUT",
        url: api.manifestUrl(path, wanted),
        accept: [200, 201, 202],
        headers: { "content-type": mediaType },
        body: { size: bytes.length, open: () => bytes },
        auth: repositoryAuth(path, "push"),
      },
      call,
    )
    .catch((error: unknown) => {
      throw refusalHint(api.host, error);
    });
  await discard(response);
  const stored = response.headers.get("docker-content-digest");
  if (stored !== undefined && isDigest(stored) && stored !== digest) {
    throw new SregistryError("INTEGRITY", `${api.host} stored the manifest as ${stored}, and its digest is ${digest}`);
  }
}

/** What exit 0 of a push means: the name resolves to the digest. */
export async function readBack(api: OciApi, path: RepoPath, wanted: string, digest: Digest, call: Call): Promise<void> {
  const head = await headManifest(api, path, wanted, call);
  if (head === digest) return;
  if (head === "untold") {
    const selector = { kind: "digest", digest } as const;
    await fetchDocument(api, { scheme: "oras", host: api.host, path, selector }, call);
    return;
  }
  throw new SregistryError(
    "CONFLICT",
    `${api.host}/${path}:${wanted} does not name what was just pushed (${digest}) but ${head ?? "nothing"}`,
    { hint: "somebody else may have pushed to this tag at the same time" },
  );
}

/** Registries say 404 too when a private repository must not be known of. */
async function found<T>(reference: PlacedReference, api: OciApi, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) throw error;
    throw new SregistryError(
      "NOT_FOUND",
      `${formatReference(reference)} is not there, or not for you: ${error.message}`,
      {
        hint: `sregistry list oras://${api.host}/${reference.path}, or sregistry login ${api.host}`,
        cause: error,
      },
    );
  }
}
