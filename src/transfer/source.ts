/** Where the bytes of a push come from. Re-openable: a retry or a resume opens it again at any offset. */
import type { Readable } from "node:stream";
import type { Digest } from "../reference/digest.ts";

export interface Source {
  /** Bytes. */
  readonly size: number;
  /** Identity of these very bytes across processes (device, inode, size, times); undefined: cannot be resumed later. */
  readonly identity?: string;
  /** Bytes from `start` up to but without `end` (default: to the end of the source). */
  open(start: number, end?: number): Readable;
  /** @throws SregistryError INTEGRITY when the bytes behind the source changed since it was made. */
  unchanged(): Promise<void>;
  /** Reads into memory that is used again, where the source can. */
  reader?(): Promise<SourceReader>;
  /** The digest of all bytes, where it is known without reading them. To be asked for before they are read. */
  known?(): Promise<Digest | undefined>;
  /** Told the digest of all bytes once they have been read, for later. */
  learned?(digest: Digest): Promise<void>;
}

export interface SourceReader extends AsyncDisposable {
  /** Fills `into` with the bytes from `position` on; resolves with their number, smaller only at the source's end. */
  read(into: Uint8Array, position: number): Promise<number>;
}
