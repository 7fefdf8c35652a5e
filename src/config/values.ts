/** What a setting may hold: readers `YamlNode -> T` whose errors name file, line and key. */
import { dirname, join, resolve } from "node:path";
import { isCode, SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { parseHost } from "../reference/host.ts";
import type { Host } from "../reference/reference.ts";
import { wrong, type YamlNode } from "../yaml/document.ts";

export interface Place {
  readonly file: string;
  /** What `~/` stands for. */
  readonly home: string;
  /** The setting, as the file spells it: `hosts.ghcr.io.mode`. */
  readonly key: string;
}

export type ValueReader<T> = (node: YamlNode, place: Place) => T;

function unexpected(node: YamlNode, { file, key }: Place, expected: string): SregistryError {
  const { value } = node;
  const got =
    value === null
      ? "nothing"
      : value instanceof Map
        ? "a map"
        : typeof value === "object"
          ? "a list"
          : JSON.stringify(value);
  return wrong(file, node.line, `${key}: expected ${expected}, got ${got}`);
}

export const text: ValueReader<string> = (node, place) => {
  const { value } = node;
  if (typeof value === "string" && value !== "" && !/[\u0000-\u001f\u007f]/.test(value)) return value;
  throw unexpected(node, place, "a line of text");
};

/** Absolute: `~/` is the user's home, anything else is seen from the file's directory. */
export const path: ValueReader<string> = (node, place) => {
  const written = text(node, place);
  if (written === "~" || written.startsWith("~/")) return join(place.home, written.slice(1));
  return resolve(dirname(place.file), written);
};

export const flag: ValueReader<boolean> = (node, place) => {
  if (typeof node.value === "boolean") return node.value;
  throw unexpected(node, place, "true or false");
};

/** One word, which no registry's address could be. */
export const remoteName: ValueReader<string> = (node, place) => {
  const name = text(node, place);
  if (isRemoteName(name)) return name;
  throw unexpected(node, place, 'a name of letters, digits, "_", "." and "-"');
};

export function isRemoteName(name: string): boolean {
  return /^\w[\w.-]{0,127}$/.test(name) && name !== "local";
}

export function choice<const T extends string>(...choices: readonly T[]): ValueReader<T> {
  return (node, place) => {
    const found = choices.find((name) => name === node.value);
    if (found === undefined) throw unexpected(node, place, choices.join(", "));
    return found;
  };
}

const MILLISECONDS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Seconds, or `30s`, `5m`, `2h`. Milliseconds out. */
export const duration: ValueReader<number> = (node, place) => {
  const match = /^(\d{1,9})([smh]?)$/.exec(String(node.value));
  if (match?.[1] === undefined) throw unexpected(node, place, "a time: 30, 30s, 5m or 2h");
  return Number(match[1]) * (MILLISECONDS[match[2] || "s"] ?? 0);
};

const BYTES: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes, or `16 MiB`. */
export const size: ValueReader<number> = (node, place) => {
  const match = /^(\d{1,12}) ?(KiB|MiB|GiB|)$/.exec(String(node.value));
  const bytes = Number(match?.[1]) * (BYTES[match?.[2] ?? ""] ?? 0);
  if (!Number.isSafeInteger(bytes) || bytes === 0) throw unexpected(node, place, "a size: 8388608, 8 MiB or 1 GiB");
  return bytes;
};

export const host: ValueReader<Host> = (node, place) => inFile(node, place, () => parseHost(text(node, place)));

/** A host, or `*.example.org` for every host below a domain. */
export const hostPattern: ValueReader<string> = (node, place) => {
  const written = text(node, place);
  return written.startsWith("*.")
    ? `*.${inFile(node, place, () => parseHost(written.slice(2)))}`
    : inFile(node, place, () => parseHost(written));
};

/** A token server: `host`, `host:port` or a URL, which is reduced to its origin. */
export const realm: ValueReader<string> = (node, place) => {
  const written = text(node, place);
  if (!written.includes("://")) return host(node, place);
  if (!/^https?:\/\//.test(written) || !URL.canParse(written))
    throw unexpected(node, place, "a host or an http(s) URL");
  return new URL(written).origin;
};

/** A list, or one item by itself. */
export function list<T>(reader: ValueReader<T>): ValueReader<readonly T[]> {
  return (node, place) => {
    if (!Array.isArray(node.value)) return [reader(node, place)];
    return node.value.map((item: YamlNode, index) => reader(item, { ...place, key: `${place.key}[${index}]` }));
  };
}

/** A map whose keys are read too. */
export function map<T>(key: ValueReader<string>, value: ValueReader<T>): ValueReader<ReadonlyMap<string, T>> {
  return (node, place) => {
    const entries = entriesOf(node, place).map(([name, item]): readonly [string, T] => [
      key({ value: name, line: item.line }, place),
      value(item, { ...place, key: `${place.key}.${name}` }),
    ]);
    return new Map(entries);
  };
}

/** The entries of a map with none but `known` keys. */
export function fields(node: YamlNode, place: Place, known: readonly string[]): ReadonlyMap<string, YamlNode> {
  const entries = entriesOf(node, place);
  for (const [name, item] of entries) {
    if (known.includes(name)) continue;
    const full = place.key === "" ? name : `${place.key}.${name}`;
    const meant = nearest(name, known);
    throw new SregistryError(
      "CONFIG_INVALID",
      `${place.file}, line ${item.line}: unknown setting ${JSON.stringify(full)}`,
      {
        hint: meant === undefined ? `known are ${known.join(", ")}` : `did you mean ${meant}?`,
      },
    );
  }
  return new Map(entries);
}

function entriesOf(node: YamlNode, place: Place): readonly (readonly [string, YamlNode])[] {
  if (node.value === null) return [];
  if (!(node.value instanceof Map)) throw unexpected(node, { ...place, key: place.key || "the file" }, "a map");
  return [...node.value];
}

/** Another room's complaint about a value, with its place in the file. */
function inFile<T>(node: YamlNode, { file, key }: Place, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isCode(error, "REFERENCE_INVALID")) throw error;
    throw wrong(file, node.line, `${key}: ${error.message}`, error);
  }
}
