/** Where the bytes of a push come from. Re-openable: a retry or a resume opens it again at any offset. */
import type { Readable } from "node:stream";

export interface Source {
  /** Bytes. */
  readonly size: number;
  /** Identity of these very bytes across processes (device, inode, size, times); undefined: cannot be resumed later. */
  readonly identity?: string;
  /** Bytes from `start` up to but without `end` (default: to the end of the source). */
  open(start: number, end?: number): Readable;
  /** @throws SregistryError INTEGRITY when the bytes behind the source changed since it was made. */
  unchanged(): Promise<void>;
}
