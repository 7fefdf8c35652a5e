/** SIFs with signature objects whose digests are right; the signature itself is of nobody, as nothing here verifies it. */
import { createHash } from "node:crypto";
import { makeSif, type SifPart } from "./sif.ts";

export const SIGNATURE = 0x4005;
const GROUP = 0xf0000000;

export interface Signing {
  /** Ids of the objects to sign; default: all of group 1. */
  readonly ids?: readonly number[];
  /** As node:crypto names it. */
  readonly algorithm?: string;
  /** As the message names it. */
  readonly named?: string;
}

/** `{"version":1,...}` over objects of an image that makeSif made, which begins its table at byte 128. */
export function signedText(image: Buffer, { ids = [1], algorithm = "sha256", named = algorithm }: Signing): string {
  const digest = (bytes: Uint8Array) => `${named}:${createHash(algorithm).update(bytes).digest("hex")}`;
  const objects = ids.map((id) => {
    const slot = image.subarray(128 + (id - 1) * 585, 128 + id * 585);
    const start = Number(slot.readBigInt64LE(17));
    const signed = Buffer.concat([
      slot.subarray(0, 17),
      slot.subarray(25, 33),
      slot.subarray(41, 49),
      slot.subarray(57),
    ]);
    // Relative id in place of the id, and no group.
    const relative = Buffer.concat([signed.subarray(0, 5), number(id - 1), signed.subarray(13)]);
    const content = image.subarray(start, start + Number(slot.readBigInt64LE(25)));
    return { relativeId: id - 1, descriptorDigest: digest(relative), objectDigest: digest(content) };
  });
  const header = digest(Buffer.concat([image.subarray(0, 45), image.subarray(48, 64)]));
  return JSON.stringify({ version: 1, header: { digest: header }, objects });
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function dsse(text: string): string {
  return JSON.stringify({
    payloadType: "application/vnd.sylabs.sif-metadata+json",
    payload: Buffer.from(text).toString("base64"),
    signatures: [{ keyid: "SHA256:nobody", sig: "AAAA" }],
  });
}

export function pgp(text: string): string {
  return [
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "Hash: SHA256",
    "",
    text.replace(/^-/gm, "- -"),
    "-----BEGIN PGP SIGNATURE-----",
    "",
    "AAAA",
    "-----END PGP SIGNATURE-----",
    "",
  ].join("\n");
}

/** A signature object: `hash` by its number in the descriptor (1: SHA-256, 2: SHA-384), the key by its fingerprint. */
export function signaturePart(content: string, link = GROUP | 1, hash = 1, fingerprint = ""): SifPart {
  const extra = Buffer.alloc(24);
  extra.writeInt32LE(hash);
  extra.write(fingerprint, 4, "hex");
  return { type: SIGNATURE, content, extra, group: 0, link: link >>> 0 };
}

/** `parts` and a signature over them: the table has room for both from the start, so that nothing moves. */
export function makeSignedSif(parts: readonly SifPart[], signing: Signing = {}): Buffer {
  const total = parts.length + 8;
  const ids = signing.ids ?? parts.map((_part, index) => index + 1);
  const text = signedText(makeSif(parts, { total }), { ...signing, ids });
  return makeSif([...parts, signaturePart(dsse(text))], { total });
}
