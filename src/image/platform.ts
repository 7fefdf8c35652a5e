/** Which image of an index: by architecture. */
import { SregistryError } from "../errors.ts";
import { type Descriptor, type Index, MEDIA_TYPES } from "./document.ts";

const IMAGE_ARTIFACTS: readonly string[] = [MEDIA_TYPES.sifConfig, MEDIA_TYPES.imageConfig];

/** The entries that are images: no build attestations (platform unknown/unknown), signatures or other artifacts. */
export function imageEntries(index: Index): readonly Descriptor[] {
  return index.manifests.filter(
    ({ platform, artifactType }) =>
      platform?.os !== "unknown" && (artifactType === undefined || IMAGE_ARTIFACTS.includes(artifactType)),
  );
}

/**
 * `asked`: the user's word (`arm64`, `arm/v7`); undefined takes the only image there is, else the `host`'s architecture.
 * @throws SregistryError NOT_FOUND naming the architectures that are there.
 */
export function chooseByArchitecture(index: Index, asked: string | undefined, host: string): Descriptor {
  const entries = imageEntries(index);
  const [only] = entries;
  if (asked === undefined && entries.length === 1 && only !== undefined) return only;
  const [architecture, variant] = (asked ?? host).split("/");
  const chosen = entries
    .filter(({ platform }) => platform?.os === "linux" && platform.architecture === architecture)
    .filter(({ platform }) => variant === undefined || platform?.variant === variant)
    .sort(byVariant)[0];
  if (chosen !== undefined) return chosen;
  throw missing(entries, asked ?? host);
}

/** The most capable variant first; none counts as the baseline, which is v8 for arm64 and no other's. */
function byVariant(a: Descriptor, b: Descriptor): number {
  return rank(b) - rank(a);
}

function rank({ platform }: Descriptor): number {
  const baseline = platform?.architecture === "arm64" ? 8 : 0;
  const version = Number(platform?.variant?.replace(/^v/, "") ?? baseline);
  // v8 is what every arm64 host runs; a v9 image may not start there.
  if (platform?.architecture === "arm64") return version === baseline ? 1 : 0;
  return Number.isNaN(version) ? 0 : version;
}

function missing(entries: readonly Descriptor[], wanted: string): SregistryError {
  const there = [...new Set(entries.map(platformName))].sort();
  if (there.length === 0) {
    return new SregistryError("NOT_FOUND", "the index at this reference names no image", {
      hint: "push an image under this name, or name another tag",
    });
  }
  return new SregistryError(
    "NOT_FOUND",
    `there is no image for ${wanted} at this reference, only: ${there.join(", ")}`,
    {
      hint: `choose one with --arch, as in --arch ${there[0]}`,
    },
  );
}

function platformName({ platform }: Descriptor): string {
  if (platform === undefined) return "unknown";
  const variant = platform.variant === undefined ? "" : `/${platform.variant}`;
  const system = platform.os === "linux" ? "" : ` (${platform.os})`;
  return `${platform.architecture}${variant}${system}`;
}
