/** The small parts of the transfer room: digests of prefixes, sources, readers by ranges, saved sessions. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import { digestOfFile, hashPrefix } from "../../src/transfer/hash-file.ts";
import { registryReader } from "../../src/transfer/registry-reader.ts";
import { createUploadSessions } from "../../src/transfer/sessions.ts";
import { BLOB, callThatTells, downloadSite, madeImage } from "../support/download.ts";
import { cutResponse, ignoreRange, reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";

const MIB = 1024 * 1024;
const signal = new AbortController().signal;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-files-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe("digests of what is on disk", () => {
  it("is the digest of the first bytes, wherever the blocks end", async () => {
    const bytes = madeImage(3 * MIB);
    const path = join(directory, "x");
    await writeFile(path, bytes);
    await using file = await open(path, "r");
    const edges = fc.constantFrom(
      0,
      1,
      MIB - 1,
      MIB,
      MIB + 1,
      2 * MIB,
      bytes.length - 1,
      bytes.length,
      bytes.length + 9,
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(edges, fc.nat(bytes.length + 10)), async (size) => {
        const hash = createHash("sha256");
        const told: number[] = [];
        const read = await hashPrefix(file, size, hash, { signal, name: path, told: (offset) => told.push(offset) });
        const there = bytes.subarray(0, size);
        expect(read).toBe(there.length);
        expect(told.at(-1) ?? 0).toBe(there.length);
        expect(hash.digest("hex")).toBe(createHash("sha256").update(there).digest("hex"));
        const expected = size <= bytes.length ? digestOf(there, "sha512") : undefined;
        expect(await digestOfFile(file, size, "sha512", { signal, name: path })).toBe(expected);
      }),
      { numRuns: 25 },
    );
  });

  it("stops when told to, and says what cannot be read", async () => {
    await using file = await open(directory, "r");
    expect(await failureOf(hashPrefix(file, 9, createHash("sha256"), { signal, name: directory }))).toEqual({
      code: "DISK",
      message: `${directory} cannot be read: EISDIR: illegal operation on a directory`,
      hint: `ls -ld ${directory}`,
    });
    const path = join(directory, "x");
    await writeFile(path, "x");
    await using other = await open(path, "r");
    const options = { signal: AbortSignal.abort(), name: path };
    expect(await failureOf(hashPrefix(other, 1, createHash("sha256"), options))).toMatchObject({ code: "INTERRUPTED" });
  });
});

describe("a file as the source of a push", () => {
  const path = () => join(directory, "x.sif");
  beforeEach(() => writeFile(path(), "0123456789"));

  it("is read from anywhere to anywhere, again and again", async () => {
    const source = await openFileSource(path());
    expect(source.size).toBe(10);
    expect((await bytesOf(source.open(0))).toString()).toBe("0123456789");
    expect((await bytesOf(source.open(3, 7))).toString()).toBe("3456");
    expect((await bytesOf(source.open(10))).toString()).toBe("");
    expect((await bytesOf(source.open(4, 4))).toString()).toBe("");
    await source.unchanged();
    expect((await openFileSource(path())).identity).toBe(source.identity);
  });

  it.each([
    ["grew", () => appendFile(path(), "!")],
    ["shrank", () => truncate(path(), 5)],
    ["was written with the same length", () => writeFile(path(), "abcdefghij")],
    [
      "was written and set back in time",
      async () => {
        const { atime, mtime } = await stat(path());
        await writeFile(path(), "abcdefghij");
        await utimes(path(), atime, mtime);
      },
    ],
    [
      "was replaced",
      async () => {
        await writeFile(`${path()}.new`, "0123456789");
        await rename(`${path()}.new`, path());
      },
    ],
  ])("notices that it %s", async (_what, change) => {
    const source = await openFileSource(path());
    // Times of change tick every few milliseconds.
    await new Promise((done) => setTimeout(done, 20));
    await change();
    expect(await failureOf(source.unchanged())).toEqual({
      code: "INTEGRITY",
      message: `${path()} changed while it was being pushed; nothing was tagged`,
      hint: "push it again when nothing writes to it",
    });
    expect((await openFileSource(path())).identity).not.toBe(source.identity);
  });

  it("is there, and a regular file", async () => {
    const source = await openFileSource(path());
    await rm(path());
    const gone = { code: "NOT_FOUND", message: `there is no file ${path()}`, hint: undefined };
    expect(await failureOf(source.unchanged())).toEqual(gone);
    expect(await failureOf(openFileSource(path()))).toEqual(gone);
    expect(await failureOf(fileReader(path()))).toEqual(gone);
    expect(await failureOf(openFileSource(directory))).toMatchObject({
      code: "USAGE",
      message: `${directory} is a directory; an image is one file`,
    });
    expect(await failureOf(openFileSource("/dev/null"))).toMatchObject({
      code: "USAGE",
      message: "/dev/null is no regular file; an image is one file",
    });
  });

  it("is read by image/ in pieces, the last one short", async () => {
    await using reader = await fileReader(path());
    expect([reader.size, reader.name]).toEqual([10, "x.sif"]);
    expect(Buffer.from(await reader.read(2, 5)).toString()).toBe("234");
    expect(Buffer.from(await reader.read(8, 20)).toString()).toBe("89");
  });
});

describe("an image at an endpoint, read by ranges", () => {
  it("gets exactly what was asked for, whatever the server does", async () => {
    await using site = await downloadSite(madeImage(200_000));
    const reader = registryReader(site.registry, site.image, callThatTells([]), { base: 1, cap: 2 });
    const expected = site.bytes.subarray(1000, 5000);
    const read = async () => Buffer.from(await reader.read(1000, 5000)).equals(expected);
    expect([reader.size, reader.name]).toEqual([site.bytes.length, `oras://${site.faults.host}/lab/image:1`]);
    expect(await read()).toBe(true);
    expect(site.ranges()).toEqual(["bytes=1000-4999"]);
    expect(await reader.read(7, 7)).toEqual(new Uint8Array(0));
    site.faults.on({ ...BLOB, times: 1 }, ignoreRange);
    expect(await read()).toBe(true);
    site.faults.on({ ...BLOB, times: 2 }, cutResponse({ after: 17 }));
    expect(await read()).toBe(true);
    site.faults.on({ ...BLOB, times: 1 }, reply(503));
    expect(await read()).toBe(true);
    site.faults.on(BLOB, cutResponse({ after: 100, how: "rst" }));
    expect(await failureOf(reader.read(1000, 5000))).toMatchObject({ code: "NETWORK" });
  });

  it("needs the size", async () => {
    await using site = await downloadSite(madeImage(1));
    const unsized = { ...site.image, size: undefined };
    expect(await failureOf((async () => registryReader(site.registry, unsized, callThatTells([])))())).toEqual({
      code: "UNSUPPORTED",
      message: `registry ${site.faults.host} does not tell the size of oras://${site.faults.host}/lab/image:1`,
      hint: undefined,
    });
  });
});

describe("saved upload sessions", () => {
  const key = { origin: "https://r.example", repository: "lab/x", source: "1:2:3" };
  const session = { location: "https://r.example/v2/lab/x/blobs/uploads/1?_state=secret", offset: 4096 };
  const state = () => join(directory, "state", "uploads");

  it("come back for the same bytes at the same place alone", async () => {
    const sessions = createUploadSessions(state());
    expect(await sessions.load(key)).toBeUndefined();
    await sessions.save(key, session);
    expect(await createUploadSessions(state()).load(key)).toEqual(session);
    expect(await sessions.load({ ...key, origin: "https://other.example" })).toBeUndefined();
    expect(await sessions.load({ ...key, repository: "lab/y" })).toBeUndefined();
    expect(await sessions.load({ ...key, source: "1:2:4" })).toBeUndefined();
    await sessions.save(key, { ...session, offset: 8192 });
    expect(await sessions.load(key)).toEqual({ ...session, offset: 8192 });
    await sessions.forget(key);
    await sessions.forget(key);
    expect(await sessions.load(key)).toBeUndefined();
    expect(await readdir(state())).toEqual([]);
  });

  it("are private: a Location may be signed", async () => {
    const before = process.umask(0);
    try {
      await createUploadSessions(state()).save(key, session);
    } finally {
      process.umask(before);
    }
    const [name = ""] = await readdir(state());
    expect((await stat(join(state(), name))).mode & 0o777).toBe(0o600);
    expect((await stat(state())).mode & 0o777).toBe(0o700);
    expect(name).toMatch(/^[0-9a-f]{64}\.json$/);
  });

  it("end after a week, when no server knows them any more", async () => {
    let now = 1_000_000;
    const sessions = createUploadSessions(state(), () => now);
    await sessions.save(key, session);
    now += 7 * 24 * 3600 * 1000 - 1;
    expect(await sessions.load(key)).toEqual(session);
    now += 1;
    expect(await sessions.load(key)).toBeUndefined();
  });

  it("that are a week old are swept when another one is kept", async () => {
    await createUploadSessions(state()).save(key, session);
    const [old = ""] = await readdir(state());
    await utimes(join(state(), old), 1, 1);
    await createUploadSessions(state()).save({ ...key, source: "4:5:6" }, session);
    const left = await readdir(state());
    expect([left.length, left.includes(old)]).toEqual([1, false]);
  });

  it("of a process that lives are neither replaced nor removed by another that pushes the same bytes", async () => {
    const sessions = createUploadSessions(state());
    await sessions.save(key, session);
    const path = join(state(), (await readdir(state()))[0] ?? "");
    const entry: { owner: object } = JSON.parse(await readFile(path, "utf8"));
    const busy = JSON.stringify({ ...entry, owner: { ...entry.owner, host: "another" } });
    await writeFile(path, busy);
    await sessions.save(key, { ...session, offset: 1 });
    await sessions.forget(key);
    expect(await readFile(path, "utf8")).toBe(busy);
  });

  it("are nothing to others while a process that lives is at them", async () => {
    const saved = Date.now();
    const sessions = createUploadSessions(state(), () => saved + 30_000);
    await sessions.save(key, session);
    const path = join(state(), (await readdir(state()))[0] ?? "");
    const entry: { owner: object } = JSON.parse(await readFile(path, "utf8"));
    const left = async (owner: object, age: number) => {
      await writeFile(
        path,
        JSON.stringify({ ...entry, saved: saved + 30_000 - age, owner: { ...entry.owner, ...owner } }),
      );
      return (await sessions.load(key)) !== undefined;
    };
    const sleeper = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    try {
      const stat = await readFile(`/proc/${sleeper.pid}/stat`, "utf8");
      const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
      expect(await left({ pid: sleeper.pid, start }, 3_600_000)).toBe(false);
      // The pid was given to another process since.
      expect(await left({ pid: sleeper.pid, start: "1" }, 0)).toBe(true);
    } finally {
      sleeper.kill();
    }
    expect(await left({ host: "another" }, 59_000)).toBe(false);
    expect(await left({ host: "another" }, 61_000)).toBe(true);
    expect(await left({}, 0)).toBe(true);
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["torn", Buffer.from('{"location":"https://r.exam')],
    ["zeros", Buffer.alloc(300)],
    ["no text", Buffer.from([0xff, 0xfe, 0x00, 0xd8])],
    ["another version's", Buffer.from('{"location":1,"offset":-1,"saved":"yesterday"}')],
    ["far too long", Buffer.alloc(2 * MIB, " ")],
  ])("that a crash left %s are none", async (_what, content) => {
    const sessions = createUploadSessions(state());
    await sessions.save(key, session);
    const [name = ""] = await readdir(state());
    await writeFile(join(state(), name), content);
    expect(await sessions.load(key)).toBeUndefined();
    await sessions.save(key, session);
    expect(await sessions.load(key)).toEqual(session);
  });

  it("say where they cannot be kept", async () => {
    await mkdir(join(directory, "state"));
    await writeFile(state(), "a file");
    const sessions = createUploadSessions(state());
    expect(await sessions.load(key)).toBeUndefined();
    expect(await failureOf(sessions.save(key, session))).toMatchObject({ code: "DISK" });
  });
});
