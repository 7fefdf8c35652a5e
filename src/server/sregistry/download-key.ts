/**
 * The permission in a download's URL: whoever may see an image's manifest gets it, and clients of this protocol then ask for
 * the bytes without a login. Made from a key of the store, so that it outlives a restart and needs no list.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Digest } from "../../reference/digest.ts";
import {
  ifPresent,
  linkOrCopy,
  makeDirectory,
  onDisk,
  temporaryBeside,
  writeSynced,
} from "../../registry/local/files.ts";
import type { Store } from "../../registry/local/index.ts";

const KEY_BYTES = 32;
const known = new WeakMap<Store, Promise<Buffer>>();

/** For these bytes under this path alone. */
export async function downloadSecret(store: Store, path: string, digest: Digest): Promise<string> {
  return createHmac("sha256", await keyOf(store))
    .update(`download ${path}@${digest}`)
    .digest("base64url");
}

export async function isDownloadSecret(store: Store, path: string, digest: Digest, given: string): Promise<boolean> {
  const expected = Buffer.from(await downloadSecret(store, path, digest));
  const found = Buffer.from(given);
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function keyOf(store: Store): Promise<Buffer> {
  const before = known.get(store);
  if (before !== undefined) return before;
  const key = onDisk(`cannot keep a key in ${store.root}`, () =>
    readOrMake(join(store.root, ".sregistry", "download.key")),
  );
  known.set(store, key);
  key.catch(() => known.delete(store));
  return key;
}

/** Made whole beside its place and then named, so that of several processes all get the same one. */
async function readOrMake(path: string): Promise<Buffer> {
  const before = await ifPresent(readFile(path));
  if (before !== undefined && before.length >= KEY_BYTES) return before;
  await makeDirectory(dirname(path), 0o700);
  // One that is too short protects nothing: a disk was full when it was written.
  if (before !== undefined) await rm(path, { force: true });
  const temporary = temporaryBeside(path);
  try {
    await writeSynced(temporary, randomBytes(KEY_BYTES), 0o600);
    await linkOrCopy(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(path);
}
