/**
 * The hidden file beside a target in which a download grows. Its name carries the digest, so that nothing else is ever
 * continued in it, and its size is the journal: the bytes before it are hashed again before more are asked for.
 */
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rename, stat, statfs, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { type Digest, type DigestAlgorithm, digestHex, finishDigest } from "../reference/digest.ts";
import { diskError, present, syncDirectory } from "./disk.ts";
import { hashPrefix } from "./hash-file.ts";
import { alreadyThere } from "./target.ts";

/** Bytes gathered before they are written: few system calls, and the write runs while the next ones are hashed. */
const BATCH = 1024 * 1024;

/** Bytes after which the disk is told to take what has been written. */
const STRETCH = 64 * 1024 * 1024;

/** Bytes of the target's name in the partial's; locks and their claims add 50 more, and file systems end at 255. */
const NAME = 160;

/** `.name.part-<digest>`; a long name is cut. */
export function partialPath(target: string, digest: Digest | undefined): string {
  const mark = digest === undefined ? "unknown" : digestHex(digest).slice(0, 16);
  return join(dirname(target), `${partialPrefix(target)}${mark}`);
}

/** What the names of a target's partials, and of their locks, begin with. */
export function partialPrefix(target: string): string {
  return `.${Buffer.from(basename(target)).subarray(0, NAME).toString()}.part-`;
}

export class PartialFile {
  readonly path: string;
  #file: FileHandle;
  readonly #algorithm: DigestAlgorithm;
  #hash: Hash;
  #offset = 0;
  #batch: Buffer[] = [];
  #batched = 0;
  #writing: Promise<void> = Promise.resolve();
  /** The disk takes what was written while more arrives, so that little is left for the fsync at the end. */
  #syncing: Promise<void> = Promise.resolve();
  #synced = 0;

