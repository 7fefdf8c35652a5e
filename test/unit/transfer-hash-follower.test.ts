/** The digest of a file that is being written: of small ones at the end, of large ones by a thread that reads behind. */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { HashFollower } from "../../src/transfer/hash-follower.ts";
import { failureOf } from "../support/http.ts";

const MIB = 1024 * 1024;

let folder: string;
let name: string;
let file: FileHandle;
let stop: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-follower-"));
  name = join(folder, "image");
  file = await open(name, "w+");
  stop = new AbortController();
});
afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true, force: true });
});

const follower = () => new HashFollower(file, { name, algorithm: "sha256", signal: stop.signal });

it.each([0, 1, MIB, 8 * MIB - 1, 8 * MIB, 9 * MIB + 17])("has the digest of %d bytes", async (size) => {
  const bytes = randomBytes(size);
  await using follows = follower();
  for (let at = 0; at < size; ) {
    const end = Math.min(size, at + 700_001);
    await file.write(bytes, at, end - at, at);
    at = end;
    follows.advance(at, size);
  }
  expect(await follows.digest(size)).toBe(digestOf(bytes));
});

it("has the digest of what was there before, and of what came after it", async () => {
  const bytes = randomBytes(20 * MIB);
  await file.write(bytes, 0, 15 * MIB, 0);
  await using follows = follower();
  follows.advance(15 * MIB, bytes.length);
  await file.write(bytes, 15 * MIB, 5 * MIB, 15 * MIB);
  expect(await follows.digest(bytes.length)).toBe(digestOf(bytes));
});

it.each([MIB, 12 * MIB])("says that a file was cut short meanwhile (%d bytes)", async (size) => {
  await file.write(randomBytes(size), 0, size, 0);
  await using follows = follower();
  await file.truncate(size / 2);
  follows.advance(size, size);
  expect(await failureOf(follows.digest(size))).toEqual({
    code: "DISK",
    message: `${name} has less than the ${size} bytes that were written to it`,
    hint: `ls -l ${name}`,
  });
});

it.each([MIB, 12 * MIB])("says that a file cannot be read (%d bytes)", async (size) => {
  await file.close();
  file = await open(name, "w");
  await file.write(randomBytes(size), 0, size, 0);
  await using follows = follower();
  follows.advance(size, size);
  expect(await failureOf(follows.digest(size))).toMatchObject({
    code: "DISK",
    message: expect.stringContaining(`${name} cannot be read: EBADF`),
  });
});

it("is ended at once while it waits for bytes that do not come", async () => {
  await file.write(randomBytes(10 * MIB), 0, 10 * MIB, 0);
  const follows = follower();
  follows.advance(10 * MIB, 100 * MIB);
  await follows[Symbol.asyncDispose]();
});

it("is ended by whoever stops the pull, and its file can be closed", async () => {
  await file.write(randomBytes(10 * MIB), 0, 10 * MIB, 0);
  await using follows = follower();
  follows.advance(10 * MIB, 100 * MIB);
  const digest = follows.digest(10 * MIB);
  stop.abort(new Error("enough"));
  await expect(digest).rejects.toThrow("enough");
});
