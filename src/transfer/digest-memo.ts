/**
 * Digests of large files that were read before, so that a file that has not changed is not read again. A file is known by
 * device, inode, size and both times in nanoseconds: whoever sets the time of modification back changes the other one. May be
 * lost at any time.
 */
import type { BigIntStats } from "node:fs";
import { mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../call.ts";
import { field, object, parseJson, string } from "../decode.ts";
import { isCode, SregistryError } from "../errors.ts";
import { type Digest, digestHex, digestOf, isDigest } from "../reference/digest.ts";
import { writeFileAtomic } from "./atomic.ts";
import { diskError, isSystemError, present } from "./disk.ts";
import { readSmallFile } from "./small-file.ts";

export type FileStamp = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

export interface DigestMemo {
  /** Undefined for a small file, one never read, and one that changed since. */
  find(stamp: FileStamp): Promise<Digest | undefined>;
  /**
   * `stamp` was taken at least `CLOCK_TICK` before the first byte was read for `digest`, and the file has it still. A
   * directory that cannot be written is no failure: the file is read again next time.
   */
  remember(path: string, stamp: FileStamp, digest: Digest): Promise<void>;
  /** The same for a file that nobody else could write to while its digest was taken (a download that was just named). */
  rememberFile(path: string, digest: Digest): Promise<void>;
}

/** Bytes: less is read again in a few hundredths of a second. */
export const WORTH_REMEMBERING = 16n * 1024n * 1024n;

/**
 * Milliseconds. File systems stamp changes by a clock that ticks each 1 to 10 ms, so a change within the tick of the stamp that
 * was seen does not show in it (git calls such files racily clean). What is read later than this after the stamp was taken
 * cannot change without a new one. Only our own clock is measured with: a file server's may be hours away.
 */
export const CLOCK_TICK = 20;

/** Entries, before the oldest quarter goes. */
const MOST = 1024;

/** Part of the path, so that another form of entry is another file. */
const FORM = "1";

/** Another file, another version of it or another time of change is another text. */
export function stampText({ dev, ino, size, mtimeNs, ctimeNs }: FileStamp): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

/**
 * The stamp of the file that `path` leads to. By its handle: NFS asks the server about a file that is opened, and may answer
 * from memory about a name.
 */
export async function stampOf(path: string): Promise<BigIntStats> {
  const file = await open(path, "r");
  try {
    return await file.stat({ bigint: true });
  } finally {
    await file.close();
  }
}

/** Where whole seconds are stamped, a change within the same second would go unseen. */
function isWorth({ size, ctimeNs }: FileStamp): boolean {
  return size >= WORTH_REMEMBERING && ctimeNs % SECOND !== 0n;
}

const SECOND = 1_000_000_000n;

export function openDigestMemo(directory: string, log: Log): DigestMemo {
  const folder = join(directory, FORM);
  let usable = true;
  // One entry a file: a new version takes the place of the old one.
  const entry = ({ dev, ino }: FileStamp): string =>
    join(folder, `${digestHex(digestOf(Buffer.from(`${dev}:${ino}`)))}.json`);

  async function put(path: string, stamp: FileStamp, digest: Digest): Promise<void> {
    try {
      const now = await stampOf(path);
      if (stampText(now) !== stampText(stamp)) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(entry(stamp), `${JSON.stringify({ stamp: stampText(stamp), digest })}\n`, {
        durable: false,
      });
      await prune(folder);
    } catch (error) {
      if (!isSystemError(error) && !isCode(error, "DISK", "CONFIG_INVALID")) throw error;
      usable = false;
      log.verbose(`the digest of ${path} is not remembered: ${words(diskError(folder, error))}`);
    }
  }

  return {
    async find(stamp) {
      if (!usable || !isWorth(stamp)) return undefined;
      try {
        await requirePrivate(folder);
        const found = await readSmallFile(entry(stamp));
        return found === undefined ? undefined : digestIn(found.text, stampText(stamp));
      } catch (error) {
        if (!isSystemError(error) && !isCode(error, "CONFIG_INVALID", "REPLY_INVALID")) throw error;
        log.verbose(`no remembered digest can be used: ${words(error)}`);
        return undefined;
      }
    },
    async remember(path, stamp, digest) {
      if (usable && isWorth(stamp)) await put(path, stamp, digest);
    },
    async rememberFile(path, digest) {
      if (!usable) return;
      const stamp = await present(stampOf(path));
      if (stamp === undefined || !isWorth(stamp)) return;
      await sleep(CLOCK_TICK);
      await put(path, stamp, digest);
    },
  };
}

/** Whoever can write there could let a push name other bytes than the file's. */
async function requirePrivate(folder: string): Promise<void> {
  const found = await present(stat(folder));
  if (found === undefined || (found.mode & 0o022) === 0) return;
  throw new SregistryError("CONFIG_INVALID", `others can write to ${folder}`, { hint: `chmod -R go-w ${folder}` });
}

/** @throws SregistryError REPLY_INVALID for what a crash left. */
function digestIn(text: string, stamp: string): Digest | undefined {
  const json = object(parseJson(text, "entry"), "entry");
  const digest = field(json, "digest", string, "entry");
  return field(json, "stamp", string, "entry") === stamp && isDigest(digest) ? digest : undefined;
}

async function prune(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= MOST) return;
  const aged: { readonly path: string; readonly time: number }[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const found = await present(stat(path));
    if (found !== undefined) aged.push({ path, time: found.mtimeMs });
  }
  aged.sort((a, b) => a.time - b.time);
  for (const { path } of aged.slice(0, MOST / 4)) await present(unlink(path));
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
