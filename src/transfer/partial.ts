/**
 * The hidden file beside a target in which a download grows. Its name carries the digest, so that nothing else is ever
 * continued in it, and its size is the journal: the bytes before it are hashed again before more are asked for.
 */
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, open, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SregistryError, systemCode } from "../errors.ts";
import { type Digest, type DigestAlgorithm, digestHex, finishDigest } from "../reference/digest.ts";
import { syncDirectory, writeError } from "./atomic.ts";
import { hashPrefix } from "./hash-file.ts";

/** Bytes gathered before they are written: few system calls, and the write runs while the next ones are hashed. */
const BATCH = 1024 * 1024;

/** `.name.part-<digest>`; a name too long for the file system's 255 bytes is cut. */
export function partialPath(target: string, digest: Digest | undefined): string {
  const mark = digest === undefined ? "unknown" : digestHex(digest).slice(0, 16);
  return join(dirname(target), `.${Buffer.from(basename(target)).subarray(0, 200).toString()}.part-${mark}`);
}

export class PartialFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #algorithm: DigestAlgorithm;
  #hash: Hash;
  #offset = 0;
  #batch: Buffer[] = [];
  #batched = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, algorithm: DigestAlgorithm) {
    this.path = path;
    this.#file = file;
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Mode 0777 less the umask from birth, as the target has it: a SIF is run. */
  static async open(path: string, algorithm: DigestAlgorithm): Promise<PartialFile> {
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
      return new PartialFile(path, await open(path, flags, 0o777), algorithm);
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /** Bytes that are hashed and written, or on their way to the disk. */
  get offset(): number {
    return this.#offset;
  }

  /** Takes up what an earlier process left; more than `size` bytes cannot be of this image. Returns the offset. */
  async takeUp(size: number | undefined, signal: AbortSignal, told: (offset: number) => void): Promise<number> {
    const { size: have } = await this.#file.stat();
    if (have === 0) return 0;
    if (size === undefined || have > size) {
      await this.restart();
      return 0;
    }
    this.#offset = await hashPrefix(this.#file, have, this.#hash, signal, told);
    return this.#offset;
  }

  async restart(): Promise<void> {
    await this.#writing;
    this.#batch = [];
    this.#batched = 0;
    this.#offset = 0;
    this.#hash = createHash(this.#algorithm);
    await this.#file.truncate(0);
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
    } catch (error) {
      throw writeError(this.path, error);
    }
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
    const { bavail, bsize } = await statfs(dirname(this.path));
    const room = bavail * bsize;
    if (bsize === 0 || room >= rest) return;
    throw new SregistryError("DISK", `${dirname(this.path)} has room for ${room} bytes; ${rest} more are needed`, {
      hint: `df -h ${dirname(this.path)}`,
    });
  }

  /**
   * Gives the file its final name, durably. Without `replace` an existing target is never touched, whoever made it when.
   * @throws SregistryError CONFLICT, DISK.
   */
  async commit(target: string, replace: boolean): Promise<void> {
    try {
      await this.#file.sync();
      await (replace ? rename(this.path, target) : linkThenRemove(this.path, target));
      await syncDirectory(dirname(target));
    } catch (error) {
      if (systemCode(error) === "EEXIST") throw alreadyThere(target);
      throw writeError(target, error);
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }
}

export function alreadyThere(target: string): SregistryError {
  return new SregistryError("CONFLICT", `${target} exists already and holds something else; it was not touched`, {
    hint: "--force replaces it, --output names another file",
  });
}

async function linkThenRemove(path: string, target: string): Promise<void> {
  try {
    await link(path, target);
  } catch (error) {
    // FAT and some FUSE file systems have no hard links; there the check before the download has to do.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(systemCode(error) ?? "")) throw error;
    return rename(path, target);
  }
  await rm(path, { force: true });
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
