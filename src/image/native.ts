/** What a native SIF says of itself: `inspect-metadata.json` and the definition, as Singularity 3.6 and later write them. */
import { SregistryError } from "../errors.ts";
import { SIF_TYPES, type SifDescriptor } from "./descriptor.ts";
import { member, textMember, textRecord } from "./liberal.ts";
import type { ImageMetadata } from "./metadata.ts";
import { readObject } from "./object.ts";
import { type ImageReader, imageName } from "./reader.ts";
import type { Sif } from "./sif.ts";

/** The texts and labels; the header's part is added by read.ts. */
export type Contents = Omit<ImageMetadata, "architecture" | "signed" | "encrypted" | "format">;

/** SIFs before 3.6 keep their labels in the file system alone: those come out empty. */
export async function readNative(reader: ImageReader, sif: Sif): Promise<Contents> {
  const inspect = await readJson(reader, named(sif, SIF_TYPES.json, "inspect-metadata.json"));
  const attributes = member(member(inspect, "data"), "attributes");
  const config = await readJson(reader, named(sif, SIF_TYPES.json, "oci-config.json"));
  const labels = textRecord(
    member(attributes, "labels") ?? (await readJson(reader, named(sif, SIF_TYPES.labels))) ?? member(config, "Labels"),
  );
  const environment = member(attributes, "environment");
  return {
    labels,
    environment: environment === undefined ? ociEnvironment(config) : textRecord(environment),
    runscript: textMember(attributes, "runscript"),
    test: textMember(attributes, "test"),
    help: textMember(attributes, "helpfile"),
    deffile: textMember(attributes, "deffile") ?? (await readText(reader, named(sif, SIF_TYPES.definition))),
    startscript: textMember(attributes, "startscript"),
  };
}

/** An OCI config's `Env` list, under that name: there is no file in the image that holds it. */
export function ociEnvironment(config: unknown): Readonly<Record<string, string>> {
  const env = member(config, "Env");
  if (!Array.isArray(env) || env.length === 0) return {};
  return { Env: env.filter((line) => typeof line === "string").join("\n") };
}

function named(sif: Sif, type: number, name?: string): SifDescriptor | undefined {
  return sif.descriptors.find(
    (descriptor) => descriptor.type === type && (name ?? descriptor.name) === descriptor.name,
  );
}

async function readText(reader: ImageReader, descriptor: SifDescriptor | undefined): Promise<string | undefined> {
  return descriptor === undefined ? undefined : new TextDecoder().decode(await readObject(reader, descriptor));
}

async function readJson(reader: ImageReader, descriptor: SifDescriptor | undefined): Promise<unknown> {
  const text = await readText(reader, descriptor);
  if (descriptor === undefined || text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const what = `object ${descriptor.id} (${descriptor.name || descriptor.typeName})`;
    throw new SregistryError("IMAGE_INVALID", `${imageName(reader)}: ${what} is not JSON`, {
      hint: "the image's metadata is damaged: build or get it again",
      cause,
    });
  }
}
