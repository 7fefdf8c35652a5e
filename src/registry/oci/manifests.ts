/** Manifests and indexes: fetched as raw bytes and hashed, never trusted by a header. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, MANIFEST_LIMIT, readCapped } from "../../http/body.ts";
import { DOCUMENT_TYPES, type Document, decodeDocument } from "../../image/document.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import { parseTag } from "../../reference/name.ts";
import type { PlacedReference, RepoPath } from "../../reference/reference.ts";
import { type OciApi, type Rights, repositoryAuth } from "./api.ts";
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

/**
 * One GET; the digest is that of the bytes, and has to be the one that was asked for or that the registry names.
 * @throws SregistryError NOT_FOUND, INTEGRITY, REPLY_INVALID.
 */
export async function fetchDocument(
  api: OciApi,
  reference: PlacedReference,
  call: Call,
  rights: Rights = "pull",
): Promise<FetchedDocument> {
  const wanted = selectorText(reference);
  const url = api.manifestUrl(reference.path, wanted);
  const auth = repositoryAuth(reference.path, rights);
  const asked = api.fetch({ method: "GET", url, accept: [200], headers: ACCEPT, auth }, call, async (response) => ({
    bytes: await readCapped(response, MANIFEST_LIMIT),
    headers: response.headers,
  }));
  const { bytes, headers } = await found(reference, api, asked);
  const promised = isDigest(wanted) ? wanted : headers.get("docker-content-digest");
  const expected = promised !== undefined && isDigest(promised) ? promised : undefined;
  const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
  if (expected !== undefined && digest !== expected) {
    throw new SregistryError(
      "INTEGRITY",
      `the manifest of ${formatReference(reference)} should have digest ${expected}, and its bytes have ${digest}`,
      { hint: `a proxy before ${api.host} may change what it passes on: --debug shows the request` },
    );
  }
  const document = decodeNamed(bytes, headers.get("content-type"), formatReference(reference));
  return { bytes, digest, mediaType: document.mediaType, document };
}

/** The digest behind a tag or digest, without the body; undefined when there is nothing. */
async function headManifest(
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

export interface PutDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

/**
 * True when the registry notes the manifest's `subject` itself (OCI-Subject).
 * @throws SregistryError with the registry's words and what is known of its refusals; INTEGRITY on a foreign digest.
 */
export async function putManifest(
  api: OciApi,
  path: RepoPath,
  wanted: string,
  { bytes, digest, mediaType }: PutDocument,
  call: Call,
): Promise<boolean> {
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
  return response.headers.has("oci-subject");
}

/** A registry of several machines may need a moment until all of them know a new tag. */
const LOOKS = 3;

/** What exit 0 of a push means: the name resolves to the digest. @throws SregistryError CONFLICT. */
export async function readBack(api: OciApi, path: RepoPath, wanted: string, digest: Digest, call: Call): Promise<void> {
  const retry = api.retryPolicy(`reading ${path}:${wanted} back`, call);
  for (let look = 1; ; look += 1) {
    const named = await digestBehind(api, path, wanted, call);
    if (named === digest) return;
    const words = `${api.host}/${path}:${wanted} does not name what was just pushed (${digest}) but ${named ?? "nothing"}`;
    if (look === LOOKS) {
      throw new SregistryError("CONFLICT", words, {
        hint: "somebody else may have pushed to this tag at the same time",
      });
    }
    await retry.next(new SregistryError("NETWORK", words));
  }
}

/** The digest behind a name, by its bytes where the registry does not tell; undefined when there is nothing. */
export async function digestBehind(
  api: OciApi,
  path: RepoPath,
  wanted: string,
  call: Call,
): Promise<Digest | undefined> {
  const head = await headManifest(api, path, wanted, call);
  if (head !== "untold") return head;
  const selector = isDigest(wanted)
    ? ({ kind: "digest", digest: wanted } as const)
    : ({ kind: "tag", tag: parseTag(wanted) } as const);
  return (await fetchDocument(api, { scheme: "oras", host: api.host, path, selector }, call)).digest;
}

/** Names the reference. Registries say 404 too when a private repository must not be known of. */
export async function found<T>(reference: PlacedReference, api: OciApi, work: Promise<T>): Promise<T> {
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

/** A document that cannot be read is named by the reference it was asked for. */
function decodeNamed(bytes: Uint8Array, contentType: string | undefined, name: string): Document {
  try {
    return decodeDocument(bytes, contentType);
  } catch (error) {
    if (!isCode(error, "REPLY_INVALID")) throw error;
    throw new SregistryError("REPLY_INVALID", `${name}: ${error.message}`, {
      hint: "is it an OCI registry? --debug shows what it answers",
      cause: error,
    });
  }
}
