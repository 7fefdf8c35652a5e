/** Resolving names to SIFs, and reading their bytes by ranges. */
import { Readable } from "node:stream";
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { MANIFEST_LIMIT, readCapped } from "../../http/body.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { sifLayer } from "../../image/artifact.ts";
import { configMetadata } from "../../image/config.ts";
import type { Descriptor } from "../../image/document.ts";
import { decodeHeader, HEADER_SIZE, hasSifMagic, notSif } from "../../image/header.ts";
import type { ImageMetadata } from "../../image/metadata.ts";
import { chooseByArchitecture } from "../../image/platform.ts";
import { digestAlgorithm, digestOf } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import { isBulk, rangedPart } from "../ranged.ts";
import type { BodyPart, ByteRange, ImageInfo, ResolveOptions } from "../registry.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { type FetchedDocument, fetchDocument, found } from "./manifests.ts";

export interface ResolvedImage extends ImageInfo {
  /** Where the metadata is, if this artifact carries any. */
  readonly config: Descriptor;
}

/** @throws SregistryError UNSUPPORTED or IMAGE_INVALID for what is no SIF, NOT_FOUND for a missing architecture. */
export async function resolveImage(
  api: OciApi,
  reference: PlacedReference,
  { architecture }: ResolveOptions,
  call: Call,
): Promise<ResolvedImage> {
  const named = await fetchDocument(api, reference, call);
  const { fetched, platform } = await imageOf(api, reference, named, architecture, call);
  const { document, digest } = fetched;
  if (document.kind !== "manifest") {
    throw new SregistryError("UNSUPPORTED", `${formatReference(reference)} is an index of indexes`);
  }
  const { layer, certain } = sifLayer(document);
  const image: ResolvedImage = {
    reference,
    size: layer.size,
    digest: layer.digest,
    manifest: digest,
    architecture: platform,
    mediaType: layer.mediaType,
    annotations: document.annotations,
    config: document.config,
  };
  // A manifest alone does not say for which machine its image is.
  const asked = architecture !== undefined && platform === undefined;
  if (certain && !asked) return image;
  const head = await readHead(api, image, call);
  if (!certain && !hasSifMagic(head)) throw notSif(head, formatReference(reference));
  return asked ? { ...image, architecture: architectureIn(head, image) } : image;
}

/** Undefined for a file that is no SIF and was pushed as it is, and where the header does not say it. */
function architectureIn(head: Buffer, { reference, size = head.length }: ImageInfo): string | undefined {
  return hasSifMagic(head) ? decodeHeader(head, size, formatReference(reference)).architecture : undefined;
}

interface Chosen {
  readonly fetched: FetchedDocument;
  readonly platform: string | undefined;
}

async function imageOf(
  api: OciApi,
  reference: PlacedReference,
  named: FetchedDocument,
  architecture: string | undefined,
  call: Call,
): Promise<Chosen> {
  if (named.document.kind === "manifest") return { fetched: named, platform: undefined };
  const entry = chooseByArchitecture(named.document, architecture, hostArchitecture());
  const selector = { kind: "digest", digest: entry.digest } as const;
  return {
    fetched: await fetchDocument(api, { ...reference, selector }, call),
    platform: entry.platform?.architecture,
  };
}

/** The image's first bytes: they say whether it is a SIF where its layer's type does not (`oras push` without a type). */
async function readHead(api: OciApi, image: ResolvedImage, call: Call): Promise<Buffer> {
  const { body } = await readBlob(api, image, { start: 0, end: Math.min(HEADER_SIZE, image.size ?? 0) }, call);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= HEADER_SIZE) break;
  }
  return Buffer.concat(chunks);
}

/** Undefined when the config carries no metadata of ours: the SIF itself is asked then. */
export async function configOf(
  api: OciApi,
  { reference, config }: ResolvedImage,
  call: Call,
): Promise<ImageMetadata | undefined> {
  // `{}`, and what other clients write instead.
  if (config.size <= 2 || config.size > MANIFEST_LIMIT) return undefined;
  const auth = repositoryAuth(reference.path, "pull");
  const url = api.blobUrl(reference.path, config.digest);
  const bytes = await api.fetch({ method: "GET", url, accept: [200], auth }, call, (response) =>
    readCapped(response, config.size),
  );
  if (digestOf(bytes, digestAlgorithm(config.digest)) !== config.digest) {
    throw new SregistryError(
      "INTEGRITY",
      `the config of ${formatReference(reference)} has not the digest ${config.digest}`,
    );
  }
  return configMetadata(bytes);
}

/**
 * 206 with exactly the range, or 200 with the whole; anything else is an error. A range at the end is never asked for:
 * registry:2 2.8 answers 416 with the length of the whole blob, and a client that keeps the connection hangs.
 */
export async function readBlob(api: OciApi, image: ImageInfo, range: ByteRange, call: Call): Promise<BodyPart> {
  const { reference, size, digest } = image;
  if (digest === undefined || size === undefined)
    throw new SregistryError("INTERNAL", "an OCI image without a descriptor");
  const end = Math.min(range.end ?? size, size);
  if (range.start >= end) return { start: range.start, total: size, body: Readable.from([]) };
  const ranged = range.start > 0 || end < size;
  const asked = api.send(
    {
      method: "GET",
      url: api.blobUrl(reference.path, digest),
      // Unasked, a part is refused for what it is: words are not looked for in an image.
      accept: [200, 206],
      headers: ranged ? { range: `bytes=${range.start}-${end - 1}` } : {},
      auth: repositoryAuth(reference.path, "pull"),
      bulk: isBulk(range, size),
    },
    call,
  );
  const response = await found(reference, api, asked);
  return rangedPart(response, { start: range.start, end, size }, formatReference(reference));
}
