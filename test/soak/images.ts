/** Images of any size, as files and in stores. */
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { silentLog } from "../../src/call.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { capability, type PushResult, type Registry } from "../../src/registry/registry.ts";
import { openDigestMemo } from "../../src/transfer/digest-memo.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import { callWith } from "../support/copying.ts";
import { makeSif } from "../support/sif.ts";
import { bytesOf } from "./dice.ts";
import { named } from "./invariants.ts";
import { type Place, storedName } from "./place.ts";
import type { Plan } from "./plan.ts";

/** Bytes before the content. */
const SIF_HEAD = 128 + 2 * 585;

/** A SIF of exactly so many bytes, or where they are too few for one, any bytes. */
export function imageOf({ seed, round, size }: Plan, which: string): Buffer {
  if (size < SIF_HEAD) return bytesOf(size, seed, round, which);
  return makeSif([{ type: 0x4004, content: bytesOf(size - SIF_HEAD, seed, round, which) }]);
}

export async function fileOf(directory: string, name: string, bytes: Buffer): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, bytes);
  return file;
}

/** Straight into the store, past the network. */
export async function storeImage(place: Place, tag: string, bytes: Buffer, directory: string): Promise<void> {
  const file = await fileOf(directory, `stored${tag}.sif`, bytes);
  await pushFile(place.store, storedName(tag), file, directory, new AbortController().signal);
}

export async function pushFile(
  registry: Registry,
  name: string,
  file: string,
  directory: string,
  signal: AbortSignal,
): Promise<PushResult> {
  const reference = named(name);
  if (reference.selector.kind !== "tag") throw new Error(`${name} has no tag`);
  const source = await openFileSource(file, openDigestMemo(join(directory, "digests"), silentLog));
  await using reader = await fileReader(file);
  const metadata = source.size < SIF_HEAD ? undefined : await readImageMetadata(reader);
  return await capability(registry, "push")(
    { reference, tags: [reference.selector.tag], source, title: basename(file), metadata, plainManifest: false },
    callWith(signal),
  );
}
