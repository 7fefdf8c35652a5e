/**
 * Whether an image is what its signatures say, byte for byte. Who signed takes the signer's key, which nothing here has:
 * anybody can make an image that is intact.
 */
import { createHash } from "node:crypto";
import { isCode, SregistryError } from "../errors.ts";
import { SIF_TYPES, type SifDescriptor, type SifLink } from "./descriptor.ts";
import { DESCRIPTOR_SIZE, HEADER_SIZE } from "./header.ts";
import { readObject } from "./object.ts";
import { ObjectDigests } from "./object-digests.ts";
import { type ImageReader, imageName, readExactly } from "./reader.ts";
import type { Sif } from "./sif.ts";
import { readSignatures, type SifSignature } from "./signature.ts";
import { decodeSignedMessage, type SignedDigest, type SignedMessage } from "./signed-message.ts";

export interface SignatureCheck {
  /** There is a signature object. */
  readonly signed: boolean;
  /** Signed, nothing differs, and every object is covered, as `singularity verify` asks it. */
  readonly intact: boolean;
  readonly signatures: readonly CheckedSignature[];
  /** Ids of the objects, signatures apart, that no signature covers as they are. */
  readonly uncovered: readonly number[];
}

export interface CheckedSignature extends SifSignature {
  /** Of Singularity before 3.6: it speaks of contents alone, not of names, types and header. */
  readonly legacy: boolean;
  /** Ids of the objects that are what it says. */
  readonly covers: readonly number[];
  /** What differs, each a clause that goes after a colon; empty when all is as it was signed. */
  readonly problems: readonly string[];
}

/**
 * Reads every byte that a signature speaks of, once, in blocks of 1 MiB.
 * @throws SregistryError IMAGE_INVALID when the table of contents is none that signing makes; the signal's reason.
 */
export async function verifySignedObjects(
  reader: ImageReader,
  sif: Sif,
  signal?: AbortSignal,
): Promise<SignatureCheck> {
  checkApart(reader, sif);
  const image = await readSigned(reader, sif);
  const checks: Check[] = [];
  for (const signature of await readSignatures(reader, sif)) {
    signal?.throwIfAborted();
    checks.push(await startCheck(image, reader, signature));
  }
  await image.contents.read(reader, sif.descriptors, signal);
  const signatures = checks.map(finishCheck);
  const covered = new Set(signatures.flatMap(({ covers }) => covers));
  const objects = sif.descriptors.filter(({ type }) => type !== SIF_TYPES.signature).map(({ id }) => id);
  const uncovered = objects.filter((id) => !covered.has(id));
  const signed = signatures.length > 0;
  const sound = signatures.every(({ problems }) => problems.length === 0);
  return { signed, intact: signed && sound && covered.size > 0 && uncovered.length === 0, signatures, uncovered };
}

/** What a signature is held against. */
interface SignedImage {
  readonly header: Uint8Array;
  readonly byId: ReadonlyMap<number, SifDescriptor>;
  readonly groups: ReadonlyMap<number, readonly SifDescriptor[]>;
  /** By object: its 585 bytes. */
  readonly slots: ReadonlyMap<number, Uint8Array>;
  readonly contents: ObjectDigests;
}

async function readSigned(reader: ImageReader, { header, descriptors }: Sif): Promise<SignedImage> {
  const { descriptorsOffset: start, descriptorsTotal: total } = header;
  const table = await readExactly(reader, start, start + total * DESCRIPTOR_SIZE);
  const slots = new Map<number, Uint8Array>();
  for (let at = 0; at < table.length; at += DESCRIPTOR_SIZE) {
    const slot = table.subarray(at, at + DESCRIPTOR_SIZE);
    if (slot[4] !== 0) slots.set(new DataView(slot.buffer, slot.byteOffset).getUint32(5, true), slot);
  }
  const groups = new Map<number, SifDescriptor[]>();
  for (const descriptor of descriptors) {
    const { group } = descriptor;
    if (group === undefined) continue;
    const members = groups.get(group) ?? [];
    groups.set(group, members);
    members.push(descriptor);
  }
  return {
    header: headerBytes(await readExactly(reader, 0, HEADER_SIZE)),
    byId: new Map(descriptors.map((descriptor) => [descriptor.id, descriptor])),
    groups,
    slots,
    contents: new ObjectDigests(),
  };
}

/** Launch line, magic and version, then the UUID; times and the table's place change when an image is signed. */
function headerBytes(header: Uint8Array): Uint8Array {
  return Buffer.concat([header.subarray(0, 45), header.subarray(48, 64)]);
}

/** Type, used and id relative to the group's first; then all but group, place, and time of change. */
function descriptorBytes(slot: Uint8Array, relativeId: number): Uint8Array {
  const id = Buffer.alloc(4);
  id.writeUInt32LE(relativeId);
  const parts = [slot.subarray(0, 5), id, slot.subarray(13, 17), slot.subarray(25, 33), slot.subarray(41, 49)];
  return Buffer.concat([...parts, slot.subarray(57)]);
}

