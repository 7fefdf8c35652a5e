/**
 * The hidden file beside a target in which a download grows. Its name carries the digest, so that nothing else is ever
 * continued in it, and whose it is: two processes never write to one file, even where locks are given to everybody. What
 * another left is claimed by a rename. A journal says which bytes are there; a thread hashes them from the first one on.
 */
import { type FileHandle, lstat, readdir, rename, stat, statfs, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { type Digest, type DigestAlgorithm, digestHex } from "../reference/digest.ts";
import { shellWord } from "../shell-word.ts";
import { diskError, present, syncDirectory } from "./disk.ts";
import { giveName } from "./give-name.ts";
import { HashFollower } from "./hash-follower.ts";
import { Journal, type JournalEntry, journalPath, readJournal } from "./journal.ts";
import type { Held } from "./lock.ts";
import { createOwn, openOwn } from "./own-file.ts";
import { Ranges } from "./ranges.ts";
import { alreadyThere } from "./target.ts";

/** Bytes after which the disk is told to take what has been written. */
const STRETCH = 64 * 1024 * 1024;

/** Bytes of an image from which on there is a journal from the start: less is fetched again soon. */
const WORTH_A_JOURNAL = 2 * 1024 * 1024;

/** Milliseconds: whoever slept longer looks whether the partial is still his (lock.ts: owners are given up after 30 s). */
const LONGEST_SLEEP = 10_000;

/** Bytes of the target's name in the partial's; locks and their claims add 50 more, and file systems end at 255. */
const NAME = 160;

/** Less the umask from birth, as the target has it: a SIF is run. */
const MODE = 0o777;

/** `.name.part-<digest>`, before whose it is; a long name is cut. */
export function partialPath(target: string, digest: Digest | undefined): string {
  const mark = digest === undefined ? "unknown" : digestHex(digest).slice(0, 16);
  return join(dirname(target), `${partialPrefix(target)}${mark}`);
}

/** What the names of a target's partials, and of their locks, begin with. */
export function partialPrefix(target: string): string {
  return `.${Buffer.from(basename(target)).subarray(0, NAME).toString()}.part-`;
}

export interface PartialOptions {
  readonly algorithm: DigestAlgorithm;
  /** What the whole is to have; undefined where the endpoint does not say. */
  readonly digest: Digest | undefined;
  /** Bytes of the whole; undefined where the endpoint does not say. */
  readonly size: number | undefined;
  readonly signal: AbortSignal;
  /** The lock on `partialPath`. */
  readonly held: Held;
}

export class PartialFile {
  /** Of no other process. */
  readonly path: string;
  readonly #options: PartialOptions;
  readonly #journal: Journal;
  /** What the journal says of the file that was claimed. */
  readonly #left: JournalEntry | undefined;
  #file: FileHandle;
  #done = new Ranges();
  /** What is there or being written: of two that bring the same bytes one writes, for what has been hashed must not change. */
  #begun = new Ranges();
  /** Nothing of it is to be gone on with. */
  #worthless = false;
  #follower: HashFollower;
  /** The disk takes what was written while more arrives, so that little is left for the fsync at the end. */
  #syncing: Promise<void> = Promise.resolve();
  #unsynced = 0;
  #awakeAt = performance.now();

  private constructor(base: string, file: FileHandle, options: PartialOptions, left: JournalEntry | undefined) {
    this.path = ownPath(base, options.held.id);
    this.#file = file;
    this.#options = options;
    this.#left = left;
    this.#journal = new Journal(base, options.held.uid);
    this.#follower = this.#followed();
  }

  /** `base`: as `partialPath` has it. */
  static async open(base: string, options: PartialOptions): Promise<PartialFile> {
    const path = ownPath(base, options.held.id);
    try {
      const left = await claimLeft(base, options);
      return new PartialFile(base, await openOwn(path, { owner: options.held.uid, mode: MODE }), options, left);
    } catch (error) {
      throw diskError(path, error);
    }
  }

  #followed(): HashFollower {
    const { algorithm, signal } = this.#options;
    return new HashFollower(this.#file, { algorithm, signal, name: this.path });
  }

  /** Bytes that are in place. */
  get bytes(): number {
    return this.#done.bytes;
  }

  /** What is missing of the bytes `start` up to `end`. */
  gaps(start: number, end: number): readonly (readonly [start: number, end: number])[] {
    return this.#done.gaps(start, end);
  }

  /** Takes up what an earlier process left of the same image. Returns the bytes that need not be fetched. */
  async takeUp(): Promise<number> {
    const { digest, size } = this.#options;
    const { size: length } = await this.#file.stat();
    const left = this.#left;
    if (size === undefined || left === undefined || length > size) await this.restart();
    else {
      // What a crash of the machine took from the file is missing, whatever the journal says.
      this.#done = new Ranges(left.done.toJSON().map(([start, end]) => [start, Math.min(end, length)]));
      this.#begun = new Ranges(this.#done.toJSON());
    }
    if (size !== undefined) this.#follower.advance(this.#done.prefix, size);
    // A disk that is full later would have no room for it.
    if (digest !== undefined && size !== undefined && size > WORTH_A_JOURNAL) await this.#save();
    return this.bytes;
  }

  /**
   * From byte 0 in a new file. The old one is not truncated: a process on another host that slept while its claim was
   * taken over still has it open, and the other one may have given it the target's name since. Nothing may be on its way.
   */
  async restart(): Promise<void> {
    await this.#follower[Symbol.asyncDispose]();
    this.#done = new Ranges();
    this.#begun = new Ranges();
    this.#unsynced = 0;
    await this.#journal.remove();
    try {
      if ((await this.#file.stat()).size > 0) {
        await this.#requireOwn();
        await unlink(this.path);
        const file = await createOwn(this.path, { mode: MODE });
        await this.#file.close();
        this.#file = file;
        this.#syncing = Promise.resolve();
      }
    } catch (error) {
      throw diskError(this.path, error);
    }
    this.#follower = this.#followed();
  }

  /**
   * Puts bytes in their place; what is there already is left as it is. Resolves when they may be used again.
   * Returns how many were new. @throws SregistryError DISK.
   */
  async write(offset: number, bytes: Uint8Array): Promise<number> {
    const missing = this.#begun.gaps(offset, offset + bytes.length);
    this.#begun.add(offset, offset + bytes.length);
    for (const [start, end] of missing) await this.#put(start, bytes.subarray(start - offset, end - offset));
    return missing.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  async #put(offset: number, bytes: Uint8Array): Promise<void> {
    const { digest, size } = this.#options;
    await this.#requireAwake();
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
      }
    } catch (error) {
      throw diskError(this.path, error);
    }
    this.#done.add(offset, offset + bytes.length);
    this.#unsynced += bytes.length;
    if (this.#unsynced >= STRETCH) this.#sync();
    // Where an endpoint does not say what is to come, nothing can be gone on with, and the end is not known.
    if (digest !== undefined && size !== undefined) this.#journal.note(this.#entry());
    if (size !== undefined) this.#follower.advance(this.#done.prefix, size);
  }

  /** A failure is kept for `commit`: the system reports it once, and the fsync there would know nothing of it. */
  #sync(): void {
    this.#unsynced = 0;
    this.#syncing = this.#syncing.then(() => this.#file.datasync());
    this.#syncing.catch(() => undefined);
  }

  /** Of all that is there, when nothing is missing any more. */
  async digest(): Promise<Digest> {
    return await this.#follower.digest(this.bytes);
  }

  /** @throws SregistryError DISK when the file system has less room than the rest needs. Unknown there: no complaint. */
  async requireRoom(rest: number): Promise<void> {
    const directory = dirname(this.path);
    const room = await freeBytes(directory);
    if (room === undefined || room >= rest) return;
    throw new SregistryError("DISK", `${directory} has room for ${room} bytes; ${rest} more are needed`, {
      hint: `df -h ${shellWord(directory)}`,
    });
  }

  /**
   * Gives the file its final name, durably. Without `replace` an existing target is never touched, whoever made it when.
   * @throws SregistryError CONFLICT, DISK, LOCKED.
   */
  async commit(target: string, replace: boolean): Promise<void> {
    try {
      await this.#syncing;
      await this.#file.sync();
      await this.#requireOwn();
      await (replace ? rename(this.path, target) : giveName(this.path, target));
      // Hard-linked, it still has the other name.
      if (!replace) await present(unlink(this.path));
      await this.#journal.remove();
      await syncDirectory(dirname(target));
    } catch (error) {
      if (systemCode(error) === "EEXIST") throw alreadyThere(target);
      throw diskError(target, error);
    }
  }

  /** Leaves what is there to a later process, and tells how many bytes that are. An empty file is not left. */
  async leave(): Promise<number> {
    if (!(await this.#isAt(this.path))) return 0;
    if (this.bytes === 0 || this.#worthless) {
      await this.remove();
      return 0;
    }
    await this.#save();
    return this.bytes;
  }

  async #save(): Promise<void> {
    await this.#journal.save(this.#entry());
  }

  #entry(): JournalEntry {
    const { digest, size, held } = this.#options;
    return { id: held.id, digest, size, done: this.#done };
  }

  /** What is there turned out to be nothing to go on from: it goes when this one leaves. */
  discard(): void {
    this.#worthless = true;
  }

  async remove(): Promise<void> {
    if (!(await this.#isAt(this.path))) return;
    await this.#journal.remove();
    await present(unlink(this.path));
  }

  /** A process that was stopped for long may have been taken for gone: what it writes then would be another's. */
  async #requireAwake(): Promise<void> {
    const now = performance.now();
    if (now - this.#awakeAt > LONGEST_SLEEP) await this.#requireOwn();
    this.#awakeAt = now;
  }

  /** Only a process on another host that believed this one gone could have changed that (locks are advice). */
  async #requireOwn(): Promise<void> {
    if (await this.#isAt(this.path)) return;
    throw new SregistryError("LOCKED", `another process took over ${this.path}`, {
      hint: "run the same command again",
    });
  }

  async #isAt(path: string): Promise<boolean> {
    const [own, there] = await Promise.all([this.#file.stat({ bigint: true }), present(stat(path, { bigint: true }))]);
    return there !== undefined && own.ino === there.ino && own.dev === there.dev;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower[Symbol.asyncDispose]();
    await this.#journal[Symbol.asyncDispose]();
    await this.#file.close();
  }
}

/** The partial of one process; `base`: as `partialPath` has it. */
export function ownPath(base: string, id: string): string {
  return `${base}.${id}`;
}

/**
 * Makes what another process left of the same image ours, by a rename that only one of several can do. Undefined when there
 * is nothing, or its owner still has it.
 */
async function claimLeft(base: string, { digest, size, held }: PartialOptions): Promise<JournalEntry | undefined> {
  if (digest === undefined || size === undefined) return undefined;
  if ((await present(lstat(journalPath(base)))) === undefined) return undefined;
  const left = await readJournal(base, { owner: held.uid });
  const usable = left?.digest === digest && left.size === size && ID.test(left.id) && (await held.isGone(left.id));
  const from = usable ? ownPath(base, left.id) : undefined;
  const claimed = from && (await present(rename(from, ownPath(base, held.id)).then(() => true)));
  if (claimed === true) return left;
  await removeDead(base, held);
  return undefined;
}

/** Partials of the same image that no journal tells of: a crash may have left gigabytes. */
async function removeDead(base: string, held: Held): Promise<void> {
  const prefix = `${basename(base)}.`;
  for (const name of await readdir(dirname(base))) {
    const id = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (ID.test(id) && (await held.isGone(id))) await present(unlink(join(dirname(base), name)));
  }
}

/** Of an owner (owner.ts). */
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Undefined where the file system does not tell. */
async function freeBytes(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(directory);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
