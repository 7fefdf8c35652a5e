/** Every blob of the store read once and compared with its digest; those that share a file by hard link, once for all. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Call, Task } from "../../call.ts";
import { type Digest, digestAlgorithm, finishDigest, isDigest } from "../../reference/digest.ts";
import { ifPresent, names } from "./files.ts";
import type { Layout } from "./layout.ts";

export interface BlobHealth {
  readonly digest: Digest;
  readonly path: string;
  readonly size: number;
  /** What tells this very file: device and inode. */
  readonly identity: string;
  readonly good: boolean;
  /** Milliseconds since 1970 of the last change: of bytes, or of links. */
  readonly changed: number;
}

export interface Health {
  readonly blobs: number;
  /** Bytes, shared ones once. */
  readonly bytes: number;
  of(layout: Layout): readonly BlobHealth[];
  /** A file with the right bytes, in whichever repository. */
  goodCopy(digest: Digest): string | undefined;
}

export async function examineBlobs(layouts: readonly Layout[], call: Call): Promise<Health> {
  const verdicts = new Map<string, boolean>();
  const byLayout = new Map<string, readonly BlobHealth[]>();
  const good = new Map<Digest, string>();
  const task = call.progress.start("blobs");
  let bytes = 0;
  try {
    for (const layout of layouts) {
      const found: BlobHealth[] = [];
      for await (const blob of blobsOf(layout)) {
        call.signal.throwIfAborted();
        const key = `${blob.identity} ${blob.digest}`;
        const verdict = verdicts.get(key) ?? (await isWhole(blob, bytes, task, call));
        if (!verdicts.has(key)) bytes += blob.size;
        verdicts.set(key, verdict);
        found.push({ ...blob, good: verdict });
        if (verdict) good.set(blob.digest, blob.path);
      }
      byLayout.set(layout.directory, found);
    }
  } catch (error) {
    task.fail();
    throw error;
  }
  task.done();
  return {
    blobs: [...byLayout.values()].reduce((sum, blobs) => sum + blobs.length, 0),
    bytes,
    of: (layout) => byLayout.get(layout.directory) ?? [],
    goodCopy: (digest) => good.get(digest),
  };
}

async function* blobsOf(layout: Layout): AsyncGenerator<Omit<BlobHealth, "good">> {
  for (const algorithm of ["sha256", "sha512"]) {
    for (const hex of [...(await names(join(layout.blobs, algorithm)))].sort()) {
      const digest = `${algorithm}:${hex}`;
      const path = join(layout.blobs, algorithm, hex);
      const found = await ifPresent(stat(path));
      if (!isDigest(digest) || found === undefined) continue;
      const { size, mtimeMs, ctimeMs } = found;
      yield { digest, path, size, identity: `${found.dev}:${found.ino}`, changed: Math.max(mtimeMs, ctimeMs) };
    }
  }
}

async function isWhole(
  { path, digest }: Omit<BlobHealth, "good">,
  before: number,
  task: Task,
  call: Call,
): Promise<boolean> {
  const algorithm = digestAlgorithm(digest);
  const hash = createHash(algorithm);
  let offset = before;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    call.signal.throwIfAborted();
    hash.update(chunk);
    offset += chunk.length;
    task.at(offset);
  }
  return finishDigest(hash, algorithm) === digest;
}
