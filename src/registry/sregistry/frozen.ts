/** A frozen tag keeps the image that it has. */
import { SregistryError } from "../../errors.ts";
import { uriOf } from "../../reference/sregistry.ts";
import type { SregistryApi } from "./api.ts";
import type { ImageName } from "./names.ts";

/** Singularity Registry Server unfreezes on a page for people; the embedded server has none, and has a command. */
export function unfreeze(image: ImageName): string {
  return `unfreeze it on its web page (at sregistry serve: sregistry serve unfreeze ${uriOf(image)})`;
}

/** Before a byte is sent: by the library protocol the server takes them all, refuses the tag, and keeps an image without one. */
export function frozenTag({ name }: SregistryApi, image: ImageName, version: string | undefined): SregistryError {
  const kept = version === undefined ? "" : ` It has other bytes: ${version}`;
  // The server's own words, which it would say after the upload.
  return new SregistryError("CONFLICT", `${uriOf(image)} at ${name}: This tag exists, and is frozen.${kept}`, {
    hint: `push to another tag, or ${unfreeze(image)}`,
  });
}
