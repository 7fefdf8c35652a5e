import { DIGEST, PARTS, SIZE } from "./image.ts";
import { answer, list, nullable, object, optional, text } from "./schema.ts";

export const LIST = answer({
  command: "list",
  says: "containers at an endpoint",
  rows: "containers",
  fields: {
    containers: list(
      "one entry a tag",
      object("a container; all but its name where parts of its metadata are asked for", {
        name: text("the container as it would be typed"),
        size: optional(SIZE),
        digest: optional(DIGEST),
        architecture: optional(text("amd64, arm64, ...; absent where the image does not say")),
        labels: optional(nullable(PARTS.labels)),
        environment: optional(nullable(PARTS.environment)),
        runscript: optional(nullable(PARTS.runscript)),
        test: optional(nullable(PARTS.test)),
        deffile: optional(nullable(PARTS.deffile)),
      }),
    ),
    emptyCollections: optional(list("collections that hold nothing yet", text("a collection's name"))),
  },
});
