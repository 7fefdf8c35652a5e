/** What a directory can hold before, during and after a download. */
import { execFile } from "node:child_process";
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { journalPath, readJournal } from "../../src/transfer/journal.ts";
import { newOwner } from "../../src/transfer/owner.ts";
import { ownPath, partialPath } from "../../src/transfer/partial.ts";
import { formatPart } from "../../src/units.ts";
import { BLOB, type DownloadSite, downloadSite, madeImage } from "../support/download.ts";
import { cutResponse, reply, stall, wrongByte } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

const run = promisify(execFile);

let site: DownloadSite;
/** What names of its partial and journal begin with. */
let base: string;
/** Whose it was. */
const LEFT = "00000000-0000-4000-8000-000000000000";
let partial: string;
beforeEach(async () => {
  site = await downloadSite(madeImage(300_000));
  base = partialPath(site.target, site.image.digest);
  partial = ownPath(base, LEFT);
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
});

async function expectImage(...besides: readonly string[]): Promise<void> {
  expect(await site.files()).toEqual([...besides, "image.sif"].sort());
  expect((await site.content()).equals(site.bytes)).toBe(true);
}

const untouched = () => ({
  code: "CONFLICT",
  message: `${site.target} exists already and holds something else; it was not touched`,
  hint: "--force replaces it, --output names another file",
});

describe("a target that is there", () => {
  it("is left alone when it holds the image", async () => {
    await writeFile(site.target, site.bytes);
    const before = await stat(site.target);
    expect(await site.pull()).toEqual({
      path: site.target,
      digest: site.image.digest,
      size: site.bytes.length,
      transferred: 0,
      outcome: "present",
    });
    expect(site.faults.requests).toEqual([]);
    expect((await stat(site.target)).ino).toBe(before.ino);
    expect(site.story).toEqual([]);
  });

  it.each([
    ["something short", () => Buffer.from("mine")],
    ["nothing", () => Buffer.alloc(0)],
    ["as many other bytes", () => Buffer.alloc(site.bytes.length)],
    ["the beginning of the image", () => site.bytes.subarray(0, 1000)],
  ])("is refused before a byte is asked for when it holds %s", async (_what, content) => {
    await writeFile(site.target, content());
    expect(await failureOf(site.pull())).toEqual(untouched());
    expect(site.faults.requests).toEqual([]);
    expect((await site.content()).equals(content())).toBe(true);
    expect(await site.files()).toEqual(["image.sif"]);
  });

  it("is replaced by force at the very end only", async () => {
    await writeFile(site.target, "mine");
    site.faults.on({ ...BLOB, times: 1 }, async (exchange) => {
      expect((await site.content()).toString()).toBe("mine");
      await exchange.forward();
    });
    expect(await site.pull({ force: true })).toMatchObject({ outcome: "downloaded" });
    await expectImage();
  });

  it("keeps its old bytes when a forced download fails", async () => {
    await writeFile(site.target, "mine");
    site.faults.on(BLOB, wrongByte(1));
    expect(await failureOf(site.pull({ force: true }))).toMatchObject({ code: "INTEGRITY" });
    expect((await site.content()).toString()).toBe("mine");
    expect(await site.files()).toEqual(["image.sif"]);
  });

  it("is not overwritten when it appears during the download", async () => {
    site.faults.on(BLOB, async (exchange) => {
      await writeFile(site.target, "mine");
      await exchange.forward();
    });
    expect(await failureOf(site.pull())).toEqual(untouched());
    expect((await site.content()).toString()).toBe("mine");
    await rm(site.target);
    site.faults.clear();
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: 0 });
    expect(site.faults.requests).toEqual([]);
    await expectImage();
  });

  it.each([true, false])("is no directory (force: %s)", async (force) => {
    await mkdir(site.target);
    expect(await failureOf(site.pull({ force }))).toEqual({
      code: "USAGE",
      message: `${site.target} is a directory; the image needs a file name`,
      hint: `--dir ${site.target} puts the file into it`,
    });
    expect(site.faults.requests).toEqual([]);
  });

  it("is no pipe, which would be waited for", async () => {
    await run("mkfifo", [site.target]);
    expect(await failureOf(site.pull({ force: true }))).toEqual({
      code: "USAGE",
      message: `${site.target} is a device, pipe or socket; an image is put into a regular file`,
      hint: undefined,
    });
  });

  it("may be a link to the image; one to something else is replaced by force, and what it leads to is left alone", async () => {
    const other = join(site.directory, "other");
    await symlink(other, site.target);
    expect(await failureOf(site.pull())).toEqual({
      code: "CONFLICT",
      message: `${site.target} is a symbolic link that leads nowhere; it was not touched`,
      hint: "--force replaces the link, --output names another file",
    });
    await writeFile(other, site.bytes);
    expect(await site.pull()).toMatchObject({ outcome: "present" });
    await writeFile(other, "mine");
    expect(await failureOf(site.pull())).toEqual(untouched());
    await site.pull({ force: true });
    expect((await lstat(site.target)).isFile()).toBe(true);
    expect(await readFile(other, "utf8")).toBe("mine");
    await expectImage("other");
  });
});

