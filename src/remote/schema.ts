/**
 * remote.yaml as SingularityCE 4.5 and Apptainer write it. They refuse a file with a key that they do not know, so nothing of
 * ours is ever written; what they may add one day is left where it is.
 */
import { type Log, silentLog } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { parseYaml, wrong, type YamlNode } from "../yaml/document.ts";

export interface Keyserver {
  readonly uri: string;
  /** Taken out of what the remote itself offers. */
  readonly skip: boolean;
  readonly external: boolean;
  readonly insecure: boolean;
}

export interface RemoteEntry {
  /** As it is written: a host, a host with a path, or a URL; "" when it has none. */
  readonly uri: string;
  readonly token: Secret | undefined;
  /** From the administrator's file. */
  readonly system: boolean;
  readonly exclusive: boolean;
  readonly insecure: boolean;
  readonly keyservers: readonly Keyserver[] | undefined;
}

export interface RemoteFile {
  /** Undefined when there is none, or it is empty. */
  readonly active: string | undefined;
  /** `FILE, line N`: where `active` is written. */
  readonly activeAt?: string;
  readonly remotes: ReadonlyMap<string, RemoteEntry>;
}

export const NO_REMOTES: RemoteFile = { active: undefined, remotes: new Map() };

const KEYS = {
  file: ["Active", "Remotes", "Credentials"],
  remote: ["URI", "Token", "System", "Exclusive", "Insecure", "Keyservers"],
  keyserver: ["URI", "Skip", "External", "Insecure"],
} as const;

/** @throws SregistryError CONFIG_INVALID naming file and line. */
export function parseRemoteFile(text: string, file: string, log: Log = silentLog): RemoteFile {
  const root = parseYaml(text, file);
  if (root.value === null) return NO_REMOTES;
  const top = mapOf(root, file, "the file");
  noteUnknown(top, KEYS.file, file, log);
  const active = textOf(top.get("Active"), file, "Active");
  const remotes = new Map<string, RemoteEntry>();
  const listed = top.get("Remotes");
  for (const [name, node] of listed === undefined ? [] : mapOf(listed, file, "Remotes")) {
    remotes.set(name, entryOf(node, file, name, log));
  }
  if (active === "") return { active: undefined, remotes };
  return { active, activeAt: `${file}, line ${top.get("Active")?.line}`, remotes };
}

/** Singularity does not start with such a file: whoever wonders why finds it here. */
function noteUnknown(members: ReadonlyMap<string, YamlNode>, known: readonly string[], file: string, log: Log): void {
  for (const [key, { line }] of members) {
    if (known.includes(key)) continue;
    log.verbose(`${file}, line ${line}: ${JSON.stringify(key)} is no key that Singularity knows`);
  }
}

function entryOf(node: YamlNode, file: string, name: string, log: Log): RemoteEntry {
  const members = mapOf(node, file, `remote ${name}`);
  noteUnknown(members, KEYS.remote, file, log);
  const text = (key: string): string => textOf(members.get(key), file, `${key} of ${name}`);
  const flag = (key: string): boolean => flagOf(members.get(key), file, `${key} of ${name}`);
  const token = text("Token");
  const keyservers = members.get("Keyservers");
  return {
    uri: text("URI"),
    token: token === "" ? undefined : new Secret(token),
    system: flag("System"),
    exclusive: flag("Exclusive"),
    insecure: flag("Insecure"),
    keyservers: keyservers === undefined ? undefined : keyserversOf(keyservers, file, name, log),
  };
}

function keyserversOf(node: YamlNode, file: string, name: string, log: Log): readonly Keyserver[] | undefined {
  if (node.value === null) return undefined;
  if (!Array.isArray(node.value)) throw wrong(file, node.line, `Keyservers of ${name} is no list`);
  return node.value.map((item: YamlNode) => {
    const members = mapOf(item, file, `a keyserver of ${name}`);
    noteUnknown(members, KEYS.keyserver, file, log);
    const flag = (key: string): boolean => flagOf(members.get(key), file, `${key} of a keyserver of ${name}`);
    return {
      uri: textOf(members.get("URI"), file, `URI of a keyserver of ${name}`),
      skip: flag("Skip"),
      external: flag("External"),
      insecure: flag("Insecure"),
    };
  });
}

function mapOf(node: YamlNode, file: string, what: string): ReadonlyMap<string, YamlNode> {
  if (node.value === null) return new Map();
  if (node.value instanceof Map) return node.value;
  throw wrong(file, node.line, `${what} is no map of names to values`);
}

/** "" when it is not there. To Singularity a number is the text that is written: a token may be all digits, or `12e4`. */
function textOf(node: YamlNode | undefined, file: string, what: string): string {
  if (node === undefined || node.value === null) return "";
  const text = node.written ?? node.value;
  if (typeof text === "string" && !hasControl(text)) return text;
  throw wrong(file, node.line, `${what} is no line of text`);
}

function flagOf(node: YamlNode | undefined, file: string, what: string): boolean {
  if (node === undefined || node.value === null) return false;
  if (typeof node.value === "boolean") return node.value;
  // The YAML library of Go, and so Singularity, reads the words of YAML 1.1 too.
  if (typeof node.value === "string" && /^(?:y|yes|on)$/i.test(node.value)) return true;
  if (typeof node.value === "string" && /^(?:n|no|off)$/i.test(node.value)) return false;
  throw wrong(file, node.line, `${what} is neither true nor false`);
}

export function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text);
}

/**
 * Where a remote is asked. Of the stored address everything but the scheme counts, which `Insecure` decides, as in
 * SingularityCE 4.5. @throws SregistryError CONFIG_INVALID for what is no address.
 */
export function remoteBase(name: string, { uri, insecure }: Pick<RemoteEntry, "uri" | "insecure">, file: string): URL {
  const rest = uri.replace(/^[a-z]+:\/\//i, "");
  const text = `${insecure ? "http" : "https"}://${rest}`;
  const url = rest !== "" && URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username + url.password + url.search + url.hash === "") return url;
  throw new SregistryError(
    "CONFIG_INVALID",
    `${file}: the URI of remote ${name} is no address: ${JSON.stringify(uri)}`,
    {
      hint: `sregistry remote remove ${name}, then add it again`,
    },
  );
}
