/** A SIF as an OCI artifact: the manifest and config that a push writes, and the layer that a pull looks for. */
import { SregistryError } from "../errors.ts";
import { type Digest, digestOf } from "../reference/digest.ts";
import { labelAnnotations } from "./annotations.ts";
import { encodeConfig } from "./config.ts";
import { type Descriptor, type Manifest, MEDIA_TYPES } from "./document.ts";
import type { ImageMetadata } from "./metadata.ts";

export interface ArtifactInput {
  /** Base name of the pushed file. */
  readonly title: string;
  /** Of the file's bytes. */
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Undefined for a file that is no SIF. */
  readonly metadata: ImageMetadata | undefined;
  readonly description?: string | undefined;
  /** Exactly the bytes that SingularityCE 4.5 would push. */
  readonly plain: boolean;
}

export interface SifArtifact {
  readonly config: Uint8Array;
  readonly configDigest: Digest;
  readonly configType: string;
  /** Media type of the one layer: the file itself. */
  readonly layerType: string;
  readonly manifest: Uint8Array;
  readonly manifestDigest: Digest;
  /** Of the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The type that `oras push` gives a file it knows nothing of. */
const UNKNOWN_ARTIFACT = "application/vnd.unknown.artifact.v1";
const EMPTY_CONFIG = new TextEncoder().encode("{}");

/**
 * Deterministic: no time of creation, members in SingularityCE's order. The same file under the same name has the same
 * manifest digest, so that a push of what is there already is seen to be one.
 */
export function sifArtifact(input: ArtifactInput): SifArtifact {
  const { title, digest, size, metadata, description, plain } = input;
  const isSif = metadata !== undefined;
  const rich = isSif && !plain;
  const config = rich ? encodeConfig({ metadata, digest, description }) : EMPTY_CONFIG;
  const annotations = plain ? {} : labelAnnotations(metadata?.labels ?? {}, description);
  const configType = isSif ? MEDIA_TYPES.sifConfig : MEDIA_TYPES.empty;
  const layerType = isSif ? MEDIA_TYPES.sifLayer : MEDIA_TYPES.octetStream;
  const configDigest = digestOf(config);
  const manifest = encodeLikeGo({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    ...(isSif ? {} : { artifactType: UNKNOWN_ARTIFACT }),
    config: { mediaType: configType, size: config.length, digest: configDigest },
    layers: [{ mediaType: layerType, size, digest, annotations: { "org.opencontainers.image.title": title } }],
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
  return {
    config,
    configDigest,
    configType,
    layerType,
    manifest,
    manifestDigest: digestOf(manifest),
    annotations,
  };
}

/** Go's encoding/json, which writes Singularity's manifests, escapes what HTML would read: a title may hold it. */
function encodeLikeGo(value: unknown): Uint8Array {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new TextEncoder().encode(text);
}

export interface SifLayer {
  readonly layer: Descriptor;
  /** False: the types do not say what it is, so the first bytes must say that it is a SIF (`hasSifMagic`). */
  readonly certain: boolean;
}

const SIF_LAYERS: readonly string[] = [MEDIA_TYPES.sifLayer, MEDIA_TYPES.oldSifLayer];
/** Layers of a container image; squashfs and ext3 are those of an OCI-SIF pushed to docker://. */
const IMAGE_LAYER = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs|sylabs\.image\.layer)\./;
/** Never a SIF, whatever the client that chose the type knew of it. */
const PACKED_LAYER = /(?:gzip|zstd|squashfs|ext3)$/;

/**
 * The config's type is not looked at: Singularity never did, and the wild has zero-byte ones, a missing `+json`
 * (3.8) and docker manifests (Wave). A bare `oras push` gives a single layer of some type: that may be a SIF.
 * @throws SregistryError UNSUPPORTED for an image in layers, IMAGE_INVALID for an artifact of another kind.
 */
export function sifLayer(manifest: Manifest): SifLayer {
  const sifs = manifest.layers.filter(({ mediaType }) => SIF_LAYERS.includes(mediaType));
  const [sif] = sifs;
  if (sif !== undefined && sifs.length === 1) return { layer: sif, certain: true };
  const [layer, ...others] = manifest.layers;
  if (layer === undefined) {
    throw new SregistryError("IMAGE_INVALID", "the manifest has no layers, so it holds no SIF", { hint: SIF_HINT });
  }
  if (sif !== undefined) {
    const words = `the manifest has ${sifs.length} SIF layers, where one image has one`;
    throw new SregistryError("IMAGE_INVALID", words, { hint: SIF_HINT });
  }
  const inLayers = IMAGE_LAYER.test(layer.mediaType);
  // A file that was pushed as any file comes back as it went.
  const anyFile = manifest.artifactType === UNKNOWN_ARTIFACT && layer.mediaType === MEDIA_TYPES.octetStream;
  if (others.length === 0 && anyFile) return { layer, certain: true };
  if (others.length === 0 && !(inLayers && PACKED_LAYER.test(layer.mediaType))) return { layer, certain: false };
  const words = `this is no SIF but ${others.length + 1} layer${others.length === 0 ? "" : "s"} of type ${layer.mediaType}`;
  if (!inLayers) throw new SregistryError("IMAGE_INVALID", words, { hint: SIF_HINT });
  throw new SregistryError("UNSUPPORTED", words, {
    hint: "a container image in layers is made into a SIF by: singularity pull docker://...",
  });
}

const SIF_HINT = "a SIF is pushed with: sregistry push IMAGE.sif oras://HOST/path:tag";
