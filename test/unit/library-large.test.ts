/** Large files on their way to a library: how often they are read, and what is known of them beforehand. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { digestsOf } from "../../src/registry/library/digests.ts";
import { openDigestMemo } from "../../src/transfer/digest-memo.ts";
import { openFileSource } from "../../src/transfer/file-source.ts";
import type { Source } from "../../src/transfer/source.ts";
import { libraryClient } from "../support/library-caller.ts";
import { hashOf, startLibraryPeer } from "../support/library-kinds.ts";

const MIB = 1024 * 1024;
const SIZE = 17 * MIB + 321;
const BYTES = randomBytes(SIZE);
const NAME = "lab/tools/app:1.0";
const task = silentProgress.start("");
const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
const hex = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest("hex");

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-library-large-"));
  file = join(directory, "app.sif");
  await writeFile(file, BYTES);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** `source`, and the bytes that were read of it. */
function counted(source: Source): { readonly source: Source; read(): number } {
  let read = 0;
  return {
    read: () => read,
    source: {
      ...source,
      open: () => expect.fail("it is read into the caller's memory"),
      async reader() {
        const opened = await source.reader?.();
        if (opened === undefined) throw new Error("a file can be read into memory of the caller's");
        return {
          async read(into, position) {
            const bytes = await opened.read(into, position);
            read += bytes;
            return bytes;
          },
          [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
        };
      },
    },
  };
}

it.each([5 * MIB, 17 * MIB, 17 * MIB + 321, 64 * MIB, 1_000_003])(
  "a file is hashed as a whole and by parts of %d bytes in one pass",
  async (partSize) => {
    const { source, read } = counted(await openFileSource(file));
    const hashes: string[] = [];
    for (let at = 0; at < SIZE; at += partSize) hashes.push(hex("sha256", BYTES.subarray(at, at + partSize)));
    expect(await digestsOf(source, partSize, task, call)).toEqual({
      sha256: digestOf(BYTES),
      md5: undefined,
      parts: { size: partSize, hashes },
    });
    expect(read()).toBe(SIZE);
  },
);

it("a file that goes as a whole is hashed twice in one pass", async () => {
  const { source, read } = counted(await openFileSource(file));
  expect(await digestsOf(source, undefined, task, call)).toEqual({ sha256: digestOf(BYTES), md5: hex("md5", BYTES) });
  expect(read()).toBe(SIZE);
});

it.each([
  ["of the size that was expected: read once to be hashed and once to be sent", 64 * MIB, 2 * SIZE],
  ["of another size: each is read for its hash as well", 6 * MIB, 3 * SIZE],
])("parts %s", async (_title, partSize, reads) => {
  await using peer = await startLibraryPeer("sylabs");
  peer.partSize = partSize;
  const client = libraryClient(peer.url, { multipartAbove: MIB });
  const { source, read } = counted(await openFileSource(file));
  expect(await client.push(NAME, source)).toMatchObject({ digest: digestOf(BYTES), transfer: "uploaded" });
  expect(read()).toBe(reads);
  expect(peer.storage.objects.get(`tools/app/${hashOf(BYTES)}`)?.equals(BYTES)).toBe(true);
  await client.close();
});

it.each([
  ["in one piece", 64 * MIB],
  ["in parts", MIB],
])(
  "a file that was pushed before is not read again; to another library it goes %s, and is right",
  async (_t, multipartAbove) => {
    const remembering = () => openFileSource(file, openDigestMemo(join(directory, "digests"), silentLog));
    await using first = await startLibraryPeer("sylabs");
    first.partSize = 6 * MIB;
    const client = libraryClient(first.url, { multipartAbove });
    await client.push(NAME, await remembering());
    const { source, read } = counted(await remembering());
    expect(await client.push(NAME, source)).toMatchObject({ digest: digestOf(BYTES), transfer: "present" });
    expect(read()).toBe(0);
    await client.close();

    await using second = await startLibraryPeer("sylabs");
    second.partSize = 6 * MIB;
    const other = libraryClient(second.url, { multipartAbove });
    expect(await other.push(NAME, source)).toMatchObject({ transfer: "uploaded" });
    // For the sending, and for a hash that was not remembered: the md5, or those of the parts.
    expect(read()).toBe(2 * SIZE);
    expect(second.storage.objects.get(`tools/app/${hashOf(BYTES)}`)?.equals(BYTES)).toBe(true);
    await other.close();
  },
);
