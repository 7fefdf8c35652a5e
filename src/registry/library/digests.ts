/** What a library wants to know of a file before its first byte: read once, two hashes at a time. */
import { createHash } from "node:crypto";
import type { Call, Task } from "../../call.ts";
import { type Digest, finishDigest } from "../../reference/digest.ts";
import { readSource } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";

export interface FileDigests {
  readonly sha256: Digest;
  /** Lower-case hex; undefined when the other one was known without reading the file. */
  readonly md5: string | undefined;
}

export async function digestsOf(source: Source, task: Task, { signal }: Call): Promise<FileDigests> {
  const known = await source.known?.();
  if (known !== undefined) return { sha256: known, md5: undefined };
  const sha256 = createHash("sha256");
  const md5 = createHash("md5");
  task.state("hashing");
  for await (const chunk of readSource(source, 0, source.size, signal)) {
    sha256.update(chunk);
    md5.update(chunk);
  }
  return { sha256: finishDigest(sha256), md5: md5.digest("hex") };
}

/** Lower-case hex. */
export async function md5Of(source: Source, { signal }: Call): Promise<string> {
  const md5 = createHash("md5");
  for await (const chunk of readSource(source, 0, source.size, signal)) md5.update(chunk);
  return md5.digest("hex");
}

/** Lower-case hex of bytes `start` up to but without `end`. */
export async function hexOf(source: Source, start: number, end: number, { signal }: Call): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of readSource(source, start, end, signal)) hash.update(chunk);
  return hash.digest("hex");
}
