import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { finalTarget, writeFileAtomic } from "../../src/transfer/atomic.ts";
import { withLock } from "../../src/transfer/lock.ts";
import { lifeOf, newOwner } from "../../src/transfer/owner.ts";
import { readSmallFile } from "../../src/transfer/small-file.ts";
import { bundleScript } from "../support/bundle.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-atomic-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (...names: string[]): string => join(folder, ...names);
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

async function failure(work: Promise<unknown>): Promise<SregistryError> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SregistryError)) throw error;
  return error;
}

describe("writeFileAtomic", () => {
  it("makes a private file and leaves nothing beside it", async () => {
    await writeFileAtomic(at("file"), "text\n");
    expect(await readFile(at("file"), "utf8")).toBe("text\n");
    expect(await modeOf(at("file"))).toBe(0o600);
    expect(await readdir(folder)).toEqual(["file"]);
  });

  it.each([0o600, 0o640, 0o664, 0o755])("keeps mode %o of the file it replaces, by a new inode", async (mode) => {
    await writeFile(at("file"), "old");
    await chmod(at("file"), mode);
    const before = await stat(at("file"));
    await writeFileAtomic(at("file"), "new");
    expect(await readFile(at("file"), "utf8")).toBe("new");
    expect(await modeOf(at("file"))).toBe(mode);
    expect((await stat(at("file"))).ino).not.toBe(before.ino);
  });

  it("lets the caller choose the mode by the old one", async () => {
    await writeFile(at("file"), "old", { mode: 0o644 });
    const seen: (number | undefined)[] = [];
    const mode = (existing: number | undefined): number => {
      seen.push(existing);
      return 0o400;
    };
    await writeFileAtomic(at("file"), "new", { mode });
    await writeFileAtomic(at("fresh"), "new", { mode });
    expect(seen).toEqual([0o644, undefined]);
    expect([await modeOf(at("file")), await modeOf(at("fresh"))]).toEqual([0o400, 0o400]);
  });

  it.runIf(getuid?.() === 0)("keeps the owner", async () => {
    const { chown } = await import("node:fs/promises");
    await writeFile(at("file"), "old");
    await chown(at("file"), 1234, 4321);
    await writeFileAtomic(at("file"), "new");
    const { uid, gid } = await stat(at("file"));
    expect([uid, gid]).toEqual([1234, 4321]);
  });

  it("writes through symbolic links, also to a file that does not exist yet", async () => {
    await mkdir(at("dotfiles"));
    await writeFile(at("dotfiles", "real"), "old");
    await symlink("dotfiles/real", at("middle"));
    await symlink(at("middle"), at("link"));
    await symlink("dotfiles/later", at("dangling"));
    await writeFileAtomic(at("link"), "new");
    await writeFileAtomic(at("dangling"), "first");
    expect(await readFile(at("dotfiles", "real"), "utf8")).toBe("new");
    expect(await readFile(at("dotfiles", "later"), "utf8")).toBe("first");
    expect([await readlink(at("middle")), await readlink(at("link"))]).toEqual(["dotfiles/real", at("middle")]);
    expect((await readdir(folder)).sort()).toEqual(["dangling", "dotfiles", "link", "middle"]);
    expect((await readdir(at("dotfiles"))).sort()).toEqual(["later", "real"]);
  });

  it("gives two names of one file one target", async () => {
    await mkdir(at("a"));
    await symlink("a", at("b"));
    await symlink("a/file", at("c"));
    const targets = await Promise.all([at("a", "file"), at("b", "file"), at("c")].map(finalTarget));
    expect(new Set(targets).size).toBe(1);
  });

  it("refuses links in a circle", async () => {
    await symlink("b", at("a"));
    await symlink("a", at("b"));
    const error = await failure(writeFileAtomic(at("a"), "x"));
    expect([error.code, error.message]).toEqual(["CONFIG_INVALID", `${at("a")}: symbolic links that lead in a circle`]);
  });

  it("fails with DISK and leaves the directory as it was", async () => {
    await mkdir(at("directory"));
    await writeFile(at("plain"), "");
    const cases = [
      [at("none", "file"), "its directory does not exist"],
      [at("directory"), "it is a directory"],
      [at("plain", "file"), "a part of the path is no directory"],
    ] as const;
    for (const [path, words] of cases) {
      const error = await failure(writeFileAtomic(path, "x"));
      expect([error.code, error.message]).toEqual(["DISK", `${path} cannot be written: ${words}`]);
    }
    expect((await readdir(folder)).sort()).toEqual(["directory", "plain"]);
  });
});

