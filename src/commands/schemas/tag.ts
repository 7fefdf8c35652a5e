import { answer, list, text } from "./schema.ts";

export const TAG = answer({
  command: "tag",
  says: "the names that an image was given",
  rows: "references",
  fields: { references: list("every tag that was set", text("one tag's reference")) },
});
