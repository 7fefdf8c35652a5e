/** What an image says of itself, by the cheapest way: the endpoint's own copy, else ranges of the SIF. Never a download. */
import type { Call } from "../call.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import { registryReader } from "../transfer/registry-reader.ts";

export async function imageMetadata(registry: Registry, image: ImageInfo, call: Call): Promise<ImageMetadata> {
  const held = await registry.can.metadata?.(image, call);
  if (held !== undefined) return held;
  call.log.verbose(`${registry.name} holds no metadata for this image: reading the SIF by ranges`);
  return readImageMetadata(registryReader(registry, image, call));
}