describe("the directory", () => {
  it("has to be there", async () => {
    const directory = join(site.directory, "none");
    expect(await failureOf(site.pull({ target: join(directory, "x.sif") }))).toEqual({
      code: "USAGE",
      message: `there is no directory ${directory}`,
      hint: `mkdir -p ${directory}`,
    });
  });

  it("is no file", async () => {
    const file = join(site.directory, "file");
    await writeFile(file, "");
    expect(await failureOf(site.pull({ target: join(file, "x.sif") }))).toEqual({
      code: "USAGE",
      message: `${file} is no directory`,
      hint: undefined,
    });
    expect(await failureOf(site.pull({ target: join(file, "more", "x.sif") }))).toMatchObject({ code: "USAGE" });
  });

  it("takes a file name of 255 bytes, and no longer one", async () => {
    const name = `${"ä".repeat(125)}x.sif`;
    expect(Buffer.byteLength(name)).toBe(255);
    site.faults.on({ ...BLOB, times: 1 }, cutResponse({ after: 1000 }));
    await site.pull({ target: join(site.directory, name) });
    expect(await site.files()).toEqual([name]);
    expect((await site.content(name)).equals(site.bytes)).toBe(true);
    const target = join(site.directory, `x${name}`);
    expect(await failureOf(site.pull({ target }))).toEqual({
      code: "USAGE",
      message: `the file name is too long for its directory (256 bytes): ${target}`,
      hint: "--output names another file",
    });
  });

  it("gives the file the mode of a program", async () => {
    const before = process.umask(0o027);
    try {
      await site.pull();
    } finally {
      process.umask(before);
    }
    expect((await stat(site.target)).mode & 0o777).toBe(0o750);
  });
});

/** The partial of whoever has it now. */
async function running(): Promise<string> {
  const names = await readdir(site.directory);
  const name = names.find((one) => /\.part-[0-9a-f]{16}\.[0-9a-f-]{36}$/.test(one));
  if (name === undefined) throw new Error(`no partial among ${names.join()}`);
  return join(site.directory, name);
}

/** What a killed process left: a partial with these bytes, and a journal that tells them. */
async function left(bytes: Uint8Array, ...done: readonly (readonly [number, number])[]): Promise<void> {
  await writeFile(partial, bytes);
  const { digest } = site.image;
  const ranges = done.length === 0 ? [[0, bytes.length]] : done;
  await writeFile(journalPath(base), JSON.stringify({ id: LEFT, digest, size: site.bytes.length, done: ranges }));
}

