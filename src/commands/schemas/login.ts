import { answer, optional, text } from "./schema.ts";

const REMOTE = text("the remote's name");
const STORED = text("the file that keeps the login, or: the keyring");
const REMOVED = text("the file that the login was taken out of");

export const LOGIN = answer({
  command: "login",
  says: "a login that was proven and kept: at a remote, or at a host",
  fields: {
    remote: optional(REMOTE),
    host: optional(text("the registry's host")),
    username: optional(text("the user name at the host")),
    stored: STORED,
  },
});

export const LOGOUT = answer({
  command: "logout",
  says: "a login that was forgotten: at a remote, or at a host",
  fields: { remote: optional(REMOTE), host: optional(text("the registry's host")), removed: REMOVED },
});

export const REMOTE_LOGIN = answer({
  command: "remote login",
  says: "a token that was verified and kept",
  fields: { remote: REMOTE, stored: STORED },
});

export const REMOTE_LOGOUT = answer({
  command: "remote logout",
  says: "a token that was forgotten",
  fields: { remote: REMOTE, removed: REMOVED },
});
