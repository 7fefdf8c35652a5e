/** The descriptors of a SIF: 585 bytes each, little-endian, packed (SIF format version 01). */
import { type Digest, isDigest } from "../reference/digest.ts";
import { sifArchitecture } from "./architecture.ts";
import { asciiAt, safeCount, unixTime } from "./header.ts";

/** Data types by the names that `singularity sif list` shows. */
export const SIF_TYPES = {
  definition: 0x4001,
  environment: 0x4002,
  labels: 0x4003,
  partition: 0x4004,
  signature: 0x4005,
  json: 0x4006,
  raw: 0x4007,
  cryptoMessage: 0x4008,
  sbom: 0x4009,
  ociRootIndex: 0x400a,
  ociBlob: 0x400b,
} as const;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [SIF_TYPES.definition, "Def.FILE"],
  [SIF_TYPES.environment, "Env.Vars"],
  [SIF_TYPES.labels, "JSON.Labels"],
  [SIF_TYPES.partition, "FS"],
  [SIF_TYPES.signature, "Signature"],
  [SIF_TYPES.json, "JSON.Generic"],
  [SIF_TYPES.raw, "Generic/Raw"],
  [SIF_TYPES.cryptoMessage, "Cryptographic Message"],
  [SIF_TYPES.sbom, "SBOM"],
  [SIF_TYPES.ociRootIndex, "OCI.RootIndex"],
  [SIF_TYPES.ociBlob, "OCI.Blob"],
]);

const FILE_SYSTEMS = ["", "Squashfs", "Ext3", "Archive", "Raw", "Encrypted squashfs"];
const PARTITIONS = ["", "System", "*System", "Data", "Overlay"];
const HASHES = ["", "SHA-256", "SHA-384", "SHA-512", "BLAKE2s-256", "BLAKE2b-256"];
const MESSAGE_FORMATS = ["", "OpenPGP", "PEM"];
const MESSAGES: ReadonlyMap<number, string> = new Map([
  [0x100, "Clear Signature"],
  [0x200, "RSA-OAEP"],
]);
const SBOM_FORMATS = [
  "",
  "cyclonedx-json",
  "cyclonedx-xml",
  "github-json",
  "spdx-json",
  "spdx-rdf",
  "spdx-tag-value",
  "spdx-yaml",
  "syft-json",
];

export type SifLink = { readonly kind: "object" | "group"; readonly id: number };

export interface SifDescriptor {
  readonly id: number;
  /** Undefined: in no group. */
  readonly group: number | undefined;
  /** What this object belongs to: a signature to the group it signs, a key to its file system. */
  readonly link: SifLink | undefined;
  /** One of SIF_TYPES, or a code of a later format. */
  readonly type: number;
  readonly typeName: string;
  readonly name: string;
  /** First byte in the file. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  /** Unix seconds. */
  readonly created: number | undefined;
  readonly modified: number | undefined;
  readonly detail: SifDetail | undefined;
}

/** The type's own fields, by the words of `singularity sif list`; "Unknown" for a code of a later format. */
export type SifDetail =
  | {
      readonly kind: "partition";
      readonly fileSystem: string;
      readonly partition: string;
      readonly architecture: string | undefined;
    }
  /** `fingerprint`: 40 lower-case hex digits of the PGP key; undefined for DSSE. */
  | { readonly kind: "signature"; readonly hash: string; readonly fingerprint: string | undefined }
  | { readonly kind: "message"; readonly format: string; readonly message: string }
  | { readonly kind: "sbom"; readonly format: string }
  /** Undefined when the digest is of an algorithm that we do not check. */
  | { readonly kind: "oci"; readonly digest: Digest | undefined };

const NAME_OFFSET = 73;
const NAME_SIZE = 128;
const EXTRA_OFFSET = 201;
const EXTRA_SIZE = 384;

