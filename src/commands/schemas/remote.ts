import { answer, flag, integer, list, nullable, object, optional, text } from "./schema.ts";

export const REMOTE_ADD = answer({
  command: "remote add",
  says: "a remote that was added",
  fields: {
    added: text("the remote's name"),
    stored: nullable(text("where its token is kept; null: it has none")),
  },
});

export const REMOTE_LIST = answer({
  command: "remote list",
  says: "the remotes, the keyservers of the active one, and registries that have a name",
  rows: "remotes",
  fields: {
    remotes: list(
      "remotes of remote.yaml",
      object("a remote", {
        name: text("its name"),
        uri: text("its address without scheme"),
        active: flag("it is the active one"),
        global: flag("the administrator set it"),
        exclusive: flag("no other may be used"),
        insecure: flag("it is spoken to in plain http"),
      }),
    ),
    keyservers: list(
      "keyservers of the active remote",
      object("a keyserver", {
        uri: text("its URL"),
        global: flag("the administrator set it"),
        insecure: flag("it is spoken to in plain http"),
        order: integer("its place in the order in which they are asked, from 1"),
        active: flag("the active remote offers it itself"),
      }),
    ),
    keyserversUnknown: optional(text("why there are none")),
    registries: list(
      "OCI registries of this program's own configuration",
      object("a registry", {
        name: text("its name"),
        uri: text("oras:// or docker:// with host and path"),
        isDefault: flag("names without scheme belong to it"),
      }),
    ),
  },
});

export const REMOTE_USE = answer({
  command: "remote use",
  says: "the remote that is in use now",
  fields: { used: text("the remote's name") },
});

export const REMOTE_REMOVE = answer({
  command: "remote remove",
  says: "a remote that was forgotten",
  fields: { removed: text("the remote's name") },
});

export const REMOTE_STATUS = answer({
  command: "remote status",
  says: "whether a remote's services answer, and who is logged in",
  rows: "services",
  fields: {
    remote: text("the remote's name"),
    services: list(
      "its services",
      object("a service", {
        name: text("what it is for"),
        uri: text("its URL"),
        answers: flag("it answered"),
        version: optional(text("its version, where it says")),
      }),
    ),
    user: optional(text("whose the token is, as far as the server says")),
    login: text("invalid: there is a token, and the server refuses it", { values: ["valid", "none", "invalid"] }),
  },
});

export const REMOTE_PASSWORD = answer({
  command: "remote get-login-password",
  says: "the password of a library's own OCI registry",
  fields: { password: text("the password: a secret") },
});
