/** Repository paths and tags: the constructors of the branded types, one character at a time. */
import { invalid, quote } from "./invalid.ts";
import type { RepoPath, Scheme, Tag } from "./reference.ts";

const LONGEST_PATH = 255;
const LONGEST_TAG = 128;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const SHUB_COMPONENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

export function isTag(text: string): text is Tag {
  return text.length <= LONGEST_TAG && TAG.test(text);
}

/** @throws SregistryError REFERENCE_INVALID when `text` is no tag of the OCI grammar. */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  if (text === "") throw invalid("tag is empty after the colon", "write name:tag, or leave the colon out for latest");
  if (text.length > LONGEST_TAG) {
    throw invalid(`tag ${quote(text)} has ${text.length} characters: ${LONGEST_TAG} are allowed`, "shorten the tag");
  }
  throw invalid(
    `tag ${quote(text)} is not letters, digits, "_", "." and "-", starting with a letter, a digit or "_"`,
    tagHint(text),
  );
}

function tagHint(text: string): string {
  if (text.includes(",")) return "several tags are written so only at library://; elsewhere give --tag for each";
  if (text.includes("/")) return "a host with a port is written behind a scheme: oras://HOST:PORT/path:tag";
  const usable = text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "");
  return isTag(usable) ? `a tag that would do: ${usable}` : "a tag is written like 1.0 or latest";
}

/** True when `text` is a path of the scheme's grammar; without a scheme that of a bare name (OCI's). */
export function isRepoPath(text: string, scheme?: Scheme): text is RepoPath {
  return text.length <= LONGEST_PATH && text.split("/").every((component) => isComponent(component, scheme));
}

/**
 * OCI distribution-spec's repository names for oras, docker, local and bare names; library and shub have their own.
 * @throws SregistryError REFERENCE_INVALID naming the first component that is none.
 */
export function parseRepoPath(text: string, scheme?: Scheme): RepoPath {
  if (isRepoPath(text, scheme)) return text;
  if (text === "") throw invalid("the reference names no image: its path is empty", "write it as collection/name:tag");
  if (text.length > LONGEST_PATH) {
    throw invalid(`path ${quote(text)} has ${text.length} characters: ${LONGEST_PATH} are allowed`, "shorten the path");
  }
  const wrong = text.split("/").find((component) => !isComponent(component, scheme)) ?? text;
  throw componentError(wrong, text, scheme);
}

function componentError(wrong: string, path: string, scheme: Scheme | undefined): Error {
  if (wrong === "") {
    return invalid(
      `path ${quote(path)} has an empty component`,
      "write one slash between components, none at the ends",
    );
  }
  if (wrong === "." || wrong === "..") {
    return invalid(`path ${quote(path)} has the component ${quote(wrong)}`, "a path is names only: collection/name");
  }
  const lower = path.toLowerCase();
  if (lower !== path && isRepoPath(lower, scheme)) {
    const owner = scheme === undefined ? "registries" : `${scheme}:// endpoints`;
    return invalid(
      `path component ${quote(wrong)} has upper-case letters: ${owner} know lower case only`,
      `write ${lower}`,
    );
  }
  return invalid(`path component ${quote(wrong)} of ${quote(path)} is not ${grammarWords(scheme)}`, GRAMMAR_HINT);
}

const GRAMMAR_HINT = "names are written like dinosaur/avocado";

function grammarWords(scheme: Scheme | undefined): string {
  if (scheme === "shub") return 'letters, digits, "-", "_" and "."';
  const between = scheme === "library" ? 'single ".", "_" or "-"' : '".", "_", "__" or "-"';
  return `lower-case letters and digits with ${between} between them`;
}

function isComponent(text: string, scheme: Scheme | undefined): boolean {
  if (scheme === "shub") return SHUB_COMPONENT.test(text);
  return isSeparated(text, scheme === "library" ? isSingle : isOciSeparator);
}

function isSingle(separator: string): boolean {
  return separator.length === 1;
}

function isOciSeparator(separator: string): boolean {
  return separator === "." || separator === "_" || separator === "__" || /^-+$/.test(separator);
}

/** `word(separator word)*`: a linear scan, since the grammar's regular expression nests quantifiers. */
function isSeparated(text: string, allowed: (separator: string) => boolean): boolean {
  let at = 0;
  for (;;) {
    const word = at;
    while (isWord(text.charCodeAt(at))) at += 1;
    if (at === word) return false;
    if (at === text.length) return true;
    const separator = at;
    while (at < text.length && ".-_".includes(text.charAt(at))) at += 1;
    if (!allowed(text.slice(separator, at))) return false;
  }
}

function isWord(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
}
