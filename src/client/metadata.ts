/** What an image says of itself, by the cheapest way: known already, the endpoint's own copy, ranges of the SIF. Never a download. */
import type { Call } from "../call.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
import { digestOf } from "../reference/digest.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { sizedReader } from "../transfer/registry-reader.ts";
import type { Services } from "./services.ts";

/**
 * What an endpoint says of a digest never changes, so each image is asked once. Nothing holds what it says against the image, so
 * it is remembered of that endpoint alone: another one's lies about the same image stay its own.
 */
export async function imageMetadata(
  { metadataIndex }: Pick<Services, "metadataIndex">,
  registry: Registry,
  image: ImageInfo,
  call: Call,
): Promise<ImageMetadata> {
  const { digest, manifest, reference } = image;
  // The embedded store is as near as the index.
  if (digest === undefined || reference.scheme === "local") return ask(registry, image, call);
  const key = digestOf(new TextEncoder().encode(`${registry.name}\n${manifest ?? digest}`));
  const known = await metadataIndex.get(key);
  if (known !== undefined) return known;
  const metadata = await ask(registry, image, call);
  await metadataIndex.put(key, metadata);
  return metadata;
}

async function ask(registry: Registry, image: ImageInfo, call: Call): Promise<ImageMetadata> {
  const held = await registry.can.metadata?.(image, call);
  if (held !== undefined) return held;
  call.log.verbose(`${registry.name} holds no metadata for this image: reading the SIF by ranges`);
  return readImageMetadata(await sizedReader(registry, image, call));
}
