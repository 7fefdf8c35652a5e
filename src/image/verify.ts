/**
 * Whether a signed SIF is what was signed. The digests in a signature are compared with the image, which needs no key and no
 * PGP; whose signature it is is not looked at. (SIF signatures, library.md section 10.5; sylabs/sif pkg/integrity.)
 */
import { createHash } from "node:crypto";
import { field, list, object, parseJson, string } from "../decode.ts";
import { isCode } from "../errors.ts";
import { SIF_TYPES, type SifDescriptor } from "./descriptor.ts";
import { DESCRIPTOR_SIZE, HEADER_SIZE } from "./header.ts";
import { type ImageReader, readExactly } from "./reader.ts";
import type { Sif } from "./sif.ts";

export interface CheckedSignature {
  /** Id of the signature object. */
  readonly id: number;
  /** 40 lower-case hex digits; undefined where the descriptor names no PGP key. */
  readonly fingerprint: string | undefined;
  /** What differs from what was signed; none: the bytes are the signed ones. */
  readonly problems: readonly string[];
}

export interface SignatureCheck {
  readonly signed: boolean;
  /** Signed, every group of objects by an intact signature. */
  readonly intact: boolean;
  readonly signatures: readonly CheckedSignature[];
  /** What no signature covers. */
  readonly problems: readonly string[];
}

/** Bytes of a signature's message; it lists objects, of which an image has a few. */
const LARGEST_MESSAGE = 256 * 1024;
const BLOCK = 1024 * 1024;

/** `sha256:<hex>` and such, as Node's hashes are called. BLAKE2 in 256 bits is not among them. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ["SHA-256", "sha256"],
  ["SHA-384", "sha384"],
  ["SHA-512", "sha512"],
]);

/** Reads every signed object once for each signature. @throws SregistryError IMAGE_INVALID for a file that ends early. */
export async function verifySignedObjects(reader: ImageReader, sif: Sif, signal: AbortSignal): Promise<SignatureCheck> {
  const signatures: CheckedSignature[] = [];
  const covered = new Set<number>();
  for (const descriptor of sif.descriptors) {
    if (descriptor.type !== SIF_TYPES.signature) continue;
    const checked = await new Checker(reader, sif, descriptor, signal).check();
    signatures.push({ id: descriptor.id, fingerprint: fingerprintOf(descriptor), problems: checked.problems });
    if (checked.problems.length === 0) for (const group of checked.groups) covered.add(group);
  }
  const groups = new Set(sif.descriptors.flatMap(({ group }) => group ?? []));
  const problems = [...groups]
    .filter((group) => !covered.has(group))
    .map((group) => `group ${group} has no intact signature`);
  const signed = signatures.length > 0;
  return { signed, intact: signed && problems.length === 0, signatures, problems };
}

function fingerprintOf({ detail }: SifDescriptor): string | undefined {
  return detail?.kind === "signature" ? detail.fingerprint : undefined;
}

interface Checked {
  readonly problems: readonly string[];
  readonly groups: readonly number[];
}

interface SignedObject {
  readonly relativeId: number;
  readonly descriptorDigest: string;
  readonly objectDigest: string;
}

class Checker {
  readonly #reader: ImageReader;
  readonly #sif: Sif;
  readonly #signature: SifDescriptor;
  readonly #signal: AbortSignal;
  readonly #problems: string[] = [];

  constructor(reader: ImageReader, sif: Sif, signature: SifDescriptor, signal: AbortSignal) {
    this.#reader = reader;
    this.#sif = sif;
    this.#signature = signature;
    this.#signal = signal;
  }

