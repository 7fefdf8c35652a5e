/** How an image is named in the API's paths. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { digestAlgorithm, digestHex } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { LibraryApi } from "./api.ts";

/** `entity/collection/container:tag`, or by content `...:sha256.<hex>`. @throws SregistryError REFERENCE_INVALID. */
export async function imageName(api: LibraryApi, reference: PlacedReference, call: Call): Promise<string> {
  const { path, selector } = reference;
  if (selector.kind === "tag") return `${path}:${selector.tag}`;
  if (selector.kind === "version" || digestAlgorithm(selector.digest) !== "sha256") {
    throw new SregistryError(
      "REFERENCE_INVALID",
      `${formatReference(reference)}: a library knows sha256 digests only`,
      {
        hint: "write path:sha256.HEX",
      },
    );
  }
  return `${await lookupPath(api, path, call)}:sha256.${digestHex(selector.digest)}`;
}

/**
 * Singularity Registry Server 2.1 (API 2.0.0-alpha.1) makes a new row for every GET of three components and a digest: its
 * two-part form, in which the entity is left out, looks without making anything.
 */
async function lookupPath(api: LibraryApi, path: string, call: Call): Promise<string> {
  const components = path.split("/");
  if (components.length < 3 || (await api.version(call)) !== "2.0.0-alpha.1") return path;
  return components.slice(-2).join("/");
}
