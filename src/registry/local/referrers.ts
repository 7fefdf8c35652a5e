/**
 * What points at a manifest by its `subject`: one small file a referrer, in a directory named after the subject, so that
 * the question needs no manifest to be read. A check makes the directory again from the manifests.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type JsonObject, object, parseJson } from "../../decode.ts";
import type { Document } from "../../image/document.ts";
import type { Digest } from "../../reference/digest.ts";
import { isDigest } from "../../reference/digest.ts";
import { ifPresent, makeDirectory, names, removeFile, replaceFile } from "./files.ts";
import type { ManifestEntry } from "./index-file.ts";
import { digestName, type Layout } from "./layout.ts";

/** A descriptor as the referrers API gives it (distribution-spec, "Listing Referrers"). */
export interface Referrer {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function referrerOf(manifest: ManifestEntry, document: Document): Referrer {
  const { mediaType, digest, size } = manifest;
  const config = document.kind === "manifest" ? document.config.mediaType : undefined;
  const artifactType = document.artifactType ?? config;
  const { annotations } = document;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

export async function writeReferrer(layout: Layout, subject: Digest, referrer: Referrer): Promise<void> {
  const directory = join(layout.referrers, digestName(subject));
  await makeDirectory(directory);
  await replaceFile(join(directory, digestName(referrer.digest)), new TextEncoder().encode(JSON.stringify(referrer)));
}

export async function removeReferrer(layout: Layout, subject: Digest, referrer: Digest): Promise<void> {
  await removeFile(join(layout.referrers, digestName(subject), digestName(referrer)));
}

/** In the order of their digests. Those that are no manifest of the repository any more are left out. */
export async function readReferrers(
  layout: Layout,
  subject: Digest,
  manifests: ReadonlyMap<Digest, unknown>,
): Promise<readonly JsonObject[]> {
  const directory = join(layout.referrers, digestName(subject));
  const found: JsonObject[] = [];
  for (const name of [...(await names(directory))].sort()) {
    const digest = name.replace("-", ":");
    if (!isDigest(digest) || !manifests.has(digest)) continue;
    const text = await ifPresent(readFile(join(directory, name), "utf8"));
    if (text !== undefined) found.push(object(parseJson(text, name), name));
  }
  return found;
}
