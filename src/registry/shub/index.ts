/** `shub://`: a record by name, and the image behind a URL in it. Singularity Registry Server, Hinkskalle and the old hub. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { Transport } from "../../http/transport.ts";
import { readImageMetadata } from "../../image/read.ts";
import { type Digest, digestHex, isDigest } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, ShubReference } from "../../reference/reference.ts";
import { registryReader } from "../../transfer/registry-reader.ts";
import type { ImageInfo, Registry } from "../registry.ts";
import { aboutArchive, type Hub } from "./hub.ts";
import { imageUrl } from "./image-url.ts";
import { fetchManifest, type Manifest } from "./manifest.ts";
import { readImage } from "./read.ts";

export interface ShubOptions {
  /** For messages; default: the host. */
  readonly name?: string;
  /** Scheme, host and port; a path in it is kept. */
  readonly base: URL;
  /** Signs where `hmac` says so. */
  readonly transport: Transport;
  /** A login is known: private images are asked for again with a signature. */
  readonly hmac?: boolean;
  /** Of answers that break off; the transport has its own for requests. */
  readonly retry?: Partial<RetryLimits>;
}

export function createShubRegistry(options: ShubOptions): Registry {
  const { base, transport, hmac = false, retry, name = `shub server ${base.host}` } = options;
  const hub: Hub = { name, base, transport, hmac, retry };
  const urls = new WeakMap<ImageInfo, URL>();

  async function resolve(placed: PlacedReference, architecture: string | undefined, call: Call): Promise<ImageInfo> {
    const reference = shubReference(placed);
    const manifest = await fetchManifest(hub, reference, architecture, call);
    const image = describe(hub, reference, manifest);
    urls.set(image, await imageUrl(hub, manifest.image));
    return image;
  }

  /** An image that was handed on as a copy is asked for again. */
  async function urlOf(image: ImageInfo, call: Call): Promise<URL> {
    const url = urls.get(image) ?? urls.get(await resolve(image.reference, image.architecture, call));
    if (url === undefined) throw new SregistryError("INTERNAL", "an image of shub:// without a URL");
    return url;
  }

  const registry: Registry = {
    name,
    resolve: (reference, { architecture }, call) => explained(resolve(reference, architecture, call)),
    read: (image, range, call) => explained(urlOf(image, call).then((url) => readImage(hub, url, image, range, call))),
    // Where downloads are limited, each request counts as one.
    parallel: { concurrency: 1 },
    can: {
      /** Read from the image: its size, which a range is cut by, comes with the first answer only. */
      async metadata(image, call) {
        const size = image.size ?? (await sizeOf(image, call));
        const sized: ImageInfo = { ...image, size };
        urls.set(sized, await urlOf(image, call));
        return readImageMetadata(registryReader(registry, sized, call, retry));
      },
    },
  };
  return registry;

  async function sizeOf(image: ImageInfo, call: Call): Promise<number> {
    const { total, body } = await registry.read(image, { start: 0, end: 1 }, call);
    body.destroy();
    if (total !== undefined) return total;
    throw new SregistryError("UNSUPPORTED", `${name} does not tell the size of ${formatReference(image.reference)}`);
  }

  async function explained<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw aboutArchive(hub, error);
    }
  }
}

function shubReference(reference: PlacedReference): ShubReference {
  if (reference.scheme === "shub") return reference;
  throw new SregistryError("INTERNAL", `${formatReference(reference)} is not a name of shub://`);
}

function describe(hub: Hub, reference: ShubReference, manifest: Manifest): ImageInfo {
  const { version, size, created } = manifest;
  const promised = contentDigest(version);
  requirePinned(hub, reference, manifest, promised);
  const { selector } = reference;
  return {
    reference,
    size,
    // A server that promises no digest is held to the one that the user named.
    digest: promised ?? (selector.kind === "digest" ? selector.digest : undefined),
    architecture: undefined,
    mediaType: undefined,
    ...(created === undefined || Number.isNaN(Date.parse(created)) ? {} : { created }),
    annotations: {},
  };
}

/** A version of 32 digits is an md5, which proves nothing. */
function contentDigest(version: string | undefined): Digest | undefined {
  const digest = (version ?? "").toLowerCase().replace(/^sha256\./, "sha256:");
  return isDigest(digest) ? digest : undefined;
}

/**
 * Singularity Registry Server 2.1 takes a version in the URL and passes it over: what came may be any image of that name.
 * @throws SregistryError NOT_FOUND when it is another one, INTEGRITY when nothing tells which it is.
 */
function requirePinned(
  { name }: Hub,
  reference: ShubReference,
  { version, commit }: Manifest,
  promised: Digest | undefined,
): void {
  const { selector } = reference;
  if (selector.kind === "tag") return;
  const wanted = formatReference(reference);
  const known = [version, commit].filter((one) => one !== undefined && one !== "");
  if (selector.kind === "digest") {
    if (promised === undefined || promised === selector.digest) return;
  } else {
    const hex = [...known, ...(promised === undefined ? [] : [digestHex(promised)])].map((one) => one?.toLowerCase());
    if (hex.includes(selector.hex)) return;
    if (known.length === 0) {
      throw new SregistryError("INTEGRITY", `${name} does not say which version it has of ${wanted}`, {
        hint: "name a tag, or a sha256 digest: the image itself can be held to that",
      });
    }
  }
  throw new SregistryError(
    "NOT_FOUND",
    `${name} does not have ${wanted}: what it gives is ${known.join(", commit ")}`,
    {
      hint: "servers of this protocol keep one image for a tag, and may pass over a version: name the tag",
    },
  );
}
