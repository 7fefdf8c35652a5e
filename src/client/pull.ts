/** Fetch one image to a file: out of the cache where there is one, else straight from the endpoint. */
import { join, resolve as resolvePath } from "node:path";
import type { Cache } from "../cache/cache.ts";
import type { Filled } from "../cache/fill.ts";
import type { Call } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference, pullFileName } from "../reference/format.ts";
import type { PlacedReference, Reference } from "../reference/reference.ts";
import { downloadToFile } from "../transfer/download.ts";
import { aboutImage } from "./about-image.ts";
import { fetchEntry, hasDigest, knownOffline, knownPin, noteImage, notHere, type Wanted } from "./cache.ts";
import { get, type PullServices } from "./get.ts";
import { atMost } from "./parallel.ts";
import { architectureOption, type Resolved, resolveImage } from "./resolve-image.ts";

export interface PullInput {
  readonly reference: Reference;
  /** Target file; default: made from the reference as product.md says. */
  readonly output?: string;
  readonly directory?: string;
  readonly force?: boolean;
  /** By Go's name or that of `uname -m`: which one, where a name stands for several; an image for another is refused. */
  readonly architecture?: string;
  /** `only`: no file but the cache's. Default: through the cache where one is configured. */
  readonly cache?: "always" | "never" | "only";
  /** At most so many, where the user does not say; default: as one image may have alone. */
  readonly connections?: number;
}

export interface PullOutcome {
  readonly reference: string;
  /** Absolute. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** `cached`: made from the cache, or from a directory beside it. */
  readonly outcome: "downloaded" | "resumed" | "cached" | "present";
  /** Bytes that came over the wire in this run. */
  readonly transferred: number;
  /** Its bytes have the digest that the endpoint promised; false where that promises none. */
  readonly verified: boolean;
}

/** @throws SregistryError NOT_FOUND where there is no image for the architecture that was asked for. */
export async function pull(services: PullServices, input: PullInput, outer: Call): Promise<PullOutcome> {
  const call = aboutImage(outer, input.reference);
  if (input.cache === "only") return { ...(await get(services, input, call)), verified: true };
  const reference = await services.place(input.reference);
  const placed = { reference, target: targetPath(services.cwd, input) };
  const outcome = throughCache(services, reference, input)
    ? await pullFromCache(services, await services.imageCache.open(), input, placed, call)
    : await download(
        services,
        await resolveImage(services, reference, input.architecture, call),
        input,
        placed.target,
        call,
      );
  return { reference: formatReference(input.reference), path: placed.target, ...outcome };
}

/** Nobody's home fills up unasked; the embedded store is on this machine anyway. Offline there is nothing but the cache. */
function throughCache(services: PullServices, { scheme }: PlacedReference, { cache }: PullInput): boolean {
  if (cache !== undefined) return cache === "always";
  return scheme !== "local" && (services.imageCache.configured || services.offline);
}

type Outcome = Omit<PullOutcome, "reference" | "path">;

interface Placed {
  readonly reference: PlacedReference;
  readonly target: string;
}

async function pullFromCache(
  services: PullServices,
  cache: Cache,
  input: PullInput,
  { reference, target }: Placed,
  call: Call,
): Promise<Outcome> {
  const { architecture } = architectureOption(input.architecture);
  const label = pullFileName(input.reference);
  const copy = async (digest: Digest, size?: number): Promise<Outcome | undefined> => {
    const to = { target, force: input.force === true, memo: services.digestMemo };
    const made = await cache.copy({ digest, size, label }, to, call);
    if (made === undefined) return undefined;
    return {
      digest,
      size: made.size,
      outcome: made.outcome === "copied" ? "cached" : "present",
      transferred: 0,
      verified: true,
    };
  };
  const offline = services.offline && reference.scheme !== "local";
  const known = await (offline
    ? knownOffline(cache, reference, architecture, call)
    : knownPin(cache, reference, architecture));
  const made = known && (await copy(known));
  if (made !== undefined) return made;
  if (offline) throw notHere(reference);
  const resolved = await resolveImage(services, reference, input.architecture, call);
  const { registry, image } = resolved;
  if (!hasDigest(image)) {
    call.log.verbose(`${registry.name} promises no digest: the cache is passed by`);
    return await download(services, resolved, input, target, call);
  }
  const there = await copy(image.digest, image.size);
  if (there !== undefined) {
    await noteImage(cache, image, architecture);
    return there;
  }
  const wanted = { registry, image, architecture, label, parallel: atMost(input.connections) };
  const entry = await fetched(cache, wanted, call);
  if (entry === undefined) return await download(services, resolved, input, target, call);
  const copied = await copy(image.digest, entry.size);
  const { path, outcome, transferred } = entry;
  if (copied !== undefined) return { ...copied, ...(outcome === "present" ? {} : { outcome, transferred }) };
  throw new SregistryError("INTEGRITY", `${path} was removed, or changed, as soon as it was fetched`, {
    hint: "pull --no-cache passes the cache by",
  });
}

/** Undefined where the cache cannot take it (full, read-only): the file that was asked for comes all the same. */
async function fetched(cache: Cache, wanted: Wanted, call: Call): Promise<Filled | undefined> {
  try {
    return await fetchEntry(cache, wanted, call);
  } catch (error) {
    if (!isCode(error, "DISK")) throw error;
    call.log.warn(`the cache is passed by: ${error.message}`);
    return undefined;
  }
}

async function download(
  { digestMemo: memo }: PullServices,
  { registry, image }: Resolved,
  input: PullInput,
  target: string,
  call: Call,
): Promise<Outcome> {
  const force = input.force === true;
  const result = await downloadToFile({
    registry,
    image,
    target,
    force,
    memo,
    call,
    parallel: atMost(input.connections),
  });
  const { digest, size, outcome, transferred } = result;
  return { digest, size, outcome, transferred, verified: image.digest !== undefined };
}

/** Absolute: where the image will be. An output that ends in a slash is a directory. */
export function targetPath(cwd: string, { reference, output, directory }: PullInput): string {
  const named = output !== undefined && !output.endsWith("/");
  const name = named ? output : join(output ?? "", pullFileName(reference));
  return resolvePath(cwd, directory === undefined ? name : join(directory, name));
}
