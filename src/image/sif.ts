/** A SIF's table of contents, read and bounds-checked without its contents. */
import { isCode, SregistryError } from "../errors.ts";
import { decodeDescriptor, SIF_TYPES, type SifDescriptor } from "./descriptor.ts";
import { DESCRIPTOR_SIZE, decodeHeader, type SifHeader } from "./header.ts";
import { type ImageReader, imageName, readExactly } from "./reader.ts";

export interface Sif {
  readonly header: SifHeader;
  /** Those in use, in the order of their slots. */
  readonly descriptors: readonly SifDescriptor[];
  /** `oci-sif`: an OCI image (RootIndex and blobs) in a SIF. */
  readonly format: "sif" | "oci-sif";
}

/** Header, descriptors and, in a native image, mostly the metadata too: one request for a remote image. */
const HEAD = 64 * 1024;

/**
 * Reads the first 64 KiB, and the rest of the descriptors when there are more.
 * @throws SregistryError IMAGE_INVALID: not a SIF (and what it looks like), truncated, or damaged.
 */
export async function readSif(reader: ImageReader): Promise<Sif> {
  const name = imageName(reader);
  const head = await readExactly(reader, 0, Math.min(reader.size, HEAD));
  const header = decodeHeader(head, reader.size, name);
  const start = header.descriptorsOffset;
  const end = start + header.descriptorsTotal * DESCRIPTOR_SIZE;
  const table = end <= head.length ? head.subarray(start, end) : await readExactly(reader, start, end);
  const descriptors: SifDescriptor[] = [];
  for (let at = 0; at < table.length; at += DESCRIPTOR_SIZE) {
    const descriptor = decodeDescriptor(table.subarray(at, at + DESCRIPTOR_SIZE));
    if (descriptor === undefined) continue;
    checkBounds(descriptor, reader.size, name);
    descriptors.push(descriptor);
  }
  const isOci = descriptors.some(({ type }) => type === SIF_TYPES.ociRootIndex);
  return { header, descriptors, format: isOci ? "oci-sif" : "sif" };
}

function checkBounds({ id, typeName, start, size }: SifDescriptor, fileSize: number, name: string): void {
  const end = start + size;
  if (end <= fileSize) return;
  if (Number.isNaN(end)) {
    throw new SregistryError("IMAGE_INVALID", `${name}: descriptor ${id} (${typeName}) has no valid position or size`, {
      hint: "the file is damaged: get it again, or ask its owner",
    });
  }
  throw new SregistryError(
    "IMAGE_INVALID",
    `${name} is truncated: descriptor ${id} (${typeName}) ends at byte ${end} but the file has ${fileSize} bytes`,
    { hint: "the transfer that made the file may have been cut: get it again" },
  );
}

/**
 * What a push asks of its file before any request: that it is a whole SIF. What the SIF holds is not judged.
 * @throws SregistryError IMAGE_INVALID as readSif does, its hint naming the way to push another kind of file.
 */
export async function requireSif(reader: ImageReader): Promise<Sif> {
  try {
    return await readSif(reader);
  } catch (error) {
    if (!isCode(error, "IMAGE_INVALID")) throw error;
    throw new SregistryError("IMAGE_INVALID", error.message, {
      hint: `${error.hint ?? "look at the file"}; --any-file pushes it as it is`,
      cause: error,
    });
  }
}