describe("readSmallFile", () => {
  it("drops a byte order mark and gives nothing for no file", async () => {
    await writeFile(at("file"), "\ufeff{}");
    expect((await readSmallFile(at("file")))?.text).toBe("{}");
    expect(await readSmallFile(at("none"))).toBeUndefined();
    expect(await readSmallFile(at("file", "below"))).toBeUndefined();
  });

  it("says what is wrong with a file", async () => {
    await writeFile(at("latin"), Buffer.from([0x68, 0xe9]));
    await writeFile(at("long"), "x".repeat(1024 * 1024 + 1));
    await symlink("loop", at("loop"));
    const messages = await Promise.all(
      ["latin", "long", "loop", "."].map(async (name) => (await failure(readSmallFile(at(name)))).message),
    );
    expect(messages).toEqual([
      `${at("latin")} is not text in UTF-8`,
      `${at("long")} is longer than 1 MiB, so it is no configuration of ours`,
      `${at("loop")} cannot be read: symbolic links that lead in a circle`,
      `${at(".")} cannot be read: it is a directory`,
    ]);
  });
});

/** Adds one to the number in a file under the lock, as often as it is told: a lost update shows in the sum. */
const WORKER = `
import { readFileSync, writeFileSync } from "node:fs";
import { withLock } from "./src/transfer/lock.ts";
const [lock, file, times] = process.argv.slice(2);
for (let i = 0; i < Number(times); i += 1) {
  await withLock(lock, async () => {
    const value = Number(readFileSync(file, "utf8"));
    await new Promise((done) => setTimeout(done, 1));
    writeFileSync(file, String(value + 1));
  });
}
`;

