/** One image, in a file or at an endpoint (by ranges, never downloaded): SIF objects, signatures, metadata. */
import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError, systemCode } from "../errors.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImage, type SifObject } from "../image/read.ts";
import type { Sif } from "../image/sif.ts";
import type { SifSignature } from "../image/signature.ts";
import type { Digest } from "../reference/digest.ts";
import { isFileWord } from "../reference/file-word.ts";
import { formatReference } from "../reference/format.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference } from "../reference/reference.ts";
import type { Referrer } from "../registry/registry.ts";
import { fileReader } from "../transfer/file-source.ts";
import { sizedReader } from "../transfer/registry-reader.ts";
import { imageMetadata } from "./metadata.ts";
import { architectureOption } from "./resolve-image.ts";
import type { Services } from "./services.ts";

export type InspectTarget =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "reference"; readonly reference: Reference };

export interface Inspection {
  /** The file, or the reference. */
  readonly name: string;
  readonly size: number;
  /** Of the SIF's bytes; undefined for a file, which is not hashed, and where the endpoint promises none. */
  readonly digest: Digest | undefined;
  /** The pin at an OCI endpoint. */
  readonly manifest: Digest | undefined;
  readonly metadata: ImageMetadata;
  /** RFC 3339: when the SIF was made, as it says itself; undefined where it does not, or where `objects` is. */
  readonly created: string | undefined;
  /** As `singularity sif list` has them; undefined where only the endpoint's metadata was asked. */
  readonly objects: readonly SifObject[] | undefined;
  /** Who signed is not verified; undefined where `objects` is. */
  readonly signatures: readonly SifSignature[] | undefined;
  /** What is attached to it at an OCI endpoint by a subject: signatures, SBOMs. */
  readonly referrers: readonly Referrer[];
}

export interface InspectOptions {
  readonly architecture?: string;
  /** Read the SIF's own objects too; without it an endpoint's copy of the metadata will do. */
  readonly objects: boolean;
}

/** A word that names a file, or looks like one, is a file; anything else is a reference. */
export async function inspectTarget(cwd: string, word: string): Promise<InspectTarget> {
  if (word.includes("://")) return { kind: "reference", reference: parseReference(word) };
  const path = resolvePath(cwd, word);
  const found = await statIfThere(path);
  // A directory may have a collection's name; where a path is written, reading it will say what it is instead.
  if (found !== undefined && (found.isFile() || isFileWord(word))) return { kind: "file", path };
  if (isFileWord(word)) {
    throw new SregistryError("NOT_FOUND", `there is no file ${word}`, { missing: { kind: "file", name: path } });
  }
  return { kind: "reference", reference: parseReference(word) };
}

export async function inspect(
  services: Services,
  target: InspectTarget,
  options: InspectOptions,
  call: Call,
): Promise<Inspection> {
  if (target.kind === "file") {
    await using reader = await fileReader(target.path);
    const { sif, metadata, objects, signatures } = await readImage(reader);
    const { size } = reader;
    return {
      name: target.path,
      size,
      digest: undefined,
      manifest: undefined,
      metadata,
      created: createdTime(sif),
      objects,
      signatures,
      referrers: [],
    };
  }
  const reference = await services.place(target.reference);
  const registry = await services.open(reference);
  const image = await registry.resolve(reference, architectureOption(options.architecture), call);
  const reader = await sizedReader(registry, image, call);
  const whole = options.objects ? await readImage(reader) : undefined;
  return {
    name: formatReference(target.reference),
    size: reader.size,
    digest: image.digest,
    manifest: image.manifest,
    metadata: whole?.metadata ?? (await imageMetadata(services, registry, image, call)),
    created: whole && createdTime(whole.sif),
    objects: whole?.objects,
    signatures: whole?.signatures,
    referrers: options.objects ? ((await registry.can.referrers?.(image, call)) ?? []) : [],
  };
}

function createdTime({ header: { created } }: Sif): string | undefined {
  // A header with zeros instead of a time.
  return created === undefined || created === 0
    ? undefined
    : new Date(created * 1000).toISOString().replace(".000Z", "Z");
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw new SregistryError("DISK", `${path} cannot be read`, { cause: error });
  }
}
