import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import type { ImageMetadata } from "../../src/image/metadata.ts";
import { type Digest, digestOf, parseDigest } from "../../src/reference/digest.ts";
import { type MetadataIndex, openMetadataIndex } from "../../src/transfer/metadata-index.ts";

const METADATA: ImageMetadata = {
  architecture: "amd64",
  labels: { maintainer: "vanessasaur" },
  environment: { "/.singularity.d/env/90-environment.sh": "export A=b" },
  runscript: "#!/bin/sh\nexec hello",
  test: "",
  help: undefined,
  deffile: "Bootstrap: scratch",
  startscript: undefined,
  signed: true,
  encrypted: false,
  format: "sif",
};
const DIGEST = digestOf("an image");
const HEX = DIGEST.slice("sha256:".length);

let root: string;
let directory: string;
let index: MetadataIndex;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-index-"));
  directory = join(root, "sregistry/metadata");
  index = openMetadataIndex(directory, silentLog);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const entry = () => join(directory, "1", HEX.slice(0, 2), `sha256-${HEX}.json`);

it("tells what it was told, to another process too", async () => {
  expect(await index.get(DIGEST)).toBeUndefined();
  await index.put(DIGEST, METADATA);
  expect(await openMetadataIndex(directory, silentLog).get(DIGEST)).toEqual(METADATA);
  expect(await index.get(digestOf("another image"))).toBeUndefined();
  expect(await readdir(join(directory, "1", HEX.slice(0, 2)))).toEqual([`sha256-${HEX}.json`]);
});

it("is the user's alone", async () => {
  await index.put(DIGEST, METADATA);
  expect((await stat(entry())).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

it("knows images by sha512 as well", async () => {
  const digest = digestOf("an image", "sha512");
  await index.put(digest, METADATA);
  expect(await index.get(digest)).toEqual(METADATA);
});

it("gives every text back as it was", async () => {
  const text = fc.string({ unit: "binary" });
  const record = fc.dictionary(text, text);
  await fc.assert(
    fc.asyncProperty(record, record, fc.option(text, { nil: undefined }), async (labels, environment, help) => {
      const metadata: ImageMetadata = { ...METADATA, labels, environment, help, format: "oci-sif" };
      await index.put(DIGEST, metadata);
      expect(await index.get(DIGEST)).toEqual(metadata);
    }),
    { numRuns: 40 },
  );
});

it.each([
  ["cut short", '{"format":"sif","config":{"Lab'],
  ["empty, as a crash may leave it", ""],
  ["of another form", '{"labels":{}}'],
  ["no text", Buffer.from([0xff, 0xfe, 0])],
  ["endless", "x".repeat(2 * 1024 * 1024)],
])("takes an entry that is %s for none, and replaces it", async (_what, content) => {
  await index.put(DIGEST, METADATA);
  await writeFile(entry(), content);
  expect(await index.get(DIGEST)).toBeUndefined();
  await index.put(DIGEST, METADATA);
  expect(await index.get(DIGEST)).toEqual(METADATA);
});

it("does not write what it would not read: a definition of more than a MiB", async () => {
  await index.put(DIGEST, { ...METADATA, deffile: "x".repeat(1024 * 1024) });
  await expect(stat(directory)).rejects.toMatchObject({ code: "ENOENT" });
});

it("says once that it cannot be written, and is no failure", async () => {
  await writeFile(join(root, "sregistry"), "a file where the directory should be");
  const told: string[] = [];
  const blocked = openMetadataIndex(directory, { ...silentLog, verbose: (text) => void told.push(text) });
  for (const image of ["one", "two"]) {
    await blocked.put(digestOf(image), METADATA);
    expect(await blocked.get(digestOf(image))).toBeUndefined();
  }
  expect(told).toEqual([`${directory} cannot be written, so images are asked for their metadata each time`]);
});

it("shows readers whole entries only, however many write", async () => {
  const writers = Array.from({ length: 20 }, () => openMetadataIndex(directory, silentLog));
  await index.put(DIGEST, METADATA);
  const read = async () => {
    for (let turn = 0; turn < 20; turn += 1) expect(await index.get(DIGEST)).toEqual(METADATA);
  };
  await Promise.all([...writers.map((each) => each.put(DIGEST, METADATA)), read(), read()]);
  expect(await readdir(join(directory, "1", HEX.slice(0, 2)))).toEqual([`sha256-${HEX}.json`]);
});

it("forgets the oldest entries when there are many, and keeps the newest", async () => {
  const shard = join(directory, "1", "ab");
  await mkdir(shard, { recursive: true });
  const digests = Array.from(
    { length: 80 },
    (_, at): Digest => parseDigest(`sha256:ab${String(at).padStart(62, "0")}`),
  );
  for (const [at, digest] of digests.entries()) {
    const path = join(shard, `${digest.replace(":", "-")}.json`);
    await writeFile(path, '{"format":"sif"}');
    await utimes(path, 1000 + at, 1000 + at);
  }
  const newest = parseDigest(`sha256:ab${"f".repeat(62)}`);
  await index.put(newest, METADATA);
  const kept = [...digests.slice(40), newest].map((digest) => `${digest.replace(":", "-")}.json`);
  expect((await readdir(shard)).sort()).toEqual(kept);
  expect(await index.get(newest)).toEqual(METADATA);
});

it("holds what a SIF's config would, so that anybody can read it", async () => {
  await index.put(DIGEST, METADATA);
  expect(JSON.parse(await readFile(entry(), "utf8"))).toMatchObject({
    architecture: "amd64",
    config: { Labels: METADATA.labels },
    rootfs: { diff_ids: [DIGEST] },
    format: "sif",
  });
});
