/** What the protocol tells of an image's inside. Read from the SIF itself, so that it is there for every protocol's pushes. */
import { isCode } from "../../errors.ts";
import { readImage } from "../../image/read.ts";
import type { Digest } from "../../reference/digest.ts";
import type { Repository } from "../../registry/local/repository.ts";
import { fileReader } from "../../transfer/file-source.ts";

export interface ImageFacts {
  /** Go's name; undefined for a file that is no SIF, or does not say. */
  readonly architecture: string | undefined;
  readonly signed: boolean;
  readonly encrypted: boolean;
  /** Of the keys that signatures name; nothing is verified. */
  readonly fingerprints: readonly string[];
}

const NOTHING: ImageFacts = { architecture: undefined, signed: false, encrypted: false, fingerprints: [] };
const REMEMBERED = 1000;
/** The same bytes always say the same. */
const known = new Map<Digest, ImageFacts>();

export async function imageFacts(repository: Repository, digest: Digest): Promise<ImageFacts> {
  const before = known.get(digest);
  if (before !== undefined) return before;
  const facts = await read(repository, digest);
  for (const oldest of known.keys()) {
    if (known.size < REMEMBERED) break;
    known.delete(oldest);
  }
  known.set(digest, facts);
  return facts;
}

async function read(repository: Repository, digest: Digest): Promise<ImageFacts> {
  await using file = await fileReader(repository.layout.blob(digest));
  try {
    const { metadata, signatures } = await readImage(file);
    const fingerprints = signatures.flatMap(({ fingerprint }) => fingerprint ?? []);
    const { architecture, signed, encrypted } = metadata;
    return { architecture, signed, encrypted, fingerprints: [...new Set(fingerprints)] };
  } catch (error) {
    if (isCode(error, "IMAGE_INVALID")) return NOTHING;
    throw error;
  }
}
