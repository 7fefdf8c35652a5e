/** `DELETE v1/images/NAME?arch=`: an image of one architecture, with all its tags. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { DeleteResult } from "../registry.ts";
import type { LibraryApi } from "./api.ts";
import { findImage } from "./read.ts";

/**
 * What goes. Hinkskalle takes the image with all its tags, others the tag alone: the further tags are told, not listed.
 * @throws SregistryError NOT_FOUND.
 */
export async function deletable(api: LibraryApi, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const { record } = await findImage(api, reference, {}, call);
  const { selector } = reference;
  // Before that version the tags of a record are those of its whole collection.
  const own = (await api.version(call)) === "2.0.0-alpha.2" ? record.tags : [];
  const others = own.filter((tag) => selector.kind !== "tag" || tag !== selector.tag);
  if (others.length > 0)
    call.log.info(`the image is also tagged ${others.join(", ")}: ${api.name} may take these as well`);
  return { deleted: [formatReference(reference)] };
}

/** @throws SregistryError UNSUPPORTED at a Singularity Registry Server, which deletes by its own protocol. */
export async function remove(api: LibraryApi, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const { name, architecture: arch } = await findImage(api, reference, {}, call);
  const url = api.url(`v1/images/${name}`, { arch });
  try {
    await discard(await api.send({ method: "DELETE", url, accept: [200, 202, 204], retry: "never" }, call));
  } catch (error) {
    if (!isCode(error, "UNSUPPORTED")) throw error;
    throw new SregistryError("UNSUPPORTED", `${api.name} does not delete by the library protocol`, {
      hint: `use its web page at ${api.front.href}`,
      cause: error,
    });
  }
  return { deleted: [formatReference(reference)] };
}
