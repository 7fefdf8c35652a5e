/**
 * YAML as far as a configuration needs it: one document of maps, lists and scalars of the core schema, with the line of
 * each. The only place that names the yaml package.
 */
import {
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
  type Scalar,
} from "yaml";
import { SregistryError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";

export interface YamlNode {
  readonly value: YamlValue;
  /** From 1. */
  readonly line: number;
  /** A number, true or false as the file spells it: what a reader that expects text gets (`0123`, a token of digits). */
  readonly written?: string;
}

/** Maps are Maps: no key of a file is a property of anything (js-yaml CVE-2025-64718). */
export type YamlValue = string | number | boolean | null | readonly YamlNode[] | ReadonlyMap<string, YamlNode>;

const DEEPEST = 16;
/** Uses of aliases, each time one is met: nothing can be multiplied (js-yaml CVE-2026-53550). */
const MOST_ALIASES = 10;

/** @throws SregistryError CONFIG_INVALID naming `file` and the line. An empty text is `null`. */
export function parseYaml(text: string, file: string): YamlNode {
  return reading(file, () => {
    const { document, lines } = parseText(text, file);
    return new Reader(document, lines, file).read(document.contents, 1, 0);
  });
}

export type YamlScalar = string | boolean;
export interface YamlMap {
  readonly [key: string]: YamlScalar | YamlMap;
}

/** One text being changed; what is not named stays as it is, its comments too. A key path leads through maps alone. */
export interface YamlEdit {
  /** A key that is new comes last, or behind its sibling `after` where there is one; null: first. */
  set(path: readonly string[], value: YamlScalar | YamlMap, after?: string | null): void;
  /** With a comment of its own; what is not there is no error. */
  delete(path: readonly string[]): void;
}

/**
 * The text with the changes of `work`; the very same text when they change nothing. Spaces between values may come out
 * otherwise than they were; keys, their order, values and comments do not.
 * @throws SregistryError CONFIG_INVALID as parseYaml does, and when something on the way is no map.
 */
export function editYaml(text: string, file: string, work: (edit: YamlEdit) => void): string {
  return reading(file, () => {
    const { document, lines } = parseText(text, file);
    // What could not be read afterwards is not written either.
    new Reader(document, lines, file).read(document.contents, 1, 0);
    const before = render(document, text);
    work({
      set(path, value, after) {
        requireMaps(document, path, file);
        requireUnshared(document, path, file);
        makeMaps(document, path);
        const isNew = !document.hasIn(path);
        document.setIn(path, typeof value === "object" ? document.createNode(value) : value);
        if (isNew && after !== undefined) moveBehind(document.getIn(path.slice(0, -1), true), after);
      },
      delete(path) {
        requireMaps(document, path, file);
        requireUnshared(document, path, file);
        if (document.hasIn(path)) document.deleteIn(path);
      },
    });
    const after = render(document, text);
    return after === before ? text : after;
  });
}

/** Every value on the way to `path` is a map, or nothing. */
function requireMaps(document: Document, path: readonly string[], file: string): void {
  path.forEach((_key, length) => {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (node === null || node === undefined || isMap(node) || (isScalar(node) && node.value === null)) return;
    const where = length === 0 ? "the document" : path.slice(0, length).join(".");
    throw new SregistryError("CONFIG_INVALID", `${file}: ${where} is no map of names to values`);
  });
}

/** A change of what others refer to would be one of theirs. */
function requireUnshared(document: Document, path: readonly string[], file: string): void {
  for (let length = 1; length <= path.length; length += 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (!isNode(node) || isAlias(node) || node.anchor === undefined) continue;
    const where = path.slice(0, length).join(".");
    throw new SregistryError(
      "CONFIG_INVALID",
      `${file}: ${where} may be used in other places too, as *${node.anchor}`,
      {
        hint: "write it out in each of its places",
      },
    );
  }
}

/** Singularity writes `Remotes: {}` when there is none; what comes into it is written in lines. */
function makeMaps(document: Document, path: readonly string[]): void {
  path.forEach((_key, length) => {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (node === null || isScalar(node)) document.setIn(path.slice(0, length), document.createNode({}));
    else if (isMap(node) && node.items.length === 0) node.flow = false;
  });
}

/** The last entry of a map goes behind the one of the key. */
function moveBehind(map: unknown, key: string | null): void {
  if (!isMap(map)) return;
  const place = map.items.findIndex((entry) => isScalar(entry.key) && entry.key.value === key);
  if (place < 0 && key !== null) return;
  const last = map.items.pop();
  if (last !== undefined) map.items.splice(place + 1, 0, last);
}

/** Singularity writes four spaces; an existing file keeps its own indentation. */
function render(document: Document, text: string): string {
  const found = /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 4;
  return document.toString({ indent: Math.min(Math.max(found, 2), 8), lineWidth: 0, flowCollectionPadding: true });
}

function parseText(text: string, file: string): { readonly document: Document; readonly lines: LineCounter } {
  const lines = new LineCounter();
  refuseDepth(text, file);
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: "core",
    merge: false,
    uniqueKeys: true,
    stringKeys: true,
    logLevel: "error",
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw wrong(file, lines.linePos(problem.pos[0]).line, words(problem.message), problem);
  return { document, lines };
}

/**
 * What makes values of the tokens calls itself for each level: at the end of the stack that is an error of YAML, a
 * RangeError (CVE-2026-33532), or the end of the process, when V8 has a regular expression to compile just there.
 */
function refuseDepth(text: string, file: string): void {
  const lines = new LineCounter();
  let level: CST.Token[] = [...new Parser(lines.addNewLine).parse(text)];
  // The document and its own value are no levels.
  for (let depth = -2; level.length > 0; depth += 1) {
    const first = level[0];
    if (depth >= DEEPEST && first !== undefined) {
      throw wrong(file, lines.linePos(first.offset).line, `more than ${DEEPEST} levels`);
    }
    level = level.flatMap(within);
  }
}

function within(token: CST.Token): CST.Token[] {
  const found: (CST.Token | null | undefined)[] = [];
  if (token.type === "document") found.push(token.value);
  else if ("items" in token) for (const { key, value } of token.items) found.push(key, value);
  return found.filter((one) => one !== null && one !== undefined);
}

function reading<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SregistryError) throw error;
    // CVE-2026-33532: deep nesting is a RangeError there, not an error of YAML.
    throw new SregistryError("CONFIG_INVALID", `${file} cannot be read as YAML`, { cause: error });
  }
}

