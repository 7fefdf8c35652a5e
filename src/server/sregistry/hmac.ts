/**
 * Signed requests: `SREGISTRY-HMAC-SHA256 Credential=<kind>/<base64 of the user>/<hour>,Signature=<hex>`. A signature is good for its
 * hour and the next one: Singularity Registry Server 2.1 takes the current hour alone and asks after the upload, so that a
 * push over the full hour fails there when everything is sent.
 */
import { timingSafeEqual } from "node:crypto";
import { hmacSignature, hmacTimestamp } from "../../hmac.ts";
import type { Secret } from "../../secret.ts";

export interface SignedHeader {
  /** push, upload, pull, delete. */
  readonly kind: string;
  readonly user: string;
  /** `YYYYMMDDTHHZ` */
  readonly timestamp: string;
  readonly signature: string;
}

/** What a request is about; the collection by the name it has in the store. */
export interface Subject {
  readonly collection: string;
  readonly name: string;
  readonly tag: string;
}

const HEADER =
  /^SREGISTRY-HMAC-SHA256\s+Credential=([a-z]{1,20})\/([A-Za-z0-9+/]{1,400}={0,2})\/(\d{8}T\d{2}Z),\s*Signature=([0-9a-f]{64})\s*$/i;
const HOUR = 3_600_000;

/** Undefined for another scheme, and for a header of another form. */
export function parseSigned(authorization: string | undefined): SignedHeader | undefined {
  const [, kind, user, timestamp, signature] = HEADER.exec(authorization ?? "") ?? [];
  if (kind === undefined || user === undefined || timestamp === undefined || signature === undefined) return undefined;
  return { kind, user: Buffer.from(user, "base64").toString("utf8"), timestamp, signature };
}

/** Whether the hour is this one or the one before. */
export function isTimely({ timestamp }: SignedHeader, now: Date): boolean {
  return [now, new Date(now.getTime() - HOUR)].some((time) => hmacTimestamp(time) === timestamp);
}

/** Whether whoever has the token signed this. The time that the answer takes says nothing. */
export function isSignedWith(token: Secret, header: SignedHeader, { collection, name, tag }: Subject): boolean {
  const words = { action: header.kind, collection, name, tag };
  const expected = hmacSignature(token.reveal(), words, header.timestamp);
  return timingSafeEqual(Buffer.from(expected, "hex"), Buffer.from(header.signature, "hex"));
}
