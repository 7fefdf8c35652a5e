/** The signature of Singularity Registry Server's own protocol, as both of its sides compute it (sregistry 2.1, `/api`). */
import { createHmac } from "node:crypto";

/** What a signature is for. `collection` as the server normalised it. */
export interface SignedWords {
  readonly action: string;
  readonly collection: string;
  readonly name: string;
  readonly tag: string;
}

/** `timestamp` is the hour in UTC, `YYYYMMDDTHHZ`. The token's text is the key, not the bytes that its digits stand for. */
export function hmacSignature(token: string, words: SignedWords, timestamp: string): string {
  const { action, collection, name, tag } = words;
  return createHmac("sha256", token).update(`${action}|${collection}|${timestamp}|${name}|${tag}|`).digest("hex");
}

/** `20261121T02Z` */
export function hmacTimestamp(time: Date): string {
  return `${time.toISOString().slice(0, 13).replaceAll("-", "")}Z`;
}
