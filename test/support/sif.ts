/** SIFs made to measure: what the fixtures do not have (OCI-SIFs, old images, damage). */
import { digestOf } from "../../src/reference/digest.ts";

export interface SifPart {
  readonly type: number;
  readonly name?: string;
  readonly content: Uint8Array | string;
  /** Written at byte 201 of the descriptor. */
  readonly extra?: Uint8Array | string;
  /** Default 1; 0 is none. */
  readonly group?: number;
  /** As it is in the file, top nibble included. */
  readonly link?: number;
}

export interface SifShape {
  /** Two digits; default `02`, amd64. */
  readonly architecture?: string;
  /** Slots; default one more than there are parts. */
  readonly total?: number;
  /** Byte at which the descriptors begin. */
  readonly offset?: number;
}

export function makeSif(
  parts: readonly SifPart[],
  { architecture = "02", total, offset = 128 }: SifShape = {},
): Buffer {
  const slots = total ?? parts.length + 1;
  const contents = parts.map(({ content }) => Buffer.from(content));
  const head = Buffer.alloc(offset + slots * 585);
  head.write("#!/usr/bin/env run-singularity\n", 0);
  head.write("SIF_MAGIC", 32);
  head.write("01", 42);
  head.write(architecture, 45);
  head.writeBigInt64LE(BigInt(slots), 88);
  head.writeBigInt64LE(BigInt(offset), 96);
  head.writeBigInt64LE(BigInt(slots * 585), 104);
  let start = head.length;
  parts.forEach(({ type, name = "", extra = "", group = 1, link = 0 }, index) => {
    const at = offset + index * 585;
    head.writeInt32LE(type, at);
    head.writeUInt8(1, at + 4);
    head.writeUInt32LE(index + 1, at + 5);
    head.writeUInt32LE((0xf0000000 | group) >>> 0, at + 9);
    head.writeUInt32LE(link, at + 13);
    head.writeBigInt64LE(BigInt(start), at + 17);
    head.writeBigInt64LE(BigInt(contents[index]!.length), at + 25);
    head.write(name, at + 73, 128);
    Buffer.from(extra).copy(head, at + 201, 0, 384);
    start += contents[index]!.length;
  });
  return Buffer.concat([head, ...contents]);
}

/** Blob object of an OCI-SIF, named by its digest. */
export function ociBlob(content: string): SifPart {
  return { type: 0x400b, content, extra: digestOf(content) };
}

/** An OCI-SIF of one layer whose config is `config`. */
export function makeOciSif(config: unknown, parts: readonly SifPart[] = []): Buffer {
  const layer = "squashfs goes here";
  const text = JSON.stringify(config);
  const link = (mediaType: string, content: string) => ({ mediaType, size: content.length, digest: digestOf(content) });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: link("application/vnd.oci.image.config.v1+json", text),
    layers: [link("application/vnd.sylabs.image.layer.v1.squashfs", layer)],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...link("application/vnd.oci.image.manifest.v1+json", manifest),
        artifactType: "application/vnd.oci.image.config.v1+json",
      },
    ],
  });
  const root = { type: 0x400a, content: index, extra: digestOf(index) };
  return makeSif([ociBlob(layer), ociBlob(text), ociBlob(manifest), root, ...parts], { architecture: "00" });
}
