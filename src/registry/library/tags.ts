/** Tags of a container: by architecture from API 2.0.0-alpha.2 on, flat before. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import type { Tag } from "../../reference/reference.ts";
import type { LibraryApi } from "./api.ts";
import type { Place } from "./place.ts";

export interface TaggedImage {
  readonly id: string;
  /** Go's name; the host's where the image does not say. */
  readonly architecture: string;
}

/** @throws SregistryError CONFLICT for a frozen tag, in the server's words. */
export async function setTag(api: LibraryApi, place: Place, image: TaggedImage, tag: Tag, call: Call): Promise<void> {
  const byArchitecture = (await api.version(call)) === "2.0.0-alpha.2";
  const url = api.url(`${byArchitecture ? "v2" : "v1"}/tags/${place.record.id}`);
  const json = byArchitecture
    ? { Arch: image.architecture, Tag: tag, ImageID: image.id }
    : { Tag: tag, ImageID: image.id };
  try {
    await discard(await api.send({ method: "POST", url, json, accept: [200, 201, 204] }, call));
  } catch (error) {
    throw frozen(error, `${place.collection}/${place.container}:${tag}`);
  }
}

/** Singularity Registry Server 2.1: 400 `{"message":"This tag exists, and is frozen."}`. */
function frozen(error: unknown, name: string): unknown {
  if (!isCode(error, "REFUSED", "CONFLICT") || !/frozen/i.test(error.message)) return error;
  return new SregistryError("CONFLICT", `${name} is frozen: ${error.message}`, {
    hint: "push under another tag, or have it unfrozen by its owner",
    cause: error,
  });
}
