/** One entry of `auths`: what it says, and how it is written. */
import type { JsonObject } from "../decode.ts";
import { optional, string } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import type { Credential } from "../http/credential.ts";
import { remember, Secret } from "../secret.ts";
import { inConfig } from "./docker-config.ts";
import { clean } from "./words.ts";

/**
 * A fixed token before an identity token before name and password, as docker chooses; undefined for an entry that names
 * none of them (its login is with a helper).
 * @throws SregistryError CONFIG_INVALID naming file, key and member, never a value.
 */
export function credentialOf(entry: JsonObject, file: string, key: string): Credential | undefined {
  const where = `${file}: auths[${JSON.stringify(key)}]`;
  const from = `${file} (auths ${JSON.stringify(key)})`;
  const raw = (name: string): string => inConfig(optional(string), entry[name], `${where}.${name}`) ?? "";
  const text = (name: string): string => clean(raw(name), `${where}.${name}`);
  const bearer = text("registrytoken");
  if (bearer !== "") return { kind: "bearer", token: new Secret(bearer), from };
  // Go's base64 passes over line breaks, which base64(1) puts in after 76 characters.
  const auth = raw("auth").replaceAll(/\s/g, "");
  const pair = auth === "" ? namedPair(text) : decodePair(auth, where);
  const identity = text("identitytoken");
  if (identity !== "") {
    const username = pair?.username ?? "";
    return { kind: "identity", token: new Secret(identity), from, ...(username === "" ? {} : { username }) };
  }
  return pair && { kind: "basic", username: pair.username, password: new Secret(pair.password), from };
}

interface Pair {
  readonly username: string;
  readonly password: string;
}

/** `username` and `password` as members of their own (Kubernetes writes both forms). */
function namedPair(text: (name: string) => string): Pair | undefined {
  const [username, password] = [text("username"), text("password")];
  return username === "" && password === "" ? undefined : { username, password };
}

/** base64 with or without padding; trailing NULs are no part of a password (docker's `DecodeAuth`). */
function decodePair(auth: string, where: string): Pair {
  remember(auth);
  const wrong = (what: string): SregistryError =>
    new SregistryError("CONFIG_INVALID", `${where}.auth ${what}`, { hint: "log in again: sregistry login HOST" });
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(auth)) throw wrong("is not base64");
  let pair: string;
  try {
    pair = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(auth, "base64"));
  } catch {
    throw wrong("is not UTF-8 inside its base64");
  }
  const colon = pair.indexOf(":");
  if (colon < 0) throw wrong("is not USER:PASSWORD inside its base64");
  return {
    username: clean(pair.slice(0, colon), `the user name in ${where}.auth`),
    password: clean(pair.slice(colon + 1).replace(/\u0000+$/, ""), `the password in ${where}.auth`),
  };
}

/** The entry that docker's own library writes for a login. */
export function entryFor(username: string, password: Secret): JsonObject {
  const auth = Buffer.from(`${username}:${password.reveal()}`, "utf8").toString("base64");
  remember(auth);
  return { auth };
}
