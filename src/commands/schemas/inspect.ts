import { ATTACHED, DIGEST, METADATA, PARTS, SIZE } from "./image.ts";
import { answer, integer, list, nullable, object, optional, text } from "./schema.ts";

const OBJECT = object("one object, as singularity sif list shows it", {
  id: text("its number"),
  group: text("its group, or NONE"),
  link: text("what it belongs to, with its group in brackets, or NONE"),
  position: text("its first byte and the one behind its last"),
  type: text("what it is"),
  name: text("its name"),
  size: integer("its size in bytes"),
});

const SIGNATURE = object("a signature, which was not verified", {
  id: integer("number of its object"),
  hash: text("the hash that it signs"),
  format: text("how it is written", { values: ["pgp", "dsse", "unknown"] }),
  fingerprint: optional(text("the key that it names: 40 hex digits")),
  signs: optional(
    object("what it signs", {
      kind: text("an object, or a group of them", { values: ["object", "group"] }),
      id: integer("number of the object or group"),
    }),
  ),
});

export const INSPECT = answer({
  command: "inspect",
  says: "an image, in a file or at an endpoint",
  fields: {
    name: text("the file's absolute path, or the reference"),
    size: SIZE,
    digest: optional(DIGEST),
    manifest: optional(text("digest of its manifest, at an OCI registry", { form: "digest" })),
    metadata: METADATA,
    created: optional(text("when the SIF was made, as it says itself", { form: "time" })),
    objects: optional(list("the objects of the SIF", OBJECT)),
    signatures: optional(list("its signatures", SIGNATURE)),
    referrers: ATTACHED,
  },
});

export const INSPECT_PARTS = answer({
  command: "inspect -e -r -t -d -l",
  name: "inspect-parts",
  says: "the parts of an image's metadata that were asked for; null where the image has none",
  fields: {
    name: text("the file's absolute path, or the reference"),
    labels: optional(nullable(PARTS.labels)),
    environment: optional(nullable(PARTS.environment)),
    runscript: optional(nullable(PARTS.runscript)),
    test: optional(nullable(PARTS.test)),
    deffile: optional(nullable(PARTS.deffile)),
  },
});