describe("a partial file that is there", () => {
  it("is gone on from", async () => {
    await left(site.bytes.subarray(0, 100_000));
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - 100_000 });
    expect(site.ranges()).toEqual([`bytes=100000-${site.bytes.length - 1}`]);
    await expectImage();
  });

  it("is asked for its gaps alone", async () => {
    const holes = Buffer.from(site.bytes).fill(0, 10, 20).fill(0, 150_000, 250_000).subarray(0, 280_000);
    await left(holes, [0, 10], [20, 150_000], [250_000, 280_000]);
    expect(await site.pull()).toMatchObject({
      outcome: "resumed",
      transferred: 10 + 100_000 + site.bytes.length - 280_000,
    });
    expect(site.ranges()).toEqual(["bytes=10-19", "bytes=150000-249999", `bytes=280000-${site.bytes.length - 1}`]);
    await expectImage();
  });

  it("without a journal is begun again", async () => {
    await writeFile(partial, site.bytes.subarray(0, 100_000));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    expect(site.ranges()).toEqual([undefined]);
    await expectImage();
  });

  it("that is complete and wrong is fetched once more, and not called the registry's fault", async () => {
    await left(Buffer.alloc(site.bytes.length));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    expect(site.ranges()).toEqual([undefined]);
    await expectImage();
  });

  it("needs no request when it is complete", async () => {
    await left(site.bytes);
    expect(await site.pull()).toMatchObject({ outcome: "resumed", transferred: 0 });
    expect(site.faults.requests).toEqual([]);
    await expectImage();
  });

  it("is begun again when its bytes are wrong (a crash leaves holes)", async () => {
    await left(site.bytes.subarray(0, 100_000), [0, 150_000]);
    await truncate(partial, 150_000);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(site.ranges()).toEqual([`bytes=150000-${site.bytes.length - 1}`, undefined]);
    await expectImage();
  });

  it("is begun again when it is longer than the image", async () => {
    await left(Buffer.alloc(site.bytes.length + 1));
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(site.ranges()).toEqual([undefined]);
    await expectImage();
  });

  it("is not written to when it is another file's second name", async () => {
    const other = join(site.directory, "other");
    await writeFile(other, "mine");
    await link(other, partial);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(await readFile(other, "utf8")).toBe("mine");
    await expectImage("other");
  });

  it("is not followed when it is a link", async () => {
    const other = join(site.directory, "other");
    await writeFile(other, "mine");
    await symlink(other, partial);
    expect(await site.pull()).toMatchObject({ outcome: "downloaded" });
    expect(await readFile(other, "utf8")).toBe("mine");
    await expectImage("other");
  });

  it.skipIf(process.getuid?.() !== 0)(
    "is not taken up when another user owns it, who could change it later",
    async () => {
      await left(site.bytes);
      await run("chown", ["12345", partial]);
      expect(await site.pull()).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
      expect((await stat(site.target)).uid).toBe(process.getuid?.());
      await expectImage();
    },
  );

  it("is removed when a killed process had given it the target's name already", async () => {
    await left(site.bytes);
    await link(partial, site.target);
    expect(await site.pull()).toMatchObject({ outcome: "present" });
    await expectImage();
  });

  it("is removed, be it that a killed process left nothing but its journal", async () => {
    await left(site.bytes);
    await rename(partial, site.target);
    expect(await site.pull()).toMatchObject({ outcome: "present" });
    await expectImage();
  });

  it("of another image goes when the target has its name", async () => {
    const other = madeImage(10);
    const living = await newOwner();
    const beside = (name: string) => join(site.directory, `.image.sif.part-${name}`);
    await writeFile(beside(`0123456789abcdef.${LEFT}`), other);
    await writeFile(beside("0123456789abcdef.json"), "{}");
    await writeFile(beside(`0123456789abcdee.${living.id}`), other);
    await writeFile(beside("0123456789abcdee.json"), "{}");
    await writeFile(beside(`0123456789abcdee.lock.${living.id}`), JSON.stringify(living));
    await writeFile(beside("0123456789abcdee.lock"), JSON.stringify(living));
    await writeFile(join(site.directory, ".image.sif.part-mine"), other);
    await site.pull();
    await expectImage(
      `.image.sif.part-0123456789abcdee.${living.id}`,
      ".image.sif.part-0123456789abcdee.json",
      ".image.sif.part-0123456789abcdee.lock",
      `.image.sif.part-0123456789abcdee.lock.${living.id}`,
      ".image.sif.part-mine",
    );
  });

  it("is left where another process that took over replaced it", async () => {
    let taken = "";
    site.faults.on(BLOB, async (exchange) => {
      taken = await running();
      await rm(taken);
      await writeFile(taken, "another process's");
      await exchange.forward();
    });
    expect(await failureOf(site.pull())).toEqual({
      code: "LOCKED",
      message: `another process took over ${taken}`,
      hint: "run the same command again",
    });
    expect(await readdir(site.directory)).toContain(basename(taken));
    expect(await readFile(taken, "utf8")).toBe("another process's");
  });

  it("that became the target meanwhile is not cut short by the one that slept", async () => {
    await left(site.bytes);
    site.faults.on({ ...BLOB, times: 1 }, async (exchange) => {
      const taken = await running();
      await link(taken, site.target);
      await rm(taken);
      await exchange.forward();
    });
    await writeFile(partial, Buffer.from(site.bytes).fill(0, 5, 6));
    expect(await failureOf(site.pull())).toMatchObject({ code: "LOCKED" });
    expect((await site.content()).length).toBe(site.bytes.length);
  });
});

