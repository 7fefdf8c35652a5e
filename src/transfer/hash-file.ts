/** Digests of what is on disk already. */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { abortError } from "../http/network-error.ts";
import { type Digest, type DigestAlgorithm, finishDigest } from "../reference/digest.ts";
import { readError } from "./disk.ts";

const BLOCK = 1024 * 1024;

export interface HashOptions {
  /** Path of the file, for messages. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** Told bytes that have been read. */
  readonly told?: (offset: number) => void;
}

/**
 * Feeds the first `size` bytes of an open file to `hash`, reading one block ahead of the hashing.
 * Returns the bytes really there, at most `size`.
 * @throws SregistryError DISK, INTERRUPTED.
 */
export async function hashPrefix(file: FileHandle, size: number, hash: Hash, options: HashOptions): Promise<number> {
  const { name, signal, told } = options;
  const buffers = [Buffer.allocUnsafe(BLOCK), Buffer.allocUnsafe(BLOCK)] as const;
  const read = (turn: number, at: number) =>
    file.read(buffers[turn % 2 === 0 ? 0 : 1], 0, Math.min(BLOCK, size - at), at);
  let offset = 0;
  if (size === 0) return 0;
  try {
    let next = read(0, 0);
    for (let turn = 0; offset < size; turn += 1) {
      const { bytesRead, buffer } = await next;
      // Thrown while no read is under way: the caller closes the file next.
      if (signal.aborted) throw abortError(signal);
      if (bytesRead === 0) break;
      offset += bytesRead;
      told?.(offset);
      if (offset < size) next = read(turn + 1, offset);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } catch (error) {
    throw readError(name, error);
  }
  return offset;
}

/** The digest of an open file's first `size` bytes; undefined when it is shorter. */
export async function digestOfFile(
  file: FileHandle,
  size: number,
  algorithm: DigestAlgorithm,
  options: HashOptions,
): Promise<Digest | undefined> {
  const hash = createHash(algorithm);
  const read = await hashPrefix(file, size, hash, options);
  return read === size ? finishDigest(hash, algorithm) : undefined;
}
