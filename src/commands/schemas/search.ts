import { answer, list, object, optional, text } from "./schema.ts";

export const SEARCH = answer({
  command: "search",
  says: "images that a search found",
  rows: "images",
  fields: {
    query: text("what was searched for"),
    images: list(
      "one entry an image",
      object("an image that was found", {
        name: text("the image as it would be typed"),
        tags: list("its tags", text("one tag")),
        description: optional(text("a line on what it is", { lines: true })),
        architecture: optional(text("amd64, arm64, ...; absent where the endpoint does not say")),
        signedBy: list("PGP fingerprints of its signers as the endpoint says; not verified", text("a fingerprint")),
      }),
    ),
  },
});
