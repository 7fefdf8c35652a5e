/** The file that a download grows in, written by several at once. */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { PartialFile, partialPath } from "../../src/transfer/partial.ts";

const MIB = 1024 * 1024;
const SIZE = 12 * MIB;

let folder: string;
let bytes: Buffer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-partial-"));
  bytes = randomBytes(SIZE);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const target = () => join(folder, "image.sif");

async function opened(): Promise<PartialFile> {
  const digest = digestOf(bytes);
  const { uid } = await stat(folder);
  const { signal } = new AbortController();
  return await PartialFile.open(partialPath(target(), digest), {
    held: { id: randomUUID(), uid, isGone: async () => true },
    algorithm: "sha256",
    digest,
    size: SIZE,
    signal,
  });
}

it("has the digest of what is in it though several bring the same bytes, and not the same ones", async () => {
  await using partial = await opened();
  await partial.takeUp();
  const other = randomBytes(SIZE);
  let added = 0;
  for (let at = 0; at < SIZE; at += MIB) {
    const [one, two] = [bytes, other].map((all) => all.subarray(at, at + MIB));
    const writes = await Promise.all([one, two, one].map((piece) => partial.write(at, piece ?? Buffer.alloc(0))));
    added += writes.reduce((sum, more) => sum + more, 0);
  }
  expect(added).toBe(SIZE);
  expect(partial.bytes).toBe(SIZE);
  expect(await partial.digest()).toBe(digestOf(await readFile(partial.path)));
});

it("takes bytes in any order, and has no gaps at the end", async () => {
  await using partial = await opened();
  await partial.takeUp();
  for (const at of [7, 3, 11, 0, 1, 10, 2, 9, 4, 8, 5, 6]) {
    await partial.write(at * MIB, bytes.subarray(at * MIB, (at + 1) * MIB));
  }
  expect(partial.gaps(0, SIZE)).toEqual([]);
  expect(await partial.digest()).toBe(digestOf(bytes));
  await partial.commit(target(), false);
  expect(await readdir(folder)).toEqual(["image.sif"]);
});

it("leaves nothing when it is of no use, not even a journal that was written meanwhile", async () => {
  await using partial = await opened();
  await partial.takeUp();
  await partial.write(0, bytes.subarray(0, 5 * MIB));
  partial.discard();
  await partial.write(5 * MIB, bytes.subarray(5 * MIB));
  expect(await partial.leave()).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

it("leaves its bytes and tells the next one which they are", async () => {
  {
    await using first = await opened();
    expect(await first.takeUp()).toBe(0);
    await first.write(MIB, bytes.subarray(MIB, 3 * MIB));
    await first.write(0, bytes.subarray(0, 10));
    expect(await first.leave()).toBe(2 * MIB + 10);
  }
  await using second = await opened();
  expect(await second.takeUp()).toBe(2 * MIB + 10);
  expect(second.gaps(0, SIZE)).toEqual([
    [10, MIB],
    [3 * MIB, SIZE],
  ]);
});
