/** What is beside a partial in place of its journal: nothing of it may be believed against the file, and nothing waited for. */
import { execFile } from "node:child_process";
import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal, journalPath, readJournal } from "../../src/transfer/journal.ts";
import { ownPath, partialPath } from "../../src/transfer/partial.ts";
import { Ranges } from "../../src/transfer/ranges.ts";
import { BLOB, type DownloadSite, downloadSite, madeImage } from "../support/download.ts";
import { cutResponse } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

let site: DownloadSite;
let base: string;
let partial: string;
let journal: string;
beforeEach(async () => {
  site = await downloadSite(madeImage(3 * MIB));
  base = partialPath(site.target, site.image.digest);
  partial = ownPath(base, LEFT);
  journal = journalPath(base);
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
});

/** Whose the partial was. */
const LEFT = "00000000-0000-4000-8000-000000000000";
const entry = (done: unknown) => ({ id: LEFT, digest: site.image.digest, size: site.bytes.length, done });
const whole = () => [[0, site.bytes.length]];

async function expectImage(...besides: readonly string[]): Promise<void> {
  expect(await site.files()).toEqual([...besides, "image.sif"].sort());
  expect((await site.content()).equals(site.bytes)).toBe(true);
}

describe("a journal that says nothing that can be used", () => {
  it.each([
    ["torn", () => JSON.stringify(entry(whole())).slice(0, 60)],
    ["empty", () => ""],
    ["of zeros, as a crash of the machine leaves it", () => "\0".repeat(512)],
    ["no text", () => Buffer.from([0xff, 0xfe, 0x00])],
    ["of another image", () => JSON.stringify({ ...entry(whole()), digest: `sha256:${"0".repeat(64)}` })],
    ["of another size", () => JSON.stringify({ ...entry(whole()), size: 5 })],
    ["with ranges that are none", () => JSON.stringify(entry([["0", 5]]))],
    ["with negative bytes", () => JSON.stringify(entry([[-5, 5]]))],
    ["a list", () => "[]"],
    ["longer than any of ours", () => JSON.stringify(entry(whole())).padEnd(MIB)],
    [
      "of a hundred thousand ranges",
      () => JSON.stringify(entry(Array.from({ length: 1e5 }, (_, at) => [2 * at, 2 * at + 1]))),
    ],
  ])("is passed over when it is %s", async (_what, text) => {
    await writeFile(partial, site.bytes.subarray(0, MIB));
    await writeFile(journal, text());
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    expect(site.ranges()).toEqual([undefined]);
    await expectImage();
  });

  it("does not keep the next one from being one", async () => {
    await writeFile(partial, site.bytes.subarray(0, MIB));
    await writeFile(journal, "x".repeat(MIB));
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 2 * MIB }));
    site.faults.on(BLOB, cutResponse({ after: 0 }));
    expect(await failureOf(site.pull())).toMatchObject({ code: "NETWORK" });
    expect(await site.kept()).toMatchObject({ bytes: 2 * MIB });
    expect((await lstat(journal)).size).toBeLessThan(4096);
  });
});

describe("a journal that says too much", () => {
  it("is believed only as far as the file goes", async () => {
    await writeFile(partial, site.bytes.subarray(0, MIB));
    await writeFile(journal, JSON.stringify(entry(whole())));
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - MIB });
    await expectImage();
  });

  it("beyond the image's end is believed only as far as the file goes", async () => {
    await writeFile(partial, site.bytes.subarray(0, MIB));
    await writeFile(
      journal,
      JSON.stringify(
        entry([
          [0, 5],
          [MIB / 2, Number.MAX_SAFE_INTEGER],
        ]),
      ),
    );
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - MIB / 2 - 5 });
    await expectImage();
  });

  it("costs a second transfer when it is wrong, and never a wrong file", async () => {
    await writeFile(partial, Buffer.alloc(MIB));
    await writeFile(journal, JSON.stringify(entry([[0, MIB]])));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: 2 * site.bytes.length - MIB });
    await expectImage();
  });

  it("without a file counts for nothing", async () => {
    await writeFile(journal, JSON.stringify(entry(whole())));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    await expectImage();
  });
});

describe("something else in its place", () => {
  beforeEach(() => writeFile(partial, site.bytes.subarray(0, MIB)));

  it("is not followed when it is a symbolic link, neither for reading nor for writing", async () => {
    const other = join(site.directory, "other");
    const text = JSON.stringify(entry([[0, MIB]]));
    await writeFile(other, text);
    await symlink(other, journal);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(await readFile(other, "utf8")).toBe(text);
    await expectImage("other");
  });

  it("is not waited for when it is a pipe", async () => {
    await run("mkfifo", [journal]);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    await expectImage();
  });

  it("is said when it is a directory", async () => {
    await mkdir(journal);
    expect(await failureOf(site.pull())).toMatchObject({ code: "DISK", message: expect.stringContaining(journal) });
    expect(await site.files()).not.toContain("image.sif");
  });

  it.skipIf(process.getuid?.() !== 0)("is not believed when another user owns it", async () => {
    await writeFile(journal, JSON.stringify(entry([[0, MIB]])));
    await run("chown", ["12345", journal]);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    await expectImage();
  });
});

it("is written over by a shorter text, and can be read at any moment", async () => {
  const owner = (await lstat(site.directory)).uid;
  const many = new Ranges(Array.from({ length: 60 }, (_, at) => [1000 * at, 1000 * at + 1]));
  await using written = new Journal(base, owner);
  await written.save({ ...entry(0), done: many });
  expect((await readJournal(base))?.done).toEqual(many);
  await written.save({ ...entry(0), done: new Ranges([[0, 60_000]]) });
  expect((await readJournal(base))?.done).toEqual(new Ranges([[0, 60_000]]));
  await written.remove();
  expect(await readJournal(base)).toBe(undefined);
});