  async check(): Promise<Checked> {
    const { link, size, start } = this.#signature;
    if (size > LARGEST_MESSAGE) return this.#failed("its message is too long to be one");
    const bytes = await readExactly(this.#reader, start, start + size);
    const text = signedText(new TextDecoder().decode(bytes));
    if (text === undefined) return this.#failed("its message is of no known kind");
    const objects = this.#linked();
    if (link === undefined || objects.length === 0) return this.#failed("it signs nothing that is here");
    const legacy = /^SIFHASH:\s*([0-9a-f]+)\s*$/.exec(text);
    if (legacy?.[1] !== undefined) await this.#checkLegacy(objects, legacy[1]);
    else await this.#checkObjects(objects, text);
    return {
      problems: this.#problems,
      groups: this.#problems.length > 0 ? [] : objects.flatMap(({ group }) => group ?? []),
    };
  }

  #failed(problem: string): Checked {
    this.#problems.push(problem);
    return { problems: this.#problems, groups: [] };
  }

  /** What the signature is linked to: a group of objects, or (before 3.6) one. */
  #linked(): readonly SifDescriptor[] {
    const { link } = this.#signature;
    return this.#sif.descriptors.filter(
      ({ id, group }) => link !== undefined && (link.kind === "group" ? group === link.id : id === link.id),
    );
  }

  /** Before 3.6: one hash over the data, without descriptors. */
  async #checkLegacy(objects: readonly SifDescriptor[], expected: string): Promise<void> {
    const { detail } = this.#signature;
    const algorithm = detail?.kind === "signature" ? HASHES.get(detail.hash) : undefined;
    if (algorithm === undefined) {
      this.#problems.push("its hash is of a kind that is not checked here");
      return;
    }
    const hash = createHash(algorithm);
    for (const { start, size } of objects) await this.#read(start, size, (block) => hash.update(block));
    if (hash.digest("hex") !== expected) this.#problems.push("the data is not what was signed");
  }

  async #checkObjects(objects: readonly SifDescriptor[], text: string): Promise<void> {
    const message = decodeMessage(text);
    if (message === undefined) {
      this.#problems.push("its message makes no sense");
      return;
    }
    const header = await readExactly(this.#reader, 0, HEADER_SIZE);
    // Launch script, magic and version are the first 45 bytes, the UUID is behind the architecture.
    await this.#compare(message.header, [header.subarray(0, 45), header.subarray(48, 64)], "the header");
    const first = Math.min(...objects.map(({ id }) => id));
    const listed = new Set(message.objects.map(({ relativeId }) => relativeId + first));
    for (const { id } of objects)
      if (!listed.has(id)) this.#problems.push(`object ${id} was added after it was signed`);
    for (const signed of message.objects) await this.#checkObject(signed, objects, first);
  }

  async #checkObject(signed: SignedObject, objects: readonly SifDescriptor[], first: number): Promise<void> {
    const id = signed.relativeId + first;
    const found = objects.find((one) => one.id === id);
    if (found === undefined) {
      this.#problems.push(`object ${id} is gone`);
      return;
    }
    const raw = await this.#rawDescriptor(id);
    if (raw !== undefined)
      await this.#compare(
        signed.descriptorDigest,
        integrityFields(raw, signed.relativeId),
        `the descriptor of object ${id}`,
      );
    const [algorithm, expected] = splitDigest(signed.objectDigest);
    if (algorithm === undefined) {
      this.#problems.push(`object ${id} has a digest of a kind that is not checked here`);
      return;
    }
    const hash = createHash(algorithm);
    await this.#read(found.start, found.size, (block) => hash.update(block));
    if (hash.digest("hex") !== expected) this.#problems.push(`object ${id} is not what was signed`);
  }

  /** As it is in the file: its digest covers fields that are decoded nowhere else. */
  async #rawDescriptor(id: number): Promise<Uint8Array | undefined> {
    const { descriptorsOffset, descriptorsTotal } = this.#sif.header;
    for (let slot = 0; slot < descriptorsTotal; slot += 1) {
      const start = descriptorsOffset + slot * DESCRIPTOR_SIZE;
      const raw = await readExactly(this.#reader, start, start + DESCRIPTOR_SIZE);
      const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
      if (raw[4] !== 0 && view.getUint32(5, true) === id) return raw;
    }
    this.#problems.push(`object ${id} has no descriptor`);
    return undefined;
  }

  async #compare(digest: string, parts: readonly Uint8Array[], what: string): Promise<void> {
    const [algorithm, expected] = splitDigest(digest);
    if (algorithm === undefined) {
      this.#problems.push(`${what} has a digest of a kind that is not checked here`);
      return;
    }
    const hash = createHash(algorithm);
    for (const part of parts) hash.update(part);
    if (hash.digest("hex") !== expected) this.#problems.push(`${what} is not what was signed`);
  }

  async #read(start: number, size: number, use: (block: Uint8Array) => unknown): Promise<void> {
    for (let at = start; at < start + size; at += BLOCK) {
      this.#signal.throwIfAborted();
      use(await readExactly(this.#reader, at, Math.min(at + BLOCK, start + size)));
    }
  }
}

/** Little-endian, in the order of the specification; the id is relative to the group's first, so that groups can be moved. */
function integrityFields(raw: Uint8Array, relativeId: number): readonly Uint8Array[] {
  const id = new Uint8Array(4);
  new DataView(id.buffer).setUint32(0, relativeId, true);
  const part = (start: number, size: number): Uint8Array => raw.subarray(start, start + size);
  // Type and used; link; size; creation time; user and group; name; what the type adds.
  return [part(0, 5), id, part(13, 4), part(25, 8), part(41, 8), part(57, 16), part(73, 128), part(201, 384)];
}

/** The text inside a PGP clear-text message or a DSSE envelope; undefined for anything else. */
function signedText(message: string): string | undefined {
  if (message.trimStart().startsWith("{")) return envelopePayload(message);
  const begin = message.indexOf("-----BEGIN PGP SIGNED MESSAGE-----");
  const end = message.indexOf("-----BEGIN PGP SIGNATURE-----");
  if (begin < 0 || end < begin) return undefined;
  const [, ...body] = message.slice(begin, end).replaceAll("\r\n", "\n").split("\n\n");
  // RFC 9580, 7.1: lines that begin with a dash are escaped.
  return body.join("\n\n").replaceAll(/^- /gm, "").trim();
}

function envelopePayload(message: string): string | undefined {
  return orUndefined(() => {
    const json = object(parseJson(message, "envelope"), "envelope");
    return Buffer.from(field(json, "payload", string, "envelope"), "base64")
      .toString("utf8")
      .trim();
  });
}

interface Message {
  readonly header: string;
  readonly objects: readonly SignedObject[];
}

function decodeMessage(text: string): Message | undefined {
  return orUndefined(() => {
    const json = object(parseJson(text, "message"), "message");
    return {
      header: field(object(json["header"], "header"), "digest", string, "header"),
      objects: field(json, "objects", list(signedObject), "message"),
    };
  });
}

function signedObject(value: unknown, where: string): SignedObject {
  const json = object(value, where);
  const relativeId = json["relativeId"] ?? 0;
  return {
    relativeId: typeof relativeId === "number" && Number.isInteger(relativeId) ? relativeId : -1,
    descriptorDigest: field(json, "descriptorDigest", string, where),
    objectDigest: field(json, "objectDigest", string, where),
  };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

function splitDigest(digest: string): readonly [algorithm: string | undefined, hex: string] {
  const [name = "", hex = ""] = digest.split(":");
  return [[...HASHES.values()].find((known) => known === name), hex];
}
