/** One object of a SIF, where it is metadata: small, or refused. */
import { SregistryError } from "../errors.ts";
import type { SifDescriptor } from "./descriptor.ts";
import { type ImageReader, imageName, readExactly } from "./reader.ts";

/** Bytes. Labels, environment and a definition are kilobytes; nobody's memory is to hold more of a foreign image. */
const LARGEST_OBJECT = 16 * 1024 * 1024;

/** @throws SregistryError IMAGE_INVALID when the object is larger than any metadata. */
export async function readObject(reader: ImageReader, descriptor: SifDescriptor): Promise<Uint8Array> {
  const { id, name, typeName, start, size } = descriptor;
  if (size <= LARGEST_OBJECT) return readExactly(reader, start, start + size);
  throw new SregistryError(
    "IMAGE_INVALID",
    `${imageName(reader)}: object ${id} (${name || typeName}) has ${size} bytes: metadata of at most ${LARGEST_OBJECT} is read`,
    { hint: "the image's metadata is damaged: build or get it again" },
  );
}
