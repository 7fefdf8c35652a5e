/** What a signature object says: PGP clear-signed text or a DSSE envelope, around digests of the image's parts. */
import { count, type Decoder, field, list, object, parseJson, string } from "../decode.ts";
import { SregistryError } from "../errors.ts";

/** A digest as the signer wrote it. */
export interface SignedDigest {
  /** Name that node:crypto knows. */
  readonly algorithm: string;
  /** Lower case. */
  readonly hex: string;
}

export interface SignedObject {
  /** Id of the object less the smallest one in its group. */
  readonly relativeId: number;
  readonly descriptor: SignedDigest;
  readonly content: SignedDigest;
}

export type SignedMessage =
  | { readonly kind: "objects"; readonly header: SignedDigest; readonly objects: readonly SignedObject[] }
  /** Before Singularity 3.6: a hash over contents alone, its algorithm named by the signature's descriptor. */
  | { readonly kind: "legacy"; readonly hex: string };

/** Algorithm by the name in the message -> by node:crypto's, and its hexadecimal digits. */
const ALGORITHMS: ReadonlyMap<string, readonly [name: string, digits: number]> = new Map([
  ["sha224", ["sha224", 56]],
  ["sha256", ["sha256", 64]],
  ["sha384", ["sha384", 96]],
  ["sha512", ["sha512", 128]],
  ["sha512_224", ["sha512-224", 56]],
  ["sha512_256", ["sha512-256", 64]],
]);

const PAYLOAD_TYPE = "application/vnd.sylabs.sif-metadata+json";
const LEGACY = "SIFHASH:";

/** @throws SregistryError REPLY_INVALID saying what is wrong with the message. */
export function decodeSignedMessage(bytes: Uint8Array, format: "pgp" | "dsse"): SignedMessage {
  const text = new TextDecoder().decode(bytes);
  const signed = format === "pgp" ? clearSigned(text) : enveloped(text);
  if (format === "pgp" && signed.startsWith(LEGACY)) return legacy(signed);
  const message = object(parseJson(signed, "the signed text"), "the signed text");
  const version = field(message, "version", count, "");
  if (version !== 1) throw wrong(`its version is ${version}, not 1`);
  return {
    kind: "objects",
    header: field(field(message, "header", object, ""), "digest", digest, "header"),
    objects: field(message, "objects", list(signedObject), ""),
  };
}

/** RFC 9580, section 7: armor headers end at an empty line, and a line that began with a dash has "- " before it. */
function clearSigned(text: string): string {
  const lines = text.trimStart().split(/\r?\n/);
  const start = lines.indexOf("");
  const end = lines.indexOf("-----BEGIN PGP SIGNATURE-----");
  if (lines[0] !== "-----BEGIN PGP SIGNED MESSAGE-----" || start < 0 || end <= start) {
    throw wrong("it is no whole PGP clear-signed text");
  }
  return lines
    .slice(start + 1, end)
    .map((line) => (line.startsWith("- ") ? line.slice(2) : line))
    .join("\n");
}

/** DSSE: the payload is JSON in base64. */
function enveloped(text: string): string {
  const envelope = object(parseJson(text, "the envelope"), "the envelope");
  if (field(envelope, "payloadType", string, "") !== PAYLOAD_TYPE) throw wrong(`its payload is not ${PAYLOAD_TYPE}`);
  return Buffer.from(field(envelope, "payload", string, ""), "base64").toString("utf8");
}

function legacy(text: string): SignedMessage {
  const hex = text.slice(LEGACY.length).trim().toLowerCase();
  if (!/^[0-9a-f]{56,128}$/.test(hex)) throw wrong(`what follows ${LEGACY} is no digest`);
  return { kind: "legacy", hex };
}

const digest: Decoder<SignedDigest> = (value, where) => {
  const [, name = "", hex = ""] = /^([a-z0-9_-]{1,32}):([0-9a-fA-F]{1,128})$/.exec(string(value, where)) ?? [];
  if (name === "") throw wrong(`${where} is no digest`);
  const [algorithm, digits] = ALGORITHMS.get(name) ?? [];
  if (algorithm === undefined) throw wrong(`${where} is of an unsupported algorithm, ${name}`);
  if (hex.length !== digits) throw wrong(`${where} has ${hex.length} digits, and ${name} has ${digits}`);
  return { algorithm, hex: hex.toLowerCase() };
};

const signedObject: Decoder<SignedObject> = (value, where) => {
  const from = object(value, where);
  return {
    relativeId: field(from, "relativeId", count, where),
    descriptor: field(from, "descriptorDigest", digest, where),
    content: field(from, "objectDigest", digest, where),
  };
};

function wrong(words: string): SregistryError {
  return new SregistryError("REPLY_INVALID", words);
}
