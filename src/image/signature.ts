/** Who is said to have signed an image. Nothing here verifies a signature. */
import { SIF_TYPES, type SifLink } from "./descriptor.ts";
import { type ImageReader, readExactly } from "./reader.ts";
import type { Sif } from "./sif.ts";

export interface SifSignature {
  /** Id of the signature object. */
  readonly id: number;
  readonly hash: string;
  readonly format: "pgp" | "dsse" | "unknown";
  /** 40 lower-case hex digits; undefined where the descriptor names no PGP key. */
  readonly fingerprint: string | undefined;
  /** The group or object that it signs. */
  readonly signs: SifLink | undefined;
}

/** Enough to tell PGP clear text from a DSSE envelope. */
const BEGINNING = 64;

export async function readSignatures(reader: ImageReader, sif: Sif): Promise<readonly SifSignature[]> {
  const signatures: SifSignature[] = [];
  for (const { id, type, link, start, size, detail } of sif.descriptors) {
    if (type !== SIF_TYPES.signature || detail?.kind !== "signature") continue;
    const beginning = await readExactly(reader, start, start + Math.min(size, BEGINNING));
    const { hash, fingerprint } = detail;
    signatures.push({ id, hash, format: signatureFormat(beginning), fingerprint, signs: link });
  }
  return signatures;
}

function signatureFormat(beginning: Uint8Array): SifSignature["format"] {
  const text = new TextDecoder().decode(beginning).trimStart();
  if (text.startsWith("-----BEGIN PGP")) return "pgp";
  return text.startsWith("{") ? "dsse" : "unknown";
}