describe("withLock", () => {
  const lock = (): string => at(".file.lock");

  it("lets one in at a time and leaves nothing behind", async () => {
    let inside = 0;
    let most = 0;
    const work = async (index: number): Promise<number> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((done) => setTimeout(done, 1));
      inside -= 1;
      return index;
    };
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => withLock(lock(), () => work(index))));
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it("loses no update of several processes", async () => {
    await writeFile(at("number"), "0");
    await bundleScript(WORKER, at("worker.mjs"));
    const ends = Array.from({ length: 5 }, async () => {
      const child = spawn(process.execPath, [at("worker.mjs"), lock(), at("number"), "10"], { stdio: "inherit" });
      return (await once(child, "close"))[0];
    });
    expect(await Promise.all(ends)).toEqual([0, 0, 0, 0, 0]);
    expect(await readFile(at("number"), "utf8")).toBe("50");
    expect((await readdir(folder)).sort()).toEqual(["number", "worker.mjs"]);
  });

  it("gives the lock back when the work fails", async () => {
    const failed = withLock(lock(), async () => {
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    expect(await withLock(lock(), async () => "yes")).toBe("yes");
  });

  it("takes over from a process that is gone", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "close");
    await writeFile(lock(), JSON.stringify({ ...(await newOwner()), pid: child.pid }));
    const results = await Promise.all([1, 2, 3].map((index) => withLock(lock(), async () => index)));
    expect(results).toEqual([1, 2, 3]);
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves no second name of the lock of a process that was killed", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "close");
    const owner = { ...(await newOwner()), pid: child.pid };
    await writeFile(lock(), JSON.stringify(owner));
    await link(lock(), `${lock()}.${owner.id}`);
    await withLock(lock(), async () => undefined);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is given up at once by a caller that is told to stop while another one of its process works", async () => {
    const stop = new AbortController();
    const [working, finished] = [new EventEmitter(), new EventEmitter()];
    const started = once(working, "now");
    const first = withLock(lock(), async () => {
      working.emit("now");
      await once(finished, "now");
    });
    await started;
    const second = withLock(lock(), async () => "second", { signal: stop.signal });
    const third = withLock(lock(), async () => "third");
    stop.abort(new Error("stop"));
    await expect(second).rejects.toMatchObject({ code: "INTERRUPTED" });
    finished.emit("now");
    await first;
    expect(await third).toBe("third");
  });

  it("takes over from a pid that was given again", async () => {
    const owner = await newOwner();
    if (owner.start === undefined) return;
    await writeFile(lock(), JSON.stringify({ ...owner, start: "1" }));
    expect(await withLock(lock(), async () => "mine")).toBe("mine");
  });

  it.each([
    ["another host", { host: "elsewhere", pid: 1 }],
    ["another boot or container of this host", { host: hostname(), place: "other" }],
    ["a crash in the middle of a write", undefined],
  ])("waits for %s while it gives signs of life, and no longer", async (_, changes) => {
    const text = changes === undefined ? "" : JSON.stringify({ ...(await newOwner()), ...changes });
    await writeFile(lock(), text);
    const error = await failure(withLock(lock(), async () => "mine", { timeoutMs: 50 }));
    expect(error.code).toBe("LOCKED");
    expect(await readFile(lock(), "utf8")).toBe(text);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock(), longAgo, longAgo);
    expect(await withLock(lock(), async () => "mine")).toBe("mine");
    expect(await readdir(folder)).toEqual([]);
  });

  it("waits for another host whose lock stays as old as it is, while its claim shows life (no hard links there)", async () => {
    const owner = { ...(await newOwner()), host: "elsewhere", pid: 1 };
    await writeFile(lock(), JSON.stringify(owner));
    await writeFile(`${lock()}.${owner.id}`, JSON.stringify(owner));
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock(), longAgo, longAgo);
    const error = await failure(withLock(lock(), async () => "mine", { timeoutMs: 50 }));
    expect(error.code).toBe("LOCKED");
    await utimes(`${lock()}.${owner.id}`, longAgo, longAgo);
    expect(await withLock(lock(), async () => "mine")).toBe("mine");
    expect(await readdir(folder)).toEqual([]);
  });

  it("never takes over from a process that lives, however long ago", async () => {
    const owner = await newOwner();
    await writeFile(lock(), JSON.stringify(owner));
    const longAgo = new Date(Date.now() - 600_000);
    await utimes(lock(), longAgo, longAgo);
    expect(await lifeOf(owner)).toBe("lives");
    const error = await failure(withLock(lock(), async () => "mine", { timeoutMs: 50 }));
    expect(error.message).toBe(`${lock()} is held by process ${process.pid} on ${hostname()}: waited 0 s`);
    expect(await readdir(folder)).toEqual([".file.lock"]);
  });

  it("stops waiting when it is told to", async () => {
    await writeFile(lock(), JSON.stringify(await newOwner()));
    const stop = new AbortController();
    const waiting = withLock(lock(), async () => "mine", { signal: stop.signal });
    stop.abort(new SregistryError("INTERRUPTED", "interrupted"));
    await expect(waiting).rejects.toThrow();
    expect(await readdir(folder)).toEqual([".file.lock"]);
  });

  it("says so where no lock can be made", async () => {
    const error = await failure(withLock(at("none", ".lock"), async () => "mine"));
    expect([error.code, error.message]).toEqual([
      "DISK",
      `${at("none", ".lock")} cannot be written: its directory does not exist`,
    ]);
    expect(await lstat(folder)).toBeTruthy();
  });
});