describe("a full disk", () => {
  let mounted: string | undefined;
  beforeEach(async () => {
    await site[Symbol.asyncDispose]();
    site = await downloadSite(madeImage(3 * 1024 * 1024));
    const directory = join(site.directory, "small");
    await mkdir(directory);
    mounted = await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", directory]).then(
      () => directory,
      () => undefined,
    );
    if (mounted === undefined) console.warn("full disks are not tried: no tmpfs can be mounted here");
  });
  afterEach(async () => {
    if (mounted !== undefined) await run("umount", [mounted]);
  });

  it("is noticed before a byte is asked for", async ({ skip }) => {
    if (mounted === undefined) return skip();
    await writeFile(join(mounted, "hog"), Buffer.alloc(1_200_000));
    expect(await failureOf(site.pull({ target: join(mounted, "x.sif") }))).toEqual({
      code: "DISK",
      message: expect.stringMatching(
        new RegExp(`^${mounted} has room for \\d+ bytes; ${site.bytes.length} more are needed$`),
      ),
      hint: `df -h ${mounted}`,
    });
    expect(site.faults.requests).toEqual([]);
    expect(await readdir(mounted)).toEqual(["hog"]);
  });

  it("in mid download is said, and what is there can be gone on from", async ({ skip }) => {
    if (mounted === undefined) return skip();
    const hog = join(mounted, "hog");
    const target = join(mounted, "x.sif");
    site.faults.on({ ...BLOB, times: 1 }, async (exchange) => {
      await writeFile(hog, Buffer.alloc(2_500_000));
      await exchange.forward();
    });
    expect(await failureOf(site.pull({ target }))).toEqual({
      code: "DISK",
      message: `no more can be written to ${mounted}: the disk is full`,
      hint: `df -h ${mounted}`,
    });
    const size = (await readJournal(partialPath(target, site.image.digest)))?.done.bytes ?? 0;
    expect(size).toBeGreaterThan(1_000_000);
    expect(site.story).toContain(
      `info: x.sif: ${formatPart(size, site.bytes.length)} are kept; the same command goes on from there`,
    );
    await rm(hog);
    expect(await site.pull({ target })).toMatchObject({ outcome: "resumed", transferred: site.bytes.length - size });
    expect((await readFile(target)).equals(site.bytes)).toBe(true);
    expect(await readdir(mounted)).toEqual(["x.sif"]);
  });
});

it("holds no bytes back from the disk when it is stopped", async () => {
  site.faults.on({ ...BLOB, times: 1 }, stall({ after: 123_456 }));
  site.faults.on(BLOB, reply(403));
  expect(await failureOf(site.pull())).toMatchObject({ code: "FORBIDDEN" });
  expect((await readFile(await running())).equals(site.bytes.subarray(0, 123_456))).toBe(true);
});