/** One slot; undefined when it is unused. `start` and `size` are NaN when the file gives no sane number. */
export function decodeDescriptor(bytes: Uint8Array): SifDescriptor | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[4] === 0) return undefined;
  const type = view.getInt32(0, true);
  const group = view.getUint32(9, true) & 0x0fffffff;
  return {
    id: view.getUint32(5, true),
    group: group === 0 ? undefined : group,
    link: decodeLink(view.getUint32(13, true)),
    type,
    typeName: TYPE_NAMES.get(type) ?? "Unknown",
    name: padded(bytes, NAME_OFFSET, NAME_SIZE),
    start: safeCount(view.getBigInt64(17, true)),
    size: safeCount(view.getBigInt64(25, true)),
    created: unixTime(view.getBigInt64(41, true)),
    modified: unixTime(view.getBigInt64(49, true)),
    detail: decodeDetail(type, bytes.subarray(EXTRA_OFFSET, EXTRA_OFFSET + EXTRA_SIZE)),
  };
}

function decodeLink(value: number): SifLink | undefined {
  const id = value & 0x0fffffff;
  if (id === 0) return undefined;
  return { kind: value >>> 28 === 0xf ? "group" : "object", id };
}

function decodeDetail(type: number, extra: Uint8Array): SifDetail | undefined {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length);
  const word = (at: number, names: readonly string[]): string => names[view.getInt32(at, true)] || "Unknown";
  switch (type) {
    case SIF_TYPES.partition:
      return {
        kind: "partition",
        fileSystem: word(0, FILE_SYSTEMS),
        partition: word(4, PARTITIONS),
        architecture: sifArchitecture(asciiAt(extra, 8, 2)),
      };
    case SIF_TYPES.signature:
      return { kind: "signature", hash: word(0, HASHES), fingerprint: fingerprint(extra.subarray(4, 24)) };
    case SIF_TYPES.cryptoMessage:
      return {
        kind: "message",
        format: word(0, MESSAGE_FORMATS),
        message: MESSAGES.get(view.getInt32(4, true)) ?? "Unknown",
      };
    case SIF_TYPES.sbom:
      return { kind: "sbom", format: word(0, SBOM_FORMATS) };
    case SIF_TYPES.ociRootIndex:
    case SIF_TYPES.ociBlob: {
      const digest = padded(extra, 0, EXTRA_SIZE);
      return { kind: "oci", digest: isDigest(digest) ? digest : undefined };
    }
    default:
      return undefined;
  }
}

function fingerprint(bytes: Uint8Array): string | undefined {
  return bytes.every((byte) => byte === 0) ? undefined : Buffer.from(bytes).toString("hex");
}

/** Text up to the first NUL. */
function padded(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** A row of `singularity sif list`. */
export interface DescriptorRow {
  readonly id: string;
  /** `NONE` or a number. */
  readonly group: string;
  /** `NONE`, `3`, or `1 (G)` for a group. */
  readonly link: string;
  /** `start-end` in bytes, the end excluded. */
  readonly position: string;
  /** With its detail: `FS (Squashfs/*System/amd64)`, `Signature (SHA-256)`. */
  readonly type: string;
}

export function describeDescriptor(descriptor: SifDescriptor): DescriptorRow {
  const { id, group, link, start, size } = descriptor;
  return {
    id: String(id),
    group: group === undefined ? "NONE" : String(group),
    link: link === undefined ? "NONE" : `${link.id}${link.kind === "group" ? " (G)" : ""}`,
    position: `${start}-${start + size}`,
    type: describeType(descriptor),
  };
}

function describeType({ typeName, detail }: SifDescriptor): string {
  switch (detail?.kind) {
    case "partition":
      return `${typeName} (${detail.fileSystem}/${detail.partition}/${detail.architecture ?? "unknown"})`;
    case "signature":
      return `${typeName} (${detail.hash})`;
    case "message":
      return `${typeName} (${detail.format}/${detail.message})`;
    case "sbom":
      return `${typeName} (${detail.format})`;
    case "oci":
    case undefined:
      return typeName;
  }
}
