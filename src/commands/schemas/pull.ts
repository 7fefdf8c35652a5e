import { FAILURE } from "./error.ts";
import { fetched, REFERENCE, VERIFIED } from "./image.ts";
import { answer, list, nullable, object, text } from "./schema.ts";

export const PULL = answer({
  command: "pull",
  says: "the images that were pulled, in the order in which they were asked for",
  rows: "images",
  fields: {
    images: list(
      "one entry an image",
      object("an image that is there, whole", {
        ...fetched("absolute path of its file", ["downloaded", "resumed", "cached", "present"]),
        verified: VERIFIED,
      }),
    ),
    failures: list(
      "one entry an image that was not pulled; the others were pulled all the same",
      object("an image that was not pulled", {
        reference: REFERENCE,
        where: nullable(text("where it is named: images.txt line 7; null for the command line")),
        error: FAILURE,
      }),
    ),
  },
});
