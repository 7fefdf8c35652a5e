/**
 * OCI manifests and indexes, decoded at the border (image-spec manifest.md, image-index.md). The digest of a document
 * is that of its raw bytes: hash those, never what came out of here.
 */
import {
  count,
  type Decoder,
  field,
  type JsonObject,
  list,
  object,
  optional,
  parseJson,
  record,
  string,
} from "../decode.ts";
import { SregistryError } from "../errors.ts";
import { type Digest, isDigest } from "../reference/digest.ts";

export const MEDIA_TYPES = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  imageConfig: "application/vnd.oci.image.config.v1+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
  sifConfig: "application/vnd.sylabs.sif.config.v1+json",
  sifLayer: "application/vnd.sylabs.sif.layer.v1.sif",
  /** What Singularity up to 3.6 wrote, misspelling and all. */
  oldSifLayer: "appliciation/vnd.sylabs.sif.layer.tar",
  octetStream: "application/octet-stream",
} as const;

const MANIFEST_TYPES: readonly string[] = [MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest];
const INDEX_TYPES: readonly string[] = [MEDIA_TYPES.index, MEDIA_TYPES.dockerList];

/** For the Accept header of a manifest request: registry:2 answers 404 when the OCI types are not in it. */
export const DOCUMENT_TYPES: readonly string[] = [...MANIFEST_TYPES, ...INDEX_TYPES];

/** Bytes; distribution-spec lets registries refuse more. */
export const LARGEST_DOCUMENT = 4 * 1024 * 1024;

export interface Platform {
  readonly os: string;
  /** Go's name. */
  readonly architecture: string;
  /** `v7`, `v8`, ... */
  readonly variant: string | undefined;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType: string | undefined;
  readonly platform: Platform | undefined;
}

interface Common {
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest extends Common {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface Index extends Common {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

export type Document = Manifest | Index;

/**
 * `contentType`: the answer's header, parameters and all. A document that could be read as two kinds is refused
 * (CVE-2021-41190), and so is one whose own mediaType is not the header's.
 * @throws SregistryError REPLY_INVALID naming the field.
 */
export function decodeDocument(bytes: Uint8Array, contentType?: string): Document {
  if (bytes.length > LARGEST_DOCUMENT) {
    throw wrong(`the manifest has ${bytes.length} bytes: at most ${LARGEST_DOCUMENT} are read`);
  }
  const json = object(parseJson(new TextDecoder().decode(bytes), "manifest"), "manifest");
  const mediaType = documentType(json, contentType);
  const version = field(json, "schemaVersion", count, "manifest");
  if (version !== 2)
    throw wrong(`manifest.schemaVersion is ${version}, not 2: the registry holds an image too old to read`);
  const common = {
    mediaType,
    artifactType: field(json, "artifactType", optional(string), "manifest") || undefined,
    subject: field(json, "subject", optional(descriptor), "manifest"),
    annotations: field(json, "annotations", annotations, "manifest"),
  };
  if (INDEX_TYPES.includes(mediaType)) {
    refuseMembers(json, mediaType, ["layers", "config", "fsLayers"]);
    return { kind: "index", ...common, manifests: field(json, "manifests", list(descriptor), "manifest") };
  }
  refuseMembers(json, mediaType, ["manifests", "fsLayers"]);
  return {
    kind: "manifest",
    ...common,
    config: field(json, "config", descriptor, "manifest"),
    layers: field(json, "layers", list(descriptor), "manifest"),
  };
}

/** The one media type of the document: its own, else the header's, else (OCI lets it be absent) its shape's. */
function documentType(json: JsonObject, contentType: string | undefined): string {
  const own = field(json, "mediaType", optional(string), "manifest") || undefined;
  const header = contentType?.split(";")[0]?.trim().toLowerCase() || undefined;
  if (own !== undefined && header !== undefined && own.toLowerCase() !== header) {
    throw wrong(
      `manifest.mediaType is ${JSON.stringify(own)}, but the answer's Content-Type ${JSON.stringify(header)}`,
    );
  }
  const type = own ?? header ?? ("manifests" in json ? MEDIA_TYPES.index : MEDIA_TYPES.manifest);
  if (!DOCUMENT_TYPES.includes(type)) {
    throw wrong(`manifest: media type ${JSON.stringify(type)} is neither a manifest nor an index`);
  }
  return type;
}

function refuseMembers(json: JsonObject, mediaType: string, names: readonly string[]): void {
  const name = names.find((member) => member in json);
  if (name === undefined) return;
  throw wrong(`manifest: ${JSON.stringify(name)} has no place in a document of type ${mediaType}`);
}

const digest: Decoder<Digest> = (value, where) => {
  const text = string(value, where);
  if (isDigest(text)) return text;
  throw wrong(`${where}: ${JSON.stringify(text.slice(0, 160))} is not a sha256 or sha512 digest`);
};

const annotations: Decoder<Readonly<Record<string, string>>> = (value, where) =>
  optional(record(string))(value, where) ?? {};

const platform: Decoder<Platform> = (value, where) => {
  const json = object(value, where);
  return {
    os: field(json, "os", string, where),
    architecture: field(json, "architecture", string, where),
    variant: field(json, "variant", optional(string), where),
  };
};

/** `urls` and `data` are left behind: foreign places and inline copies are never used. */
const descriptor: Decoder<Descriptor> = (value, where) => {
  const json = object(value, where);
  return {
    mediaType: field(json, "mediaType", string, where),
    digest: field(json, "digest", digest, where),
    size: field(json, "size", count, where),
    annotations: field(json, "annotations", annotations, where),
    artifactType: field(json, "artifactType", optional(string), where) || undefined,
    platform: field(json, "platform", optional(platform), where),
  };
};

function wrong(message: string): SregistryError {
  return new SregistryError("REPLY_INVALID", message, {
    hint: "the registry, or a proxy before it, sent something else than an OCI manifest: --debug shows the request",
  });
}
