import { answer, integer, list, object, optional, text } from "./schema.ts";

const COUNTS = {
  tags: integer("number of tags"),
  images: integer("number of different images"),
  size: integer("bytes of the different images, each counted once at this level"),
  tagged: integer("bytes of what all tags name together"),
};

export const LIST_USAGE = answer({
  command: "list --usage",
  says: "what images take at an endpoint",
  rows: "collections",
  fields: {
    registry: text("the endpoint, for people"),
    total: object("all of it", {
      collections: integer("number of collections"),
      containers: integer("number of containers"),
      ...COUNTS,
      unknown: integer("number of images whose size nobody says: they are in no sum"),
    }),
    collections: list(
      "the largest first",
      object("a collection", {
        name: text("its name; empty for containers outside any"),
        ...COUNTS,
        containers: list(
          "the largest first",
          object("a container", { name: text("its path: collection and name"), ...COUNTS }),
        ),
      }),
    ),
    html: optional(text("the page that was written")),
  },
});
