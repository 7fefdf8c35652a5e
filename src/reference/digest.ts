/** Content digests as OCI writes them (image-spec descriptor.md, "Digests"): the one type, made at the border only. */
import { createHash, type Hash } from "node:crypto";
import { SregistryError } from "../errors.ts";

declare const brand: unique symbol;

/** `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`. Safe in paths, URLs and file names by construction. */
export type Digest = string & { readonly [brand]: "Digest" };

export type DigestAlgorithm = "sha256" | "sha512";

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return PATTERN.test(text);
}

/** @throws SregistryError REFERENCE_INVALID naming `what` when `text` is no digest that we can check. */
export function parseDigest(text: string, what = "digest"): Digest {
  if (isDigest(text)) return text;
  throw new SregistryError(
    "REFERENCE_INVALID",
    `${what} ${JSON.stringify(text.slice(0, 160))} is not sha256:<64 hex digits> or sha512:<128 hex digits>`,
  );
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The hexadecimal part. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return finishDigest(createHash(algorithm).update(bytes), algorithm);
}

/** Ends a running node:crypto hash. */
export function finishDigest(hash: Hash, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${hash.digest("hex")}`);
}
