/**
 * docker's config.json, which Singularity, Apptainer and podman keep their logins in too: `auths`, `credHelpers`,
 * `credsStore`, and members of others that are only carried along.
 */
import { type Decoder, type JsonObject, object, optional, record, string } from "../decode.ts";
import { isCode, SregistryError } from "../errors.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { jsonErrorPosition } from "./json-position.ts";

export interface DockerConfig {
  /** The file, or the variable that held the text. */
  readonly name: string;
  readonly auths: ReadonlyMap<string, JsonObject>;
  /** host -> name of its helper; an empty name means the file itself. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** The helper of every other host. */
  readonly credsStore: string | undefined;
  /** The whole document. */
  readonly document: JsonObject;
}

/** `legacy`: ~/.dockercfg, where the hosts are not inside `auths`. */
export type DockerConfigForm = "config" | "legacy";

/** Undefined when there is no such file. @throws SregistryError CONFIG_INVALID naming the file and the place in it. */
export async function readDockerConfig(
  path: string,
  form: DockerConfigForm = "config",
): Promise<DockerConfig | undefined> {
  const file = await readSmallFile(path);
  return file === undefined ? undefined : parseDockerConfig(file.text, path, form);
}

/** An empty file is an empty configuration, as for docker. */
export function parseDockerConfig(text: string, name: string, form: DockerConfigForm = "config"): DockerConfig {
  const document = inConfig(object, text.trim() === "" ? {} : parse(text, name), name);
  const auths = form === "legacy" ? document : inConfig(optional(object), document["auths"], `${name}: auths`);
  return {
    name,
    auths: toMap(inConfig(record(entry), auths ?? {}, form === "legacy" ? name : `${name}: auths`)),
    credHelpers: toMap(inConfig(optional(record(string)), document["credHelpers"], `${name}: credHelpers`) ?? {}),
    credsStore: inConfig(optional(string), document["credsStore"], `${name}: credsStore`) || undefined,
    document,
  };
}

/** `null` is Go's empty entry. */
const entry: Decoder<JsonObject> = (value, where) => object(value ?? {}, where);

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's error quotes the file: it is dropped, cause and all.
    throw new SregistryError("CONFIG_INVALID", `${name} is not JSON: ${jsonErrorPosition(text) ?? "unreadable"}`, {
      hint: "mend it, or move it away and log in again: sregistry login HOST",
    });
  }
}

/** A decoder's complaint, which knows only of replies, as one about this configuration. */
export function inConfig<T>(decoder: Decoder<T>, value: unknown, where: string): T {
  try {
    return decoder(value, where);
  } catch (error) {
    if (!isCode(error, "REPLY_INVALID")) throw error;
    throw new SregistryError("CONFIG_INVALID", error.message, { cause: error });
  }
}

function toMap<T>(values: Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return new Map(Object.entries(values));
}
