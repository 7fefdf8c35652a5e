/** Reference -> text: what the user may type again, and the file a pull makes. */
import { createHash } from "node:crypto";
import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";
import type { Reference, Selector } from "./reference.ts";

/** The repository without tag or digest: `oras://ghcr.io/org/tool`, `dinosaur/avocado`. */
export function repositoryName(reference: Reference): string {
  if (reference.scheme === undefined) return reference.path;
  const host = reference.scheme === "local" ? undefined : reference.host;
  return `${reference.scheme}://${host === undefined ? "" : `${host}/`}${reference.path}`;
}

/** `parseReference` of the result is the same reference. The default tag is written out. */
export function formatReference(reference: Reference): string {
  const { selector } = reference;
  if (reference.scheme === "library" && reference.tags !== undefined && selector.kind === "tag") {
    return `${repositoryName(reference)}:${reference.tags.join(",")}`;
  }
  return repositoryName(reference) + formatSelector(reference, selector);
}

/** The same image by content: `oras://host/path@sha256:...`, at library:// `path:sha256.<hex>`. */
export function pinned(reference: Reference, digest: Digest): string {
  return repositoryName(reference) + formatSelector(reference, { kind: "digest", digest });
}

function formatSelector({ scheme }: Reference, selector: Selector): string {
  switch (selector.kind) {
    case "tag":
      return `:${selector.tag}`;
    case "version":
      return `@${selector.hex}`;
    case "digest":
      return scheme === "library" && digestAlgorithm(selector.digest) === "sha256"
        ? `:sha256.${digestHex(selector.digest)}`
        : `@${selector.digest}`;
  }
}

/** Bytes; leaves room for `.<name>.part-<digest>` within the 255 of most file systems. */
const LONGEST_FILE_NAME = 200;
const SUFFIX = ".sif";
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/**
 * The file of a pull without -o: `banana/pudding:milkshake` -> `banana-pudding-milkshake.sif` (sregistry's form), with
 * a scheme `pudding_milkshake.sif` (Singularity's). Never a separator, a leading dot or more than 200 bytes.
 */
export function pullFileName(reference: Reference): string {
  const bare = reference.scheme === undefined;
  const components = reference.path.split("/");
  const name = bare ? components.join("-") : (components.at(-1) ?? "");
  const stem = `${name}${bare ? "-" : "_"}${selectorWord(reference.selector)}`;
  const safe = DEVICE.test(stem) ? `_${stem}` : stem;
  return `${shortened(safe)}${SUFFIX}`;
}

function selectorWord(selector: Selector): string {
  switch (selector.kind) {
    case "tag":
      return selector.tag;
    case "version":
      return selector.hex.slice(0, 12);
    case "digest":
      return `${digestAlgorithm(selector.digest)}.${digestHex(selector.digest).slice(0, 12)}`;
  }
}

/** Names that had to be cut stay apart by a hash of the whole. */
function shortened(stem: string): string {
  const room = LONGEST_FILE_NAME - SUFFIX.length;
  if (stem.length <= room) return stem;
  return `${stem.slice(0, room - 9)}-${createHash("sha256").update(stem).digest("hex").slice(0, 8)}`;
}
