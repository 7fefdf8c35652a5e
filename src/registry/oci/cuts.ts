/** Where a source is cut into the parts of a chunked upload. */
import { SMALLER_CHUNKS } from "./hosts.ts";

const MIB = 1024 * 1024;

/** Bytes. S3, and so ECR, takes no smaller part but as the last (LayerPartTooSmallException). */
const LEAST_PART = 5 * MIB;
/** Bytes that go with the closing request when the rest is too large for it and too small for two chunks. */
const LAST_PART = 3 * MIB;

export interface CutOptions {
  /** Bytes: what is sent at once, as far as the server's least allows. */
  readonly chunkSize: number;
  /** Bytes that the server wants in each part but the last; 0 when it does not say. */
  readonly least: number;
  /** The digest is known already, so that any chunk can go with the closing request. */
  readonly known: boolean;
}

/**
 * End of the next part; undefined when the rest goes with the closing request. Something always does: ECR answers 500 to an
 * empty one (cirruslabs/tart#159). Without the digest that part is small, since it is hashed before it can be sent.
 */
export function nextCut(offset: number, size: number, { chunkSize, least, known }: CutOptions): number | undefined {
  const rest = size - offset;
  const chunk = Math.max(chunkSize, least);
  if (rest > chunk) return offset + chunk;
  const last = known ? chunk : Math.max(LEAST_PART, least) + LAST_PART;
  return rest > last ? size - LAST_PART : undefined;
}

/** The next size to try after `refused` bytes were too many; undefined when there is none. */
export function smallerChunk(refused: number, usual: number): number | undefined {
  return [usual, ...SMALLER_CHUNKS].sort((a, b) => b - a).find((size) => size < refused);
}
