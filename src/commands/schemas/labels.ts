import { answer, list, object, text } from "./schema.ts";

export const LABELS = answer({
  command: "labels",
  says: "labels across images",
  rows: "labels",
  fields: {
    labels: list(
      "one entry a label of an image",
      object("a label", {
        key: text("the label's key"),
        value: text("the label's value"),
        name: text("the image that carries it, as it would be typed"),
      }),
    ),
  },
});
