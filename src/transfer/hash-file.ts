/** Digests of what is on disk already. */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type Digest, type DigestAlgorithm, finishDigest } from "../reference/digest.ts";

const BLOCK = 1024 * 1024;

/**
 * Feeds the first `size` bytes of an open file to `hash`, reading one block ahead of the hashing.
 * Returns the bytes really there, at most `size`.
 */
export async function hashPrefix(
  file: FileHandle,
  size: number,
  hash: Hash,
  signal: AbortSignal,
  told: (offset: number) => void = () => undefined,
): Promise<number> {
  const buffers = [Buffer.allocUnsafe(BLOCK), Buffer.allocUnsafe(BLOCK)] as const;
  const read = (turn: number, at: number) =>
    file.read(buffers[turn % 2 === 0 ? 0 : 1], 0, Math.min(BLOCK, size - at), at);
  let offset = 0;
  let next = read(0, 0);
  for (let turn = 0; offset < size; turn += 1) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await next;
    if (bytesRead === 0) break;
    offset += bytesRead;
    if (offset < size) next = read(turn + 1, offset);
    hash.update(buffer.subarray(0, bytesRead));
    told(offset);
  }
  return offset;
}

/** The digest of an open file's first `size` bytes; undefined when it is shorter. */
export async function digestOfFile(
  file: FileHandle,
  size: number,
  algorithm: DigestAlgorithm,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const hash = createHash(algorithm);
  const read = await hashPrefix(file, size, hash, signal);
  return read === size ? finishDigest(hash, algorithm) : undefined;
}