/** Two objects of one id, or of the same bytes: what is verified would not be what is used, and nobody reads to the end. */
function checkApart(reader: ImageReader, { descriptors }: Sif): void {
  const ids = new Set(descriptors.map(({ id }) => id));
  const bytes = descriptors.reduce((sum, { size }) => sum + size, 0);
  if (ids.size === descriptors.length && bytes <= reader.size) return;
  const words = ids.size < descriptors.length ? "two of its objects have one id" : "its objects overlap";
  throw new SregistryError("IMAGE_INVALID", `${imageName(reader)}: ${words}`, {
    hint: "the file is damaged: get it again, or ask its owner",
  });
}

interface Check {
  readonly signature: SifSignature;
  readonly legacy: boolean;
  readonly problems: readonly string[];
  readonly expected: readonly Expected[];
}

/** Contents that are known when the image has been read. */
interface Expected {
  readonly ids: readonly number[];
  readonly hex: string;
  readonly got: () => string;
}

async function startCheck(image: SignedImage, reader: ImageReader, signature: SifSignature): Promise<Check> {
  try {
    const { message, members } = await readMessage(image, reader, signature);
    if (message.kind === "legacy") return startLegacy(image, signature, members, message.hex);
    return startObjects(image, signature, members, message);
  } catch (error) {
    if (!isCode(error, "REPLY_INVALID")) throw error;
    const problems = [`signature ${signature.id} cannot be made sense of: ${error.message}`];
    return { signature, legacy: false, problems, expected: [] };
  }
}

interface Message {
  readonly message: SignedMessage;
  /** All of the group that the signature is linked to, or that its object is in. */
  readonly members: readonly SifDescriptor[];
}

async function readMessage(image: SignedImage, reader: ImageReader, signature: SifSignature): Promise<Message> {
  const { id, format, signs } = signature;
  const descriptor = image.byId.get(id);
  if (format === "unknown" || descriptor === undefined) throw refused("it is neither PGP nor DSSE");
  const members = signs === undefined ? [] : membersOf(image, signs);
  if (members.length === 0) throw refused("it is linked to nothing that is in the image");
  return { message: decodeSignedMessage(await readObject(reader, descriptor), format), members };
}

/** Singularity before 3.6 also signed an object that is in no group. */
function membersOf({ byId, groups }: SignedImage, signs: SifLink): readonly SifDescriptor[] {
  if (signs.kind === "group") return groups.get(signs.id) ?? [];
  const object = byId.get(signs.id);
  if (object === undefined) return [];
  return object.group === undefined ? [object] : (groups.get(object.group) ?? []);
}

function startObjects(
  image: SignedImage,
  signature: SifSignature,
  members: readonly SifDescriptor[],
  { header, objects }: Extract<SignedMessage, { kind: "objects" }>,
): Check {
  if (objects.length === 0) throw refused("it speaks of no object");
  // Also what keeps a message of millions of entries from being worth anything.
  if (objects.length > members.length) throw refused("it speaks of more objects than its group has");
  const problems: string[] = [];
  const expected: Expected[] = [];
  const inGroup = new Set(members.map(({ id }) => id));
  const first = members.reduce((least, { id }) => Math.min(least, id), Number.POSITIVE_INFINITY);
  if (!matches(image.header, header)) problems.push("the header is not what was signed");
  for (const { relativeId, descriptor, content } of objects) {
    const id = first + relativeId;
    const object = inGroup.has(id) ? image.byId.get(id) : undefined;
    const slot = image.slots.get(id);
    if (object === undefined || slot === undefined) problems.push(`object ${id} was signed and is not there`);
    else if (!matches(descriptorBytes(slot, relativeId), descriptor)) {
      problems.push(`the descriptor of object ${id} is not what was signed`);
    } else {
      expected.push({ ids: [id], hex: content.hex, got: image.contents.want([object], content.algorithm) });
    }
  }
  return { signature, legacy: false, problems, expected };
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ["SHA-256", "sha256"],
  ["SHA-384", "sha384"],
  ["SHA-512", "sha512"],
]);

/** One hash over the object, or over all of the group one after the other. */
function startLegacy(
  image: SignedImage,
  signature: SifSignature,
  members: readonly SifDescriptor[],
  hex: string,
): Check {
  const { signs, hash } = signature;
  const algorithm = HASHES.get(hash);
  if (algorithm === undefined) throw refused(`its hash is of an unsupported algorithm, ${hash}`);
  const objects = signs?.kind === "object" ? members.filter(({ id }) => id === signs.id) : members;
  const got = image.contents.want(objects, algorithm);
  return { signature, legacy: true, problems: [], expected: [{ ids: objects.map(({ id }) => id), hex, got }] };
}

function finishCheck({ signature, legacy, problems, expected }: Check): CheckedSignature {
  const same = expected.filter(({ hex, got }) => got() === hex);
  const differing = expected.filter(({ hex, got }) => got() !== hex).flatMap(({ ids }) => ids);
  return {
    ...signature,
    legacy,
    covers: same.flatMap(({ ids }) => ids),
    problems: [...problems, ...(differing.length === 0 ? [] : [changed(differing)])],
  };
}

function changed(ids: readonly number[]): string {
  return `the content of ${ids.length === 1 ? "object" : "objects"} ${ids.join(", ")} is not what was signed`;
}

function matches(bytes: Uint8Array, { algorithm, hex }: SignedDigest): boolean {
  return createHash(algorithm).update(bytes).digest("hex") === hex;
}

function refused(words: string): SregistryError {
  return new SregistryError("REPLY_INVALID", words);
}
