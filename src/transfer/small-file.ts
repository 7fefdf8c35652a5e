/** Reads files that people write by hand: small, text, and never trusted to be so. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { SregistryError, systemCode } from "../errors.ts";

export interface SmallFile {
  readonly text: string;
  readonly stat: Stats;
}

/** 1 MiB: more than any configuration, and little enough to parse at once. */
export const SMALL = 1024 * 1024;

/**
 * The whole file as text, without a byte order mark; undefined when there is none. A pipe will do (`--authfile <(...)`).
 * @throws SregistryError CONFIG_INVALID naming the file when it is longer than `SMALL`, not UTF-8, or cannot be read.
 */
export async function readSmallFile(path: string): Promise<SmallFile | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY);
    const stat = await file.stat();
    return { text: decode(path, await readCapped(path, file)), stat };
  } catch (error) {
    if (error instanceof SregistryError) throw error;
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new SregistryError("CONFIG_INVALID", `${path} cannot be read: ${reason(error)}`, {
      hint: `ls -l ${path}`,
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

async function readCapped(path: string, file: FileHandle): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for (let size = 0; ; ) {
    const buffer = Buffer.alloc(64 * 1024);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > SMALL) {
      throw new SregistryError("CONFIG_INVALID", `${path} is longer than 1 MiB, so it is no configuration of ours`);
    }
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SregistryError("CONFIG_INVALID", `${path} is not text in UTF-8`, { cause });
  }
}

function reason(error: unknown): string {
  switch (systemCode(error)) {
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "ELOOP":
      return "symbolic links that lead in a circle";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
