import { DIGEST, PARTS, SIZE } from "./image.ts";
import { answer, flag, list, nullable, object, optional, text } from "./schema.ts";

export const LIST = answer({
  command: "list",
  says: "containers at an endpoint",
  rows: "containers",
  fields: {
    containers: list(
      "one entry a tag",
      object("a container: its name alone, the fields of --columns (null: not known), or what its metadata says", {
        name: optional(text("the container as it would be typed")),
        size: optional(nullable(SIZE)),
        digest: optional(nullable(DIGEST)),
        architecture: optional(nullable(text("amd64, arm64, ...; null or absent where nobody says"))),
        created: optional(
          nullable(text("as the endpoint says, else as the image's own header does", { form: "time" })),
        ),
        reference: optional(text("the container with scheme and host")),
        registry: optional(text("the endpoint, for people")),
        collection: optional(nullable(text("what stands before the container's name"))),
        container: optional(text("the container's name without its collection")),
        tag: optional(nullable(text("its tag; null for what was asked for by its digest"))),
        manifest: optional(nullable(text("what pins it at an OCI endpoint", { form: "digest" }))),
        format: optional(nullable(text("sif, or an OCI image in a SIF", { values: ["sif", "oci-sif"] }))),
        signed: optional(nullable(flag("it has signatures; whose they are was not verified"))),
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
