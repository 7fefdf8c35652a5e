import { fetched } from "./image.ts";
import { answer, list, object } from "./schema.ts";

export const PULL = answer({
  command: "pull",
  says: "the images that were pulled, in the order in which they were asked for",
  rows: "images",
  fields: {
    images: list(
      "one entry an image",
      object("an image that is there, whole and verified", {
        ...fetched("absolute path of its file", ["downloaded", "resumed", "cached", "present"]),
      }),
    ),
  },
});
