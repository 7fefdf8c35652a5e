import { answer, list, text } from "./schema.ts";

export const DELETE = answer({
  command: "delete",
  says: "what is gone",
  rows: "deleted",
  fields: { deleted: list("tags and digests that were removed", text("a tag's or an image's reference")) },
});
