/** What images said of themselves, under keys of the caller: each is asked once. May be lost at any time. */
import { mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../call.ts";
import { isCode, systemCode } from "../errors.ts";
import { configMetadata, encodeConfig } from "../image/config.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { type Digest, digestAlgorithm, digestHex } from "../reference/digest.ts";
import { writeFileAtomic } from "./atomic.ts";
import { present } from "./disk.ts";
import { readSmallFile, SMALL } from "./small-file.ts";

export interface MetadataIndex {
  /** Undefined for a key never met, and for an entry that cannot be made sense of. */
  get(digest: Digest): Promise<ImageMetadata | undefined>;
  /** A directory that cannot be written (a read-only home, a full disk) is no failure: the image is asked again next time. */
  put(digest: Digest, metadata: ImageMetadata): Promise<void>;
}

/** Entries below one of the 256 directories, before the oldest half of them goes: about 20,000 in all. */
const MOST = 80;

/** Part of the path, so that another form of entry is another file. */
const FORM = "1";

export function openMetadataIndex(directory: string, log: Log): MetadataIndex {
  let writable = true;
  const shard = (digest: Digest): string => join(directory, FORM, digestHex(digest).slice(0, 2));
  const file = (digest: Digest): string => join(shard(digest), `${digestAlgorithm(digest)}-${digestHex(digest)}.json`);
  return {
    async get(digest) {
      try {
        const found = await readSmallFile(file(digest));
        return found === undefined ? undefined : configMetadata(Buffer.from(found.text));
      } catch (error) {
        if (isCode(error, "CONFIG_INVALID")) return undefined;
        throw error;
      }
    },
    async put(digest, metadata) {
      const bytes = encodeConfig({ metadata, digest, description: undefined });
      // What is longer would be written each time, and never read.
      if (!writable || bytes.length > SMALL) return;
      try {
        await mkdir(shard(digest), { recursive: true, mode: 0o700 });
        await writeFileAtomic(file(digest), Buffer.from(bytes).toString("utf8"));
        await prune(shard(digest));
      } catch (error) {
        if (systemCode(error) === undefined && !isCode(error, "DISK")) throw error;
        writable = false;
        log.verbose(`${directory} cannot be written, so images are asked for their metadata each time`);
      }
    },
  };
}

async function prune(shard: string): Promise<void> {
  const names = await readdir(shard);
  if (names.length <= MOST) return;
  const aged: { readonly path: string; readonly time: number }[] = [];
  for (const name of names) {
    const path = join(shard, name);
    const found = await present(stat(path));
    if (found !== undefined) aged.push({ path, time: found.mtimeMs });
  }
  aged.sort((a, b) => a.time - b.time);
  for (const { path } of aged.slice(0, Math.floor(MOST / 2))) await present(unlink(path));
}
