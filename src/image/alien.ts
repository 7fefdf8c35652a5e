/** What a file that is no SIF looks like, so that the message can say more than "not a SIF". */

export interface Alien {
  /** With its article: "a gzip file". */
  readonly what: string;
  readonly hint: string;
}

const BUILD = "make a SIF of it with: singularity build IMAGE.sif";

const MAGICS: readonly (readonly [magic: string, what: string, hint: string])[] = [
  ["hsqs", "a squashfs file system", `${BUILD} FILE`],
  ["\x7fELF", "an ELF program or library", "give the image file, not the program"],
  ["\x1f\x8b", "a gzip file", "a docker archive is unpacked first: gunzip FILE"],
  ["BZh", "a bzip2 file", "unpack it first"],
  ["\xfd7zXZ", "an xz file", "unpack it first"],
  ["\x28\xb5\x2f\xfd", "a zstd file", "unpack it first"],
  ["PK\x03\x04", "a zip file", "unpack it first"],
];

const SINGULARITY_2 = "#!/usr/bin/env run-singularity\n";

/** `head` is the beginning of the file; undefined when it is nothing we know. */
export function recognizeAlien(head: Uint8Array): Alien | undefined {
  if (head.length === 0)
    return { what: "an empty file", hint: "the transfer that made it may have failed: get it again" };
  const text = latin1(head.subarray(0, 1100));
  const magic = MAGICS.find(([bytes]) => text.startsWith(bytes));
  if (magic !== undefined) return { what: magic[1], hint: magic[2] };
  return recognizeTar(text) ?? recognizeText(text) ?? recognizeImage(text);
}

/** The magic of POSIX and GNU tar is at 257; the first entry's name tells whose archive it is. */
function recognizeTar(text: string): Alien | undefined {
  if (text.slice(257, 262) !== "ustar") return undefined;
  const first = text.slice(0, text.indexOf("\0"));
  if (/^(?:\.\/)?(?:[0-9a-f]{64}[/.]|manifest\.json|repositories|blobs\/|oci-layout|index\.json)/.test(first)) {
    return { what: "a docker or OCI archive", hint: `${BUILD} docker-archive:FILE (or oci-archive:FILE)` };
  }
  return { what: "a tar archive", hint: "give the SIF itself" };
}

function recognizeText(text: string): Alien | undefined {
  const start = text.trimStart().toLowerCase();
  if (start.startsWith("<!doctype html") || start.startsWith("<html")) {
    return { what: "an HTML page", hint: "a server answered with a page instead of the image: look at what it says" };
  }
  if (start.startsWith("<?xml"))
    return { what: "an XML document", hint: "a server's error message, perhaps: look at it" };
  if (start.startsWith("{")) return { what: "a JSON document", hint: "a server's error message, perhaps: look at it" };
  if (start.startsWith("bootstrap:")) {
    return { what: "a definition file", hint: "build the image first: singularity build IMAGE.sif FILE" };
  }
  return undefined;
}

function recognizeImage(text: string): Alien | undefined {
  if (text.startsWith(SINGULARITY_2) && text.slice(SINGULARITY_2.length).startsWith("hsqs")) {
    return { what: "an image of Singularity 2", hint: `${BUILD} FILE` };
  }
  // ext2/3/4: magic 0xEF53 at byte 56 of the superblock, which is at 1024.
  if (text.slice(1080, 1082) === "\x53\xef") return { what: "an ext3 file system", hint: `${BUILD} FILE` };
  return undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
