import { FAILURE } from "./error.ts";
import { TRANSFERRED } from "./image.ts";
import { answer, type Fields, flag, integer, list, nullable, object, optional, text } from "./schema.ts";

const DRY_RUN: Fields = { dryRun: optional(flag("nothing was done, this is what would be")) };

const COPIED = {
  source: text("the image that was read"),
  references: list("each tag at the destination", text("one tag's reference")),
  pinned: nullable(text("the destination pinned by digest; null where a dry run cannot know it")),
  transferred: TRANSFERRED,
};

const OUTCOMES = ["copied", "updated", "same"];
const OUTCOME = "updated: a tag that named something else was moved; same: nothing had to be done";

export const COPY = answer({
  command: "copy",
  says: "an image that was copied",
  fields: { ...DRY_RUN, ...COPIED, outcome: text(OUTCOME, { values: OUTCOMES }) },
});

export const COPY_ALL = answer({
  command: "copy --all",
  says: "what became of every tag of a repository",
  rows: "images",
  fields: {
    ...DRY_RUN,
    images: list(
      "one entry a tag",
      object("a tag: copied with all fields but error, or failed with error alone", {
        tag: text("the tag"),
        outcome: text(OUTCOME, { values: [...OUTCOMES, "failed"] }),
        ...Object.fromEntries(Object.entries(COPIED).map(([name, field]) => [name, optional(field)])),
        error: optional(FAILURE),
      }),
    ),
    summary: object("how many tags came to what", {
      copied: integer("tags that are new at the destination"),
      updated: integer("tags that were moved"),
      same: integer("tags that named the image already"),
      failed: integer("tags that were not copied"),
    }),
  },
});
