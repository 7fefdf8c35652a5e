/** Fields that several answers have. */
import { type Fields, flag, integer, list, map, object, optional, text } from "./schema.ts";

export const REFERENCE = text("the image's name as it was given");
export const DIGEST = text("digest of the image's bytes", { form: "digest" });
export const SIZE = integer("the image's size in bytes");
export const TRANSFERRED = integer("bytes that came over the wire in this run");

export const VERIFIED = flag("its bytes have the digest that the endpoint promised; false where that promises none");

/** An image that is on this machine now. `outcomes`: how it came there. */
export function fetched(path: string, outcomes: readonly string[]): Fields {
  return {
    reference: REFERENCE,
    path: text(path),
    digest: DIGEST,
    size: SIZE,
    outcome: text("how it came there; present: it was there already", { values: outcomes }),
    transferred: TRANSFERRED,
  };
}

export const LABELS = map("labels: key -> value", text("the label's value"));

/** Parts of an image's metadata, by what they are called in a document. */
export const PARTS = {
  labels: LABELS,
  environment: map("environment scripts: file name in the image -> text", text("the script", { lines: true })),
  runscript: text("what runs when the image is run", { lines: true }),
  test: text("what tests the image", { lines: true }),
  deffile: text("the definition file that it was built from", { lines: true }),
};

export const METADATA = object("what the image says of itself", {
  architecture: optional(text("amd64, arm64, ...; absent where the image does not say")),
  labels: PARTS.labels,
  environment: PARTS.environment,
  runscript: optional(PARTS.runscript),
  test: optional(PARTS.test),
  help: optional(text("help for its users", { lines: true })),
  deffile: optional(PARTS.deffile),
  startscript: optional(text("what runs when an instance is started", { lines: true })),
  signed: flag("it has signatures; whose they are was not verified"),
  encrypted: flag("its file system is encrypted"),
  format: text("sif, or an OCI image in a SIF", { values: ["sif", "oci-sif"] }),
});

export const ATTACHED = list(
  "what is attached to the image at an OCI registry: signatures, SBOMs",
  object("one artifact", {
    digest: text("digest of its manifest", { form: "digest" }),
    type: text("its artifact type, or its config's media type"),
    size: integer("its manifest's size in bytes"),
    annotations: map("its annotations", text("the annotation's value")),
  }),
);
