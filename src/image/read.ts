/** An image's whole story in one or two reads: table of contents, metadata, signatures. */
import { type DescriptorRow, describeDescriptor, SIF_TYPES } from "./descriptor.ts";
import type { ImageMetadata } from "./metadata.ts";
import { readNative } from "./native.ts";
import { readOciSif } from "./oci-sif.ts";
import { type ImageReader, windowedReader } from "./reader.ts";
import { readSif, requireSif, type Sif } from "./sif.ts";
import { readSignatures, type SifSignature } from "./signature.ts";

/** A row of `singularity sif list`, with the object's own name and size in bytes. */
export interface SifObject extends DescriptorRow {
  readonly name: string;
  readonly size: number;
}

export interface ImageContents {
  readonly sif: Sif;
  readonly metadata: ImageMetadata;
  readonly objects: readonly SifObject[];
  readonly signatures: readonly SifSignature[];
}

/** @throws SregistryError IMAGE_INVALID for what is no whole SIF. */
export async function readImage(reader: ImageReader): Promise<ImageContents> {
  const window = windowedReader(reader);
  const sif = await readSif(window);
  return {
    sif,
    metadata: await readMetadata(window, sif),
    objects: sif.descriptors.map((descriptor) => ({
      ...describeDescriptor(descriptor),
      name: descriptor.name,
      size: descriptor.size,
    })),
    signatures: await readSignatures(window, sif),
  };
}

/** What a push reads first. @throws SregistryError IMAGE_INVALID as requireSif does. */
export async function readImageMetadata(reader: ImageReader): Promise<ImageMetadata> {
  const window = windowedReader(reader);
  return readMetadata(window, await requireSif(window));
}

export async function readMetadata(reader: ImageReader, sif: Sif): Promise<ImageMetadata> {
  const contents =
    sif.format === "oci-sif"
      ? await readOciSif(reader, sif)
      : { ...(await readNative(reader, sif)), architecture: nativeArchitecture(sif) };
  return { ...contents, signed: isSigned(sif), encrypted: isEncrypted(sif), format: sif.format };
}

/** The header's, else that of the primary file system. */
function nativeArchitecture({ header, descriptors }: Sif): string | undefined {
  if (header.architecture !== undefined) return header.architecture;
  for (const { detail } of descriptors) {
    if (detail?.kind === "partition" && detail.partition === "*System") return detail.architecture;
  }
  return undefined;
}

function isSigned({ descriptors }: Sif): boolean {
  return descriptors.some(({ type }) => type === SIF_TYPES.signature);
}

function isEncrypted({ descriptors }: Sif): boolean {
  return descriptors.some(
    ({ detail }) =>
      (detail?.kind === "partition" && detail.fileSystem === "Encrypted squashfs") ||
      (detail?.kind === "message" && detail.message === "RSA-OAEP"),
  );
}
