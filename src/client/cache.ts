/** Which image cache this run has, and an image out of it: known, found, or fetched. */
import { join, resolve as resolvePath } from "node:path";
import { type Cache, createCache } from "../cache/cache.ts";
import type { Fill, Filled } from "../cache/fill.ts";
import type { ImageNote } from "../cache/notes.ts";
import type { Call } from "../call.ts";
import type { CacheSettings } from "../config/config.ts";
import { SregistryError } from "../errors.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { PlacedReference } from "../reference/reference.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import type { Environment } from "./services.ts";

export interface ImageCache {
  /** The user, or the site, said where: pulls to a file go through it. */
  readonly configured: boolean;
  open(): Promise<Cache>;
}

interface Place {
  readonly env: Environment;
  readonly cwd: string;
  /** $XDG_CACHE_HOME. */
  readonly caches: string;
  readonly settings: CacheSettings;
}

export function imageCache({ env, cwd, caches, settings }: Place): ImageCache {
  const own = join(caches, "sregistry");
  const chosen = chosenDirectory(env) ?? settings.directory;
  const aside = (env["SREGISTRY_CACHE_LOOKASIDE"] ?? "").split(":").filter((path) => path !== "");
  let opened: Promise<Cache> | undefined;
  return {
    configured: chosen !== undefined,
    open() {
      opened ??= createCache({
        directory: resolvePath(cwd, chosen ?? own),
        ownNotes: resolvePath(cwd, own, "notes"),
        shared: settings.shared,
        lookaside: [...aside.map((path) => resolvePath(cwd, path)), ...(settings.lookaside ?? [])],
      });
      return opened;
    },
  };
}

/** Singularity's and Apptainer's cache directories are theirs; ours is a folder in them. */
function chosenDirectory(env: Environment): string | undefined {
  const theirs = env["APPTAINER_CACHEDIR"] || env["SINGULARITY_CACHEDIR"];
  return env["SREGISTRY_CACHEDIR"] || (theirs ? join(theirs, "sregistry") : undefined);
}

/**
 * The image that a reference pinned by digest stands for: by a note, or because the digest is the image's own. Undefined for
 * a name, and where only the endpoint can tell whether it is for `architecture`.
 */
export async function knownPin(
  cache: Cache,
  { selector }: PlacedReference,
  architecture: string | undefined,
): Promise<Digest | undefined> {
  if (selector.kind !== "digest") return undefined;
  const note = await cache.known({ pin: selector.digest });
  if (architecture !== undefined && note?.architecture !== architecture) return undefined;
  return note?.image ?? selector.digest;
}

/**
 * What --offline takes a reference for: its pin, or what the name stood for when it was last asked about.
 * @throws SregistryError NOT_FOUND when nobody ever asked.
 */
export async function knownOffline(
  cache: Cache,
  reference: PlacedReference,
  architecture: string | undefined,
  { log }: Call,
): Promise<Digest> {
  const pin = await knownPin(cache, reference, architecture);
  if (pin !== undefined) return pin;
  const note = await cache.known({ name: nameOf(reference, architecture) });
  if (note === undefined) throw notHere(reference);
  log.warn(
    `offline: ${formatReference(reference)} is taken for ${note.image}, which it was ${ageOf(note)} ago; it may be another one by now`,
  );
  return note.image;
}

export function notHere(reference: PlacedReference): SregistryError {
  const name = formatReference(reference);
  const byTag = reference.selector.kind === "tag" ? "; a name is remembered, and a pin (@sha256:...) is sure" : "";
  return new SregistryError("NOT_FOUND", `${name} is not in the cache, and --offline opens no connection`, {
    hint: `once with a connection: sregistry pull --cache-only ${name}${byTag}`,
  });
}

function ageOf({ time }: ImageNote): string {
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(time)) / 60_000));
  if (minutes < 120) return plural(minutes, "minute");
  return minutes < 48 * 60 ? plural(Math.floor(minutes / 60), "hour") : plural(Math.floor(minutes / 1440), "day");
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** The same name is another image for another machine. */
function nameOf(reference: PlacedReference, architecture: string | undefined): string {
  return `${formatReference(reference)} ${architecture ?? ""}`.trimEnd();
}

/** Notes what the endpoint said, so that the next time a pin needs no request, and --offline knows the name. */
export async function noteImage(
  cache: Cache,
  image: ImageInfo & { readonly digest: Digest },
  architecture: string | undefined,
): Promise<void> {
  const { reference, digest, manifest } = image;
  const named = reference.selector.kind === "digest" && isPinOf(image, reference.selector.digest);
  await cache.note({
    image: digest,
    architecture: image.architecture,
    reference: formatReference(reference),
    pins: manifest === undefined ? [digest] : [digest, manifest],
    name: named ? undefined : nameOf(reference, architecture),
  });
}

function isPinOf({ digest, manifest }: ImageInfo, pin: Digest): boolean {
  return pin === digest || pin === manifest;
}

export interface Wanted {
  readonly registry: Registry;
  readonly image: ImageInfo;
  readonly architecture: string | undefined;
  readonly label: string;
  readonly parallel?: Fill["parallel"];
}

/** The entry of a resolved image, fetched if need be. @throws SregistryError UNSUPPORTED without a promised digest. */
export async function fetchEntry(cache: Cache, wanted: Wanted, call: Call): Promise<Filled> {
  const { registry, label, architecture, image, parallel = {} } = wanted;
  if (!hasDigest(image)) throw noDigest(image, registry);
  const entry = await cache.fetch({ registry, image, label, call, parallel });
  await noteImage(cache, image, architecture);
  return entry;
}

/** Endpoints know what they resolved by the object itself: it is handed on as it is. */
export function hasDigest(image: ImageInfo): image is ImageInfo & { readonly digest: Digest } {
  return image.digest !== undefined;
}

function noDigest({ reference }: ImageInfo, { name }: Registry): SregistryError {
  return new SregistryError(
    "UNSUPPORTED",
    `${name} promises no digest for ${formatReference(reference)}, so it cannot be kept in the cache`,
    { hint: "use pull, to a file" },
  );
}
