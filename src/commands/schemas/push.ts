import { DIGEST, SIZE } from "./image.ts";
import { answer, flag, integer, list, object, optional, text } from "./schema.ts";

const REFERENCES = list("every tag that was set", text("one tag's reference"));

export const PUSH = answer({
  command: "push",
  says: "an image that was sent",
  fields: {
    references: REFERENCES,
    pinned: text("the reference pinned by digest"),
    digest: DIGEST,
    manifest: optional(text("digest of its manifest, at an OCI registry", { form: "digest" })),
    size: SIZE,
    transfer: text("how it was sent; present: the registry had it; mounted: from another repository there", {
      values: ["uploaded", "present", "mounted", "resumed"],
    }),
    quota: optional(
      object("what the user stores there, where the registry counts it", {
        used: integer("bytes in use"),
        total: optional(integer("bytes that may be used; absent: unlimited")),
      }),
    ),
    page: optional(text("URL of the container's page")),
  },
});

export const PUSH_DRY_RUN = answer({
  command: "push --dry-run",
  says: "what a push would do",
  fields: {
    dryRun: flag("nothing was sent, this is what would be"),
    file: text("the file as it was given"),
    size: SIZE,
    references: list("every tag that would be set", text("one tag's reference")),
  },
});
