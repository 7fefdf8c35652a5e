import { answer, flag, integer, list, object, optional, text } from "./schema.ts";

const DIRECTORY = text("absolute path of the cache");

const ENTRY = {
  digest: text("digest of the image's bytes", { form: "digest" }),
  path: text("absolute path of the image"),
  size: integer("the image's size in bytes"),
};

export const CACHE_PATH = answer({
  command: "cache path",
  says: "where the cache is",
  fields: { directory: DIRECTORY },
});

export const CACHE_LIST = answer({
  command: "cache list",
  says: "what is in the cache",
  rows: "entries",
  fields: {
    directory: DIRECTORY,
    entries: list(
      "one entry an image, least recently used first",
      object("an image", {
        ...ENTRY,
        used: text("when it was last given out, or came in", { form: "time" }),
        reference: optional(text("the name it was fetched by last, where that is known")),
      }),
    ),
    size: integer("bytes of all images"),
  },
});

export const CACHE_VERIFY = answer({
  command: "cache verify",
  says: "what hashing every image found",
  fields: {
    intact: list("images that are whole", text("absolute path of the image")),
    damaged: list(
      "images that are not",
      object("an image that nobody is given any more", {
        path: text("absolute path of the image"),
        removed: flag("it is gone; false: it could not be removed"),
      }),
    ),
  },
});

const PRUNED = {
  dryRun: flag("nothing was removed, this is what would be"),
  removed: list("images that went", object("an image", ENTRY)),
  size: integer("bytes of the images that went"),
  kept: list("images of other users, who alone can remove them", object("an image", ENTRY)),
  justUsed: list("images that stayed because they were used in the last minute", object("an image", ENTRY)),
  leftovers: list("partial files and locks of processes that are gone", text("absolute path of the file")),
};

export const CACHE_PRUNE = answer({
  command: "cache prune",
  says: "what was removed from the cache",
  rows: "removed",
  fields: PRUNED,
});

export const CACHE_CLEAN = answer({
  command: "cache clean",
  says: "what was removed from the cache",
  rows: "removed",
  fields: PRUNED,
});