class Reader {
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #file: string;
  #aliases = 0;

  constructor(document: Document, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  /** `parentLine`: for a value that is not there (`key:`), which has no place of its own. */
  read(node: unknown, parentLine: number, depth: number): YamlNode {
    if (node === null || node === undefined) return { value: null, line: parentLine };
    if (depth > DEEPEST) throw wrong(this.#file, parentLine, `more than ${DEEPEST} levels`);
    if (isAlias(node)) return this.#alias(node.resolve(this.#document), this.#lineOf(node, parentLine), depth);
    if (isScalar(node)) return scalar(node, this.#lineOf(node, parentLine));
    if (isSeq(node)) {
      const line = this.#lineOf(node, parentLine);
      return { value: node.items.map((item) => this.read(item, line, depth + 1)), line };
    }
    if (!isMap(node)) throw wrong(this.#file, parentLine, "something that is no map, list or scalar");
    const line = this.#lineOf(node, parentLine);
    const entries = node.items.map(({ key, value }): readonly [string, YamlNode] => {
      const keyLine = isScalar(key) ? this.#lineOf(key, line) : line;
      return [
        isScalar(key) ? String(key.value) : String(key),
        { ...this.read(value, keyLine, depth + 1), line: keyLine },
      ];
    });
    return { value: new Map(entries), line };
  }

  #alias(target: Node | undefined, line: number, depth: number): YamlNode {
    this.#aliases += 1;
    if (target === undefined) throw wrong(this.#file, line, "an alias of what is not there");
    if (this.#aliases > MOST_ALIASES) throw wrong(this.#file, line, `more than ${MOST_ALIASES} uses of aliases`);
    return { ...this.read(target, line, depth + 1), line };
  }

  #lineOf({ range }: Pick<Node, "range">, otherwise: number): number {
    return range === undefined || range === null ? otherwise : this.#lines.linePos(range[0]).line;
  }
}

function scalar({ value, source }: Scalar, line: number): YamlNode {
  if (typeof value === "number" || typeof value === "boolean") return { value, line, written: source ?? String(value) };
  return { value: value === null || value === undefined ? null : String(value), line };
}

/** An error about one line of a configuration file. */
export function wrong(file: string, line: number, what: string, cause?: unknown): SregistryError {
  const hint = `mend that line in an editor: vi +${line} ${shellWord(file)}`;
  return new SregistryError("CONFIG_INVALID", `${file}, line ${line}: ${what}`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The parser's, without its advice to programmers. */
function words(message: string): string {
  const text = message.split("; ", 1)[0] ?? "";
  return `${text[0]?.toLowerCase() ?? ""}${text.slice(1)}`;
}
