/**
 * What is known without asking anybody: which image a pin or a name stood for, and which files have been hashed. Small files,
 * each of which may be lost at any time.
 */
import { createHash } from "node:crypto";
import { stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { geteuid } from "node:process";
import { type Decoder, field, object, optional, parseJson, string } from "../decode.ts";
import { isCode } from "../errors.ts";
import { type Digest, digestAlgorithm, digestHex, parseDigest } from "../reference/digest.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { present } from "../transfer/disk.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { ifPossible, makeDirectory, seen } from "./folder.ts";

/** What a pin (a manifest's digest, or the image's own) or a name stands for. */
export interface ImageNote {
  /** The pin, or the name: what a note says of one cannot be passed off as said of another. */
  readonly of: string;
  readonly image: Digest;
  readonly architecture: string | undefined;
  /** The name it was fetched by last. */
  readonly reference: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface Notes {
  readonly directory: string;
  pin(digest: Digest): Promise<ImageNote | undefined>;
  name(name: string): Promise<ImageNote | undefined>;
  notePin(digest: Digest, note: Omit<ImageNote, "of">): Promise<void>;
  noteName(name: string, note: Omit<ImageNote, "of">): Promise<void>;
  forgetPin(digest: Digest): Promise<void>;
  /** The digest that the file had when it was hashed; undefined when it is another file by now, or was never hashed. */
  checked(path: string): Promise<Digest | undefined>;
  noteChecked(path: string, digest: Digest): Promise<void>;
  forgetChecked(path: string): Promise<void>;
}

export interface NotesOptions {
  /** Users whose notes count, besides our own and root's: a note decides which image a pin is. */
  readonly believed?: readonly number[];
  /** A group reads them. */
  readonly shared?: boolean;
}

export function openNotes(directory: string, { believed = [], shared = false }: NotesOptions = {}): Notes {
  const pinFile = (digest: Digest): string =>
    join(directory, "pins", digestHex(digest).slice(0, 2), `${digestAlgorithm(digest)}-${digestHex(digest)}.json`);
  const hashed = (kind: string, text: string): string => {
    const hex = createHash("sha256").update(text).digest("hex");
    return join(directory, kind, hex.slice(0, 2), `${hex}.json`);
  };
  const read = async <T>(path: string, decoder: Decoder<T>): Promise<T | undefined> => {
    const found = await seen(path);
    const trusted = [geteuid?.(), 0, ...believed];
    if (found === undefined || !trusted.includes(found.uid) || (found.mode & 0o022) !== 0) return undefined;
    return await readNote(path, decoder);
  };
  const write = (path: string, note: object): Promise<void> =>
    ifPossible(async () => {
      await makeDirectory(dirname(path), shared);
      await writeFileAtomic(path, `${JSON.stringify(note)}\n`, { mode: () => 0o644 });
    });
  const imageNote = async (path: string, of: string): Promise<ImageNote | undefined> => {
    const note = await read(path, decodeImage);
    return note?.of === of ? note : undefined;
  };
  return {
    directory,
    pin: (digest) => imageNote(pinFile(digest), digest),
    name: (name) => imageNote(hashed("names", name), name),
    notePin: (digest, note) => write(pinFile(digest), { of: digest, ...note }),
    noteName: (name, note) => write(hashed("names", name), { of: name, ...note }),
    forgetPin: (digest) => ifPossible(async () => void (await present(unlink(pinFile(digest))))),
    async checked(path) {
      const [note, mark] = await Promise.all([read(hashed("checked", path), decodeChecked), markOf(path)]);
      return note !== undefined && note.path === path && note.mark === mark ? note.digest : undefined;
    },
    async noteChecked(path, digest) {
      const mark = await markOf(path);
      if (mark !== undefined) await write(hashed("checked", path), { path, digest, mark });
    },
    forgetChecked: (path) => ifPossible(async () => void (await present(unlink(hashed("checked", path))))),
  };
}

/**
 * Changes whenever the file does: nobody but root can set a ctime. The inode and the device are left out, which CVMFS and
 * NFS number anew with every mount.
 */
export async function markOf(path: string): Promise<string | undefined> {
  const found = await present(stat(path, { bigint: true }));
  return found === undefined ? undefined : [found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

/** Undefined for what a crash or another version left. */
async function readNote<T>(path: string, decoder: Decoder<T>): Promise<T | undefined> {
  try {
    const found = await readSmallFile(path);
    return found === undefined ? undefined : decoder(parseJson(found.text, "note"), "note");
  } catch (error) {
    if (isCode(error, "REPLY_INVALID", "CONFIG_INVALID", "REFERENCE_INVALID")) return undefined;
    throw error;
  }
}

const decodeImage: Decoder<ImageNote> = (value, where) => {
  const json = object(value, where);
  return {
    of: field(json, "of", string, where),
    image: parseDigest(field(json, "image", string, where)),
    architecture: field(json, "architecture", optional(string), where),
    reference: field(json, "reference", string, where),
    time: field(json, "time", string, where),
  };
};

const decodeChecked: Decoder<{ readonly path: string; readonly digest: Digest; readonly mark: string }> = (
  value,
  where,
) => {
  const json = object(value, where);
  return {
    path: field(json, "path", string, where),
    digest: parseDigest(field(json, "digest", string, where)),
    mark: field(json, "mark", string, where),
  };
};