  private constructor(path: string, file: FileHandle, algorithm: DigestAlgorithm) {
    this.path = path;
    this.#file = file;
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** `owner`: user id that this file system gives to files of ours (not always the process's: NFS maps root). */
  static async open(path: string, algorithm: DigestAlgorithm, owner: number): Promise<PartialFile> {
    try {
      return new PartialFile(path, (await openOwn(path, owner)) ?? (await createNew(path)), algorithm);
    } catch (error) {
      throw diskError(path, error);
    }
  }

  /** Bytes that are hashed and written, or on their way to the disk. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Takes up what an earlier process left; more than `size` bytes cannot be of this image, and where the size is unknown
   * nothing is. Returns the offset.
   */
  async takeUp(size: number | undefined, signal: AbortSignal, told: (offset: number) => void): Promise<number> {
    const { size: have } = await this.#file.stat();
    if (have === 0) return 0;
    if (size === undefined || have > size) await this.restart();
    else this.#offset = await hashPrefix(this.#file, have, this.#hash, { signal, told, name: this.path });
    return this.#offset;
  }

  /**
   * From byte 0 in a new file. The old one is not truncated: a process on another host that slept while its claim was
   * taken over still has it open, and the other one may have given it the target's name since.
   */
  async restart(): Promise<void> {
    await this.#writing;
    this.#batch = [];
    this.#batched = 0;
    this.#hash = createHash(this.#algorithm);
    this.#offset = 0;
    this.#synced = 0;
    if ((await this.#file.stat()).size === 0) return;
    try {
      await this.#requireOwn();
      await unlink(this.path);
      const file = await createNew(this.path);
      await this.#file.close();
      this.#file = file;
      this.#syncing = Promise.resolve();
    } catch (error) {
      throw diskError(this.path, error);
    }
  }

  /** Hashes at once and writes behind. The chunk must not be changed afterwards. */
  async append(chunk: Buffer): Promise<void> {
    this.#batch.push(chunk);
    this.#batched += chunk.length;
    this.#offset += chunk.length;
    if (this.#batched >= BATCH) await this.#flush();
  }

  /** The write of one batch runs while the same batch is hashed and the next one arrives. */
  async #flush(): Promise<void> {
    await this.#writing;
    const batch = this.#batch;
    const start = this.#offset - this.#batched;
    this.#batch = [];
    this.#batched = 0;
    this.#writing = this.#write(batch, start);
    // Reported by whoever awaits it next; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
    for (const chunk of batch) this.#hash.update(chunk);
  }

  async #write(batch: readonly Buffer[], start: number): Promise<void> {
    try {
      let offset = start;
      let rest = [...batch];
      while (rest.length > 0) {
        const { bytesWritten } = await this.#file.writev(rest, offset);
        offset += bytesWritten;
        rest = withoutFirst(rest, bytesWritten);
      }
      if (offset - this.#synced >= STRETCH) this.#syncUpTo(offset);
    } catch (error) {
      throw diskError(this.path, error);
    }
  }

  /** A failure is kept for `commit`: the system reports it once, and the fsync there would know nothing of it. */
  #syncUpTo(offset: number): void {
    this.#synced = offset;
    this.#syncing = this.#syncing.then(() => this.#file.datasync());
    this.#syncing.catch(() => undefined);
  }

  /** Everything appended is on its way to the disk; a write that failed is reported. */
  async settle(): Promise<void> {
    if (this.#batched > 0) await this.#flush();
    await this.#writing;
  }

  /** Ends the hashing: only once, when all bytes are there. */
  async digest(): Promise<Digest> {
    await this.settle();
    return finishDigest(this.#hash, this.#algorithm);
  }

  /** @throws SregistryError DISK when the file system has less room than the rest needs. Unknown there: no complaint. */
  async requireRoom(rest: number): Promise<void> {
    const directory = dirname(this.path);
    const room = await freeBytes(directory);
    if (room === undefined || room >= rest) return;
    throw new SregistryError("DISK", `${directory} has room for ${room} bytes; ${rest} more are needed`, {
      hint: `df -h ${directory}`,
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
      await (replace ? rename(this.path, target) : this.#giveName(target));
      await syncDirectory(dirname(target));
    } catch (error) {
      if (systemCode(error) === "EEXIST") throw alreadyThere(target);
      throw diskError(target, error);
    }
  }

  async #giveName(target: string): Promise<void> {
    try {
      await link(this.path, target);
    } catch (error) {
      const code = systemCode(error) ?? "";
      // An NFS server may have linked though its first answer got lost.
      const linked = code === "EEXIST" && (await this.#isAt(target));
      if (!linked && !NO_LINKS.includes(code)) throw error;
      if (!linked) return await this.#moveTo(target);
    }
    await present(unlink(this.path));
  }

  /** FAT and some FUSE file systems have no hard links: between this look and the move nothing keeps others away. */
  async #moveTo(target: string): Promise<void> {
    if ((await present(lstat(target))) !== undefined) throw alreadyThere(target);
    await rename(this.path, target);
  }

  /** Leaves what is on the disk to a later process, and tells how many bytes that are. An empty file is not left. */
  async leave(): Promise<number> {
    // What could not be written is not in the size; why not has been, or is being, reported.
    await this.settle().catch(() => undefined);
    const { size, nlink } = await this.#file.stat();
    if (size === 0) await this.remove();
    return nlink === 0 ? 0 : size;
  }

  async remove(): Promise<void> {
    if (await this.#isAt(this.path)) await present(unlink(this.path));
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
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }
}

/** What link(2) says where there are no hard links, or no more of them. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** Mode 0777 less the umask from birth, as the target has it: a SIF is run. */
async function createNew(path: string): Promise<FileHandle> {
  return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o777);
}

/**
 * The partial file at `path` if it is a regular file of ours without another name. Anything else there is removed: in a
 * directory that others can write to, its owner could change the image later, or it could be a link to a file to ruin.
 */
async function openOwn(path: string, owner: number): Promise<FileHandle | undefined> {
  const found = await present(lstat(path));
  if (found === undefined) return undefined;
  if (found.isFile() && found.nlink === 1 && found.uid === owner) {
    return await present(open(path, constants.O_RDWR | constants.O_NOFOLLOW));
  }
  await present(unlink(path));
  return undefined;
}

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

function withoutFirst(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  const rest: Buffer[] = [];
  for (const buffer of buffers) {
    if (left < buffer.length) rest.push(buffer.subarray(left));
    left = Math.max(0, left - buffer.length);
  }
  return rest;
}
