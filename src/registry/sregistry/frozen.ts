/** A frozen tag keeps the image that it has. */
import { SregistryError } from "../../errors.ts";
import type { SregistryApi } from "./api.ts";
import { type ImageName, uriOf } from "./names.ts";

/** Before a byte is sent: by the library protocol the server takes them all, refuses the tag, and keeps an image without one. */
export function frozenTag({ name }: SregistryApi, image: ImageName, version: string | undefined): SregistryError {
  const kept = version === undefined ? "" : `, with other bytes: ${version}`;
  return new SregistryError("CONFLICT", `${uriOf(image)} is frozen at ${name}${kept}`, {
    hint: "push to another tag, or unfreeze it on its web page",
  });
}
