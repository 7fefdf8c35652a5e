/** The path of an image in the cache, fetched only if it is not there. */
import type { Call } from "../call.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference, pullFileName } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";
import { aboutImage } from "./about-image.ts";
import { fetchEntry, knownOffline, knownPin, notHere } from "./cache.ts";
import { atMost } from "./parallel.ts";
import { architectureOption, resolveImage } from "./resolve-image.ts";
import type { Services } from "./services.ts";

export interface GetOutcome {
  readonly reference: string;
  /** Absolute. The file is read-only, and shared by all who ask for this image. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly outcome: "downloaded" | "resumed" | "present";
  /** Bytes that came over the wire in this run. */
  readonly transferred: number;
}

export type PullServices = Pick<Services, "cwd" | "place" | "open" | "imageCache" | "offline" | "digestMemo">;

export interface GetInput {
  readonly reference: Reference;
  readonly architecture?: string;
  /** As of a pull. */
  readonly connections?: number;
}

/** @throws SregistryError NOT_FOUND when --offline asks for what is not in the cache. */
export async function get(services: PullServices, input: GetInput, outer: Call): Promise<GetOutcome> {
  const call = aboutImage(outer, input.reference);
  const reference = formatReference(input.reference);
  const { path, digest, size, outcome, transferred } = await inCache(services, input, call);
  return { reference, path, digest, size, outcome, transferred };
}

async function inCache(services: PullServices, input: GetInput, call: Call): Promise<Omit<GetOutcome, "reference">> {
  const cache = await services.imageCache.open();
  const reference = await services.place(input.reference);
  const { architecture } = architectureOption(input.architecture);
  const label = pullFileName(input.reference);
  const offline = services.offline && reference.scheme !== "local";
  const digest = await (offline
    ? knownOffline(cache, reference, architecture, call)
    : knownPin(cache, reference, architecture));
  const found = digest && (await cache.find({ digest, size: undefined, label }, call));
  if (found !== undefined) return { ...found, outcome: "present", transferred: 0 };
  if (offline) throw notHere(reference);
  const { registry, image } = await resolveImage(services, reference, input.architecture, call);
  const parallel = atMost(input.connections);
  return await fetchEntry(cache, { registry, image, architecture, label, parallel }, call);
}
