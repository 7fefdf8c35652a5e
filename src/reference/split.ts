/** First steps of every name: what is refused before parsing, the scheme, and where path, tag and digest end. */
import { nearest } from "../nearest.ts";
import { invalid, quote } from "./invalid.ts";
import type { Scheme } from "./reference.ts";

export const SCHEMES: readonly Scheme[] = ["library", "shub", "oras", "docker", "local"];

/** Characters of a whole reference: caps the work of everything after. */
const LONGEST_REFERENCE = 4096;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Line ends and NUL in disguise (git CVE-2020-5260, CVE-2024-52006). */
const ENCODED_CONTROL = /%(?:0a|0d|00)/i;

/** What other programs write in front of names, and what it is here. */
const FOREIGN_SCHEMES: Readonly<Record<string, string>> = {
  http: "an http URL is no image name: give it as --registry URL, and the image as collection/name:tag",
  https: "an https URL is no image name: give it as --registry URL, and the image as collection/name:tag",
  oci: "an image in a registry is written oras://HOST/path:tag (a SIF) or docker://HOST/path:tag",
  "oci-archive": "only images in registries have names here: oras://HOST/path:tag or docker://HOST/path:tag",
  "docker-archive": "only images in registries have names here: docker://HOST/path:tag",
  "docker-daemon": "only images in registries have names here: docker://HOST/path:tag",
  hub: "write shub://collection/name:tag",
  registry: "leave the scheme out for the default registry: collection/name:tag",
  file: "a file is named by its path alone",
};

export interface SplitName {
  readonly scheme: Scheme | undefined;
  readonly rest: string;
}

/** @throws SregistryError REFERENCE_INVALID for what no scheme allows, and for a scheme that is not ours. */
export function splitScheme(text: string): SplitName {
  refuseUnsafe(text);
  const end = text.indexOf("://");
  if (end < 0) {
    refuseMissingSlashes(text);
    return { scheme: undefined, rest: text };
  }
  const word = text.slice(0, end);
  const rest = text.slice(end + 3);
  const scheme = SCHEMES.find((known) => known === word.toLowerCase());
  if (scheme !== undefined) return { scheme, rest };
  throw invalid(`scheme ${quote(word)} is not one of ${SCHEMES.join(", ")}`, schemeHint(word.toLowerCase(), rest));
}

function schemeHint(word: string, rest: string): string {
  const foreign = Object.hasOwn(FOREIGN_SCHEMES, word) ? FOREIGN_SCHEMES[word] : undefined;
  if (foreign !== undefined) return foreign;
  const near = nearest(word, SCHEMES);
  return near === undefined ? "write one of them, or none for the default registry" : `did you mean ${near}://${rest}?`;
}

function refuseUnsafe(text: string): void {
  if (text.length > LONGEST_REFERENCE) {
    throw invalid(
      `reference ${quote(text)} has ${text.length} characters: ${LONGEST_REFERENCE} are allowed`,
      "check what was pasted",
    );
  }
  if (text === "") throw invalid("the reference is empty", "write it as collection/name:tag");
  if (CONTROL.test(text)) {
    throw invalid(
      `reference ${quote(text)} has a control character`,
      "remove line ends and other invisible characters",
    );
  }
  if (ENCODED_CONTROL.test(text)) {
    throw invalid(`reference ${quote(text)} has an encoded line end or NUL`, "remove %0a, %0d and %00");
  }
  // The text is not repeated here: what stands before such an "@" is often a password.
  const at = text.indexOf("@");
  if (at >= 0 && text.includes("/", at)) {
    throw invalid(
      'the reference has "@" before a "/"',
      "a digest comes last; credentials are given to sregistry login",
    );
  }
}

/** `library:a/b` would otherwise be the tag "a/b" of an image named library. */
function refuseMissingSlashes(text: string): void {
  const scheme = SCHEMES.find((known) => text.startsWith(`${known}:`));
  if (scheme === undefined || !text.includes("/")) return;
  const rest = text.slice(scheme.length + 1).replace(/^\/+/, "");
  throw invalid(`scheme ${quote(scheme)} is not followed by "://"`, `write ${scheme}://${rest}`);
}

export interface SplitPath {
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** `path[:tag][@digest]`, the host already taken off: a colon here can only begin a tag. */
export function splitSelector(text: string): SplitPath {
  const [named, digest] = cut(text, "@");
  const [path, tag] = cut(named, ":");
  return { path, tag, digest };
}

export function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
