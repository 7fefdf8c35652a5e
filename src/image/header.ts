/** The global header of a SIF: 128 bytes at offset 0, little-endian, packed (SIF format version 01). */
import { SregistryError } from "../errors.ts";
import { recognizeAlien } from "./alien.ts";
import { sifArchitecture } from "./architecture.ts";

export const HEADER_SIZE = 128;
/** Bytes of one descriptor in the file. */
export const DESCRIPTOR_SIZE = 585;
/** Singularity makes 48 slots; an OCI-SIF has one for each blob. More than this is no image but an attack on memory. */
const MOST_DESCRIPTORS = 8192;
const MAGIC = "SIF_MAGIC\0";
const VERSION = "01";
/** Year 1 in Unix seconds: Go's zero time, which Singularity writes for "none". */
const NO_TIME = -62_135_596_800n;

export interface SifHeader {
  /** The line that lets the kernel run the image; empty in an OCI-SIF. */
  readonly launch: string;
  /** Go's name; undefined when the header says "unknown", as an OCI-SIF does. */
  readonly architecture: string | undefined;
  /** UUID; undefined when it is all zero. */
  readonly id: string | undefined;
  /** Unix seconds. */
  readonly created: number | undefined;
  readonly modified: number | undefined;
  readonly descriptorsTotal: number;
  readonly descriptorsOffset: number;
}

/** True when the bytes begin as a SIF does. */
export function hasSifMagic(head: Uint8Array): boolean {
  return asciiAt(head, 32, MAGIC.length) === MAGIC;
}

/**
 * `head`: the first bytes of the image, all of them if it has fewer than 128.
 * @throws SregistryError IMAGE_INVALID saying what the file looks like, or which field is wrong.
 */
export function decodeHeader(head: Uint8Array, size: number, name: string): SifHeader {
  if (!hasSifMagic(head)) throw notSif(head, name);
  if (head.length < HEADER_SIZE) {
    throw headerError(name, `its header ends at byte ${HEADER_SIZE} but the file has ${size} bytes`, TRUNCATED);
  }
  const version = asciiAt(head, 42, 3).replace(/\0.*$/s, "");
  if (version !== VERSION) {
    const hint = "an image of a newer format needs a newer sregistry";
    throw headerError(name, `its SIF version is ${JSON.stringify(version)}, not ${JSON.stringify(VERSION)}`, hint);
  }
  const view = new DataView(head.buffer, head.byteOffset, HEADER_SIZE);
  const header = {
    launch: asciiAt(head, 0, 32).replace(/\0.*$/s, "").trimEnd(),
    architecture: sifArchitecture(asciiAt(head, 45, 2)),
    id: uuid(head.subarray(48, 64)),
    created: unixTime(view.getBigInt64(64, true)),
    modified: unixTime(view.getBigInt64(72, true)),
    descriptorsTotal: safeCount(view.getBigInt64(88, true)),
    descriptorsOffset: safeCount(view.getBigInt64(96, true)),
  };
  checkDescriptors(header, safeCount(view.getBigInt64(104, true)), size, name);
  return header;
}

const TRUNCATED = "the transfer that made the file may have been cut: get it again";
const DAMAGED = "the file is damaged: get it again, or ask its owner";

function checkDescriptors(header: SifHeader, bytes: number, size: number, name: string): void {
  const { descriptorsTotal: total, descriptorsOffset: offset } = header;
  if (!(total >= 0 && total <= MOST_DESCRIPTORS)) {
    throw headerError(name, `its number of descriptors is not from 0 to ${MOST_DESCRIPTORS}`, DAMAGED);
  }
  if (!(offset >= HEADER_SIZE && bytes >= total * DESCRIPTOR_SIZE)) {
    throw headerError(name, `its header gives ${total} descriptors no valid position or size`, DAMAGED);
  }
  const end = offset + total * DESCRIPTOR_SIZE;
  if (!(end <= size)) {
    throw headerError(
      name,
      `it is truncated: its descriptors end at byte ${end} but the file has ${size} bytes`,
      TRUNCATED,
    );
  }
}

export function notSif(head: Uint8Array, name: string): SregistryError {
  const alien = recognizeAlien(head);
  const looks = alien === undefined ? "" : `: it looks like ${alien.what}`;
  const hint = alien?.hint ?? "give the path or reference of an image built by singularity or apptainer";
  return new SregistryError("IMAGE_INVALID", `${name} is not a SIF image${looks}`, { hint });
}

function headerError(name: string, words: string, hint: string): SregistryError {
  return new SregistryError("IMAGE_INVALID", `${name}: ${words}`, { hint });
}

export function asciiAt(bytes: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** A signed 64-bit number as JavaScript's; beyond its exact range NaN, which no bound accepts. */
export function safeCount(value: bigint): number {
  const number = Number(value);
  return Number.isSafeInteger(number) && number >= 0 ? number : Number.NaN;
}

/** Unix seconds; undefined for Go's zero time and for what no date can hold. */
export function unixTime(value: bigint): number | undefined {
  const number = Number(value);
  return value === NO_TIME || Math.abs(number) > 8.64e12 ? undefined : number;
}

function uuid(bytes: Uint8Array): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
