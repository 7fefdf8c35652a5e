/** Which image of a repository: by tag, by digest, or (shub) by version. */
import { isDigest } from "./digest.ts";
import { invalid, quote } from "./invalid.ts";
import { parseTag } from "./name.ts";
import type { Scheme, Selector, Tag } from "./reference.ts";
import type { SplitPath } from "./split.ts";

const LATEST = parseTag("latest");

/** `name:tag@digest` is the digest, the tag only has to be one (as every OCI client reads it). */
export function parseSelector({ tag, digest }: SplitPath, scheme?: Scheme): Selector {
  const parsed = tag === undefined ? LATEST : parseTag(tag);
  if (digest !== undefined) return parsePin(digest, scheme);
  return contentAddress(parsed, scheme) ?? { kind: "tag", tag: parsed };
}

export interface LibrarySelector {
  readonly selector: Selector;
  readonly tags?: readonly Tag[];
}

/** library:// writes several tags as `a,b,c`; a content address stands alone. */
export function parseLibrarySelector(split: SplitPath): LibrarySelector {
  const { path, digest } = split;
  const words = split.tag === undefined ? ["latest"] : split.tag.split(",");
  const tags = [...new Set(words.map(parseTag))];
  const [first = LATEST] = tags;
  if (digest !== undefined || tags.length === 1) {
    return { selector: parseSelector({ path, tag: first, digest }, "library") };
  }
  const address = tags.find((tag) => contentAddress(tag, "library") !== undefined);
  if (address !== undefined) {
    throw invalid(
      `content address ${quote(address)} stands among tags`,
      "write either path:sha256.HEX or path:tag,tag",
    );
  }
  return { selector: { kind: "tag", tag: first }, tags };
}

/** `sha256.<hex>` is how the library protocol writes a digest; the bare name's endpoint may well be a library. */
function contentAddress(tag: Tag, scheme: Scheme | undefined): Selector | undefined {
  if (scheme !== "library" && scheme !== undefined) return undefined;
  if (!/^sha256\.[0-9A-Fa-f]*$/.test(tag)) return undefined;
  return parsePin(tag, scheme);
}

function parsePin(text: string, scheme: Scheme | undefined): Selector {
  if (scheme === "shub" && /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/.test(text)) return { kind: "version", hex: text };
  const dotted =
    scheme === "oras" || scheme === "docker" || scheme === "local" ? text : text.replace(/^sha256\./, "sha256:");
  if (isDigest(dotted)) return { kind: "digest", digest: dotted };
  if (text === "") throw invalid('digest is empty after the "@"', "write name@sha256:HEX, or leave the @ out");
  throw invalid(`digest ${quote(text)} is not ${expectedPin(scheme)}`, pinHint(text, dotted));
}

function expectedPin(scheme: Scheme | undefined): string {
  const digest = "sha256:<64 hex digits> or sha512:<128 hex digits>";
  return scheme === "shub" ? `a commit (40 hex digits), a version (32 hex digits), ${digest}` : digest;
}

function pinHint(text: string, dotted: string): string {
  if (isDigest(dotted.toLowerCase())) return `digests are lower case: ${dotted.toLowerCase()}`;
  if (/^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(text)) {
    return `name the algorithm: ${text.length === 64 ? "sha256" : "sha512"}:${text}`;
  }
  if (text.startsWith("sha256.")) return "a content address is sha256. and 64 hex digits";
  return "a tag is written behind a colon: name:tag; a digest is written in full";
}
