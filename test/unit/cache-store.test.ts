/** The image cache on real directories: who may read, what is believed, what goes. */
import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { umask } from "node:process";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cache, createCache } from "../../src/cache/cache.ts";
import { chooseEntries, clean, prune } from "../../src/cache/prune.ts";
import type { Listed } from "../../src/cache/survey.ts";
import { verifyEntries } from "../../src/cache/verify.ts";
import { type Digest, digestHex, digestOf } from "../../src/reference/digest.ts";
import { newOwner } from "../../src/transfer/owner.ts";
import { BLOB, callThatTells, type DownloadSite, downloadSite } from "../support/download.ts";
import { slow } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

let site: DownloadSite;
let root: string;
let digest: Digest;

beforeEach(async () => {
  site = await downloadSite();
  digest = digestOf(site.bytes);
  root = await mkdtemp(join(tmpdir(), "sregistry-cache-"));
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const open = (more: Partial<Parameters<typeof createCache>[0]> = {}): Promise<Cache> =>
  createCache({ directory: join(root, "cache"), ownNotes: join(root, "own"), ...more });

const key = () => ({ digest, size: site.bytes.length, label: "image" });

function fetch(cache: Cache, call = callThatTells(site.story)) {
  const { registry, image } = site;
  return cache.fetch({ registry, image: { ...image, digest }, label: "image", call });
}

const find = (cache: Cache, story: string[] = []) => cache.find(key(), callThatTells(story));

const copy = (cache: Cache, target: string, force = false) =>
  cache.copy(key(), { target, force }, callThatTells(site.story));

const mode = async (...path: readonly string[]) => ((await stat(join(root, ...path))).mode & 0o7777).toString(8);

async function withUmask<T>(bits: number, work: () => Promise<T>): Promise<T> {
  const before = umask(bits);
  try {
    return await work();
  } finally {
    umask(before);
  }
}

const shard = () => digestHex(digest).slice(0, 2);
const entry = () => join(root, "cache", "sha256", shard(), `${digestHex(digest)}.sif`);

describe("who may read", () => {
  it("a cache is its owner's alone", async () => {
    await withUmask(0, async () => fetch(await open()));
    expect(await Promise.all([mode("cache"), mode("cache", "sha256", shard()), mode("cache", "filling")])).toEqual(
      Array(3).fill("700"),
    );
    expect((await stat(entry())).mode & 0o777).toBe(0o555);
  });

  it("a shared one is its group's, whatever the umask is", async () => {
    const note = { image: digest, architecture: "amd64", reference: "lab/image:1", pins: [digest], name: undefined };
    await withUmask(0o077, async () => {
      const cache = await open({ shared: true });
      await fetch(cache);
      await cache.note(note);
    });
    const directories = ["", "sha256", join("sha256", shard()), "filling", "notes", join("notes", "pins")];
    expect(await Promise.all(directories.map((name) => mode("cache", name)))).toEqual(Array(6).fill("2775"));
    expect((await stat(entry())).mode & 0o777).toBe(0o555);
    expect((await stat(entry().replace(/sif$/, "used"))).mode & 0o777).toBe(0o664);
  });

  it("its locks can be read by those who wait for them", async () => {
    site.faults.on(BLOB, slow(8 * 1024 * 1024));
    const lock = join("cache", "filling", `.${digestHex(digest)}.lock`);
    const modes = new Set<string>();
    await withUmask(0o077, async () => {
      const filling = fetch(await open({ shared: true }));
      while ((await Promise.race([filling, new Promise((done) => setTimeout(done, 5))])) === undefined) {
        await mode(lock).then(
          (found) => modes.add(found),
          () => undefined,
        );
      }
    });
    expect([...modes]).toEqual(["644"]);
  });

  it("a directory that an administrator made for a group is shared without being told", async () => {
    await mkdir(join(root, "cache"));
    await chmod(join(root, "cache"), 0o2775);
    expect((await open()).shared).toBe(true);
    await chmod(join(root, "cache"), 0o755);
    expect((await open()).shared).toBe(false);
  });
});

describe("what is believed", () => {
  it("an entry is hashed once, and again when the file is not the one that was hashed", async () => {
    const cache = await open();
    await fetch(cache);
    const story: string[] = [];
    expect(await find(cache, story)).toMatchObject({ path: entry(), checked: true });
    expect(story).toEqual([]);
    await utimes(entry(), new Date(), new Date());
    expect(await find(cache, story)).toMatchObject({ path: entry(), checked: true });
    expect(story).toEqual(["state: verifying", "task: done"]);
  });

  it("what others can write is noted where they cannot", async () => {
    await mkdir(join(root, "cache"));
    await chmod(join(root, "cache"), 0o777);
    expect((await open()).notes.directory).toBe(join(root, "own"));
    await chmod(join(root, "cache"), 0o755);
    expect((await open()).notes.directory).toBe(join(root, "cache", "notes"));
  });

  it("a pin counts only as said of that very digest, and by nobody but its owner", async () => {
    const cache = await open();
    const other = digestOf("other");
    const note = { image: digest, architecture: undefined, reference: "lab/image:1", name: "lab/image:1" };
    await cache.note({ ...note, pins: [digest] });
    expect(await cache.known({ pin: digest })).toMatchObject({ image: digest });
    expect(await cache.known({ name: "lab/image:1" })).toMatchObject({ image: digest });
    expect(await cache.known({ name: "lab/image:2" })).toBeUndefined();
    const pins = join(root, "cache", "notes", "pins");
    const file = (of: Digest) => join(pins, digestHex(of).slice(0, 2), `sha256-${digestHex(of)}.json`);
    await mkdir(dirname(file(other)), { recursive: true });
    await copyFile(file(digest), file(other));
    expect(await cache.known({ pin: other })).toBeUndefined();
    await chmod(file(digest), 0o664);
    expect(await cache.known({ pin: digest })).toBeUndefined();
    await writeFile(file(digest), "{");
    await chmod(file(digest), 0o644);
    expect(await cache.known({ pin: digest })).toBeUndefined();
  });

  it("a damaged entry makes no file, and comes anew", async () => {
    const cache = await open();
    await fetch(cache);
    await chmod(entry(), 0o755);
    await writeFile(entry(), Buffer.alloc(site.bytes.length));
    expect(await copy(cache, site.target)).toBeUndefined();
    expect(await site.files()).toEqual([]);
    expect(await fetch(cache)).toMatchObject({ outcome: "downloaded", transferred: site.bytes.length });
    expect(await copy(cache, site.target)).toEqual({ outcome: "copied", size: site.bytes.length });
    expect((await site.content()).equals(site.bytes)).toBe(true);
  });

  it("verify finds what changed, and removes it", async () => {
    const cache = await open();
    await fetch(cache);
    const verified = async () => {
      const all = [];
      for await (const { intact, removed } of verifyEntries(cache, callThatTells([]))) all.push({ intact, removed });
      return all;
    };
    expect(await verified()).toEqual([{ intact: true, removed: false }]);
    await chmod(entry(), 0o755);
    await writeFile(entry(), "?");
    expect(await verified()).toEqual([{ intact: false, removed: true }]);
    expect(await verified()).toEqual([]);
  });
});

describe("a copy", () => {
  it("is a file of its own, with the mode that the umask leaves", async () => {
    const cache = await open();
    await fetch(cache);
    await withUmask(0o027, () => copy(cache, site.target));
    const found = await stat(site.target);
    expect({ mode: found.mode & 0o777, links: found.nlink }).toEqual({ mode: 0o750, links: 1 });
    expect(await site.files()).toEqual(["image.sif"]);
  });

  it("replaces nothing unasked, and takes away what a killed one left", async () => {
    const cache = await open();
    await fetch(cache);
    await writeFile(site.target, "mine");
    expect(await failureOf(copy(cache, site.target))).toMatchObject({ code: "CONFLICT" });
    expect(await site.content()).toEqual(Buffer.from("mine"));
    await writeFile(join(site.directory, `.image.sif.part-${"0".repeat(16)}.${randomUUID()}`), "torn");
    expect(await copy(cache, site.target, true)).toEqual({ outcome: "copied", size: site.bytes.length });
    expect(await site.files()).toEqual(["image.sif"]);
    expect(await copy(cache, site.target)).toEqual({ outcome: "present", size: site.bytes.length });
  });

  it("fails before anything is fetched where there is no directory", async () => {
    expect(await failureOf(copy(await open(), join(root, "no", "x.sif")))).toMatchObject({ code: "USAGE" });
  });
});

describe("a directory beside", () => {
  it.each([
    ["the layout of a cache", (hex: string) => join("sha256", hex.slice(0, 2), `${hex}.sif`)],
    ["the bare digest", (hex: string) => `${hex}.sif`],
    ["a library's digest", (hex: string) => `sha256.${hex}.sif`],
    ["any name", () => "tool.sif"],
  ])("is searched by %s", async (_how, name) => {
    const file = join(root, "site", name(digestHex(digest)));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, site.bytes);
    const cache = await open({ lookaside: [join(root, "site")] });
    expect(await find(cache)).toMatchObject({ path: file, foreign: true });
    await writeFile(file, Buffer.alloc(site.bytes.length));
    expect(await find(cache)).toBeUndefined();
    expect((await readFile(file)).equals(Buffer.alloc(site.bytes.length))).toBe(true);
  });

  it("of plain files is hashed once", async () => {
    await mkdir(join(root, "site"));
    await writeFile(join(root, "site", "a.sif"), Buffer.alloc(site.bytes.length));
    const cache = await open({ lookaside: [join(root, "site")] });
    const story: string[] = [];
    expect([await find(cache, story), await find(cache, story)]).toEqual([undefined, undefined]);
    expect(story).toEqual(["state: verifying", "task: fail"]);
  });
});

describe("prune", () => {
  it("keeps the most recently used within the size, and whatever was just used", () => {
    const entries = fc.array(fc.record({ size: fc.nat(100), used: fc.nat(10 * 60_000) }), { maxLength: 20 });
    fc.assert(
      fc.property(entries, fc.nat(500), fc.nat(10 * 60_000), (made, maxSize, olderThan) => {
        const now = 10 * 60_000;
        const all: Listed[] = made.map((one, index) => ({ ...one, path: `${index}`, digest: digestOf(`${index}`) }));
        const gone = new Set(chooseEntries(all, { maxSize, olderThan }, now));
        const stay = all.filter((one) => !gone.has(one));
        const free = stay.filter(({ used }) => now - used >= 60_000);
        expect([...gone].every(({ used }) => now - used >= 60_000)).toBe(true);
        expect(free.every(({ used }) => now - used <= olderThan)).toBe(true);
        if (free.length > 0) expect(stay.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(maxSize);
        const young = [...gone].filter(({ used }) => now - used <= olderThan);
        expect(young.every(({ used }) => stay.every((one) => one.used >= used || now - one.used < 60_000))).toBe(true);
      }),
    );
  });

  it("removes what the dead left in the making, and nothing that is being made", async () => {
    const cache = await open();
    await fetch(cache);
    const filling = (name: string) => join(root, "cache", "filling", name);
    const [dead, live, old, young] = ["a", "b", "c", "d"].map((letter) => letter.repeat(64));
    const owner = await newOwner();
    await writeFile(filling(`.${dead}.lock`), JSON.stringify({ ...owner, pid: 2 ** 22 + 1 }));
    await writeFile(filling(`.${live}.lock`), JSON.stringify(owner));
    const hourAgo = new Date(Date.now() - 3_700_000);
    for (const hex of [dead, live, old, young]) {
      await writeFile(filling(`.${hex}.sif.part-${"0".repeat(16)}`), "bytes");
      if (hex !== young) await utimes(filling(`.${hex}.sif.part-${"0".repeat(16)}`), hourAgo, hourAgo);
    }
    const { leftovers, justUsed } = await prune(cache, { maxSize: 0 });
    expect(justUsed.map(({ path }) => path)).toEqual([entry()]);
    expect(leftovers.map((path) => basename(path))).toEqual([
      `.${dead}.lock`,
      `.${dead}.sif.part-${"0".repeat(16)}`,
      `.${old}.sif.part-${"0".repeat(16)}`,
    ]);
    expect(await readdir(filling(""))).toHaveLength(3);
    expect(await find(cache)).toMatchObject({ path: entry() });
    expect((await clean(cache)).removed.map(({ path }) => path)).toEqual([entry()]);
    expect(await readdir(filling(""))).toHaveLength(2);
  });

  it("does nothing where there is no cache", async () => {
    expect(await prune(await open(), { maxSize: 0 })).toEqual({ removed: [], kept: [], justUsed: [], leftovers: [] });
    expect(await readdir(root)).toEqual([]);
  });
});
