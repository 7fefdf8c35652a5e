import { answer, flag, integer, list, object, text } from "./schema.ts";

export const SERVE = answer({
  command: "serve",
  says: "where the embedded registry is served, told once it is",
  fields: { url: text("its URL"), store: text("absolute path of its directory") },
});

export const SERVE_CHECK = answer({
  command: "serve --check",
  says: "what a crash or a full disk left in the store",
  rows: "problems",
  fields: {
    problems: list(
      "one entry a problem",
      object("a problem", {
        kind: text("what kind of problem it is", {
          values: ["damaged", "missing", "layout", "referrers", "unused", "upload", "temporary"],
        }),
        repository: text("the repository that has it"),
        message: text("where, what, and what was done about it"),
        repaired: flag("it is mended"),
      }),
    ),
    repositories: integer("repositories that were looked at"),
    blobs: integer("blobs that were hashed"),
    bytes: integer("bytes that were read"),
    remaining: integer("problems that are still there"),
    summary: text("one line with the counts"),
  },
});

export const SERVE_USER_ADD = answer({
  command: "serve user add",
  says: "a user that was made",
  fields: {
    user: object("the user", { name: text("the user's name"), token: text("the token, shown only now: a secret") }),
  },
});

export const SERVE_USER_LIST = answer({
  command: "serve user list",
  says: "who may push",
  rows: "users",
  fields: {
    users: list(
      "one entry a user, by name",
      object("a user", { name: text("the user's name"), created: text("when the user was made", { form: "time" }) }),
    ),
  },
});

export const SERVE_USER_REMOVE = answer({
  command: "serve user remove",
  says: "a user that was forgotten",
  fields: { removed: text("the user's name") },
});

const TAG = { tag: text("the tag, as NAME:TAG"), frozen: flag("nobody can change it") };

export const SERVE_FREEZE = answer({ command: "serve freeze", says: "a tag that stays as it is", fields: TAG });
export const SERVE_UNFREEZE = answer({ command: "serve unfreeze", says: "a tag that may change again", fields: TAG });
