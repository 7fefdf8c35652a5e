/** What an OCI-SIF says of itself: RootIndex -> manifest -> config, each an object of the SIF found by its digest. */
import { isCode, SregistryError } from "../errors.ts";
import { type Digest, digestAlgorithm, digestOf } from "../reference/digest.ts";
import { SIF_TYPES } from "./descriptor.ts";
import { type Document, decodeDocument } from "./document.ts";
import { member, textMember, textRecord } from "./liberal.ts";
import type { Contents } from "./native.ts";
import { ociEnvironment } from "./native.ts";
import { readObject } from "./object.ts";
import { imageEntries } from "./platform.ts";
import { type ImageReader, imageName } from "./reader.ts";
import type { Sif } from "./sif.ts";

export interface OciContents extends Contents {
  /** Of the config: the SIF's own header says "unknown". */
  readonly architecture: string | undefined;
}

/** @throws SregistryError IMAGE_INVALID when a link of the chain is missing or is not what its digest says. */
export async function readOciSif(reader: ImageReader, sif: Sif): Promise<OciContents> {
  const root = sif.descriptors.find(({ type }) => type === SIF_TYPES.ociRootIndex);
  if (root === undefined) throw broken(reader, "it has no OCI.RootIndex object");
  const index = decodeInside(reader, await readObject(reader, root));
  const entry = index.kind === "index" ? imageEntries(index)[0] : undefined;
  if (entry === undefined) throw broken(reader, "its OCI.RootIndex names no image");
  const manifest = decodeInside(reader, await readBlob(reader, sif, entry.digest));
  if (manifest.kind !== "manifest") throw broken(reader, `its blob ${entry.digest} is not a manifest`);
  return decodeConfig(reader, await readBlob(reader, sif, manifest.config.digest));
}

/** By digest, never by position: overlays rewrite the objects into other slots. */
async function readBlob(reader: ImageReader, sif: Sif, digest: Digest): Promise<Uint8Array> {
  const blob = sif.descriptors.find(({ detail }) => detail?.kind === "oci" && detail.digest === digest);
  if (blob === undefined) throw broken(reader, `it has no object for the blob ${digest}`);
  const bytes = await readObject(reader, blob);
  if (digestOf(bytes, digestAlgorithm(digest)) !== digest) {
    throw broken(reader, `object ${blob.id} (${blob.typeName}) does not have the digest ${digest}`);
  }
  return bytes;
}

function decodeInside(reader: ImageReader, bytes: Uint8Array): Document {
  try {
    return decodeDocument(bytes);
  } catch (error) {
    if (!isCode(error, "REPLY_INVALID")) throw error;
    throw broken(reader, error.message, error);
  }
}

function decodeConfig(reader: ImageReader, bytes: Uint8Array): OciContents {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw broken(reader, "its OCI config is not JSON", cause);
  }
  const config = member(json, "config");
  return {
    architecture: textMember(json, "architecture"),
    labels: textRecord(member(config, "Labels")),
    environment: ociEnvironment(config),
    runscript: undefined,
    test: undefined,
    help: undefined,
    deffile: undefined,
    startscript: undefined,
  };
}

function broken(reader: ImageReader, words: string, cause?: unknown): SregistryError {
  return new SregistryError("IMAGE_INVALID", `${imageName(reader)} is not a whole OCI-SIF: ${words}`, {
    hint: "the file is damaged: get it again, or ask its owner",
    ...(cause === undefined ? {} : { cause }),
  });
}
