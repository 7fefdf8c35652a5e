/** The built program and its image cache: many processes, one download, and nothing wrong ever given out. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, chmod, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BLOB, madeImage } from "../support/download.ts";
import { type Faults, startFaults } from "../support/faults.ts";
import { finished, type Run, type Served, User } from "../support/program.ts";

const MIB = 1024 * 1024;
const execute = promisify(execFile);

let user: User;
let served: Served;
let faults: Faults;
let image: Buffer;
let hex: string;
let reference: string;
/** The same by its manifest's digest. */
let pinned: string;

beforeEach(async () => {
  user = await User.create();
  image = madeImage(8 * MIB);
  hex = createHash("sha256").update(image).digest("hex");
  await writeFile(user.path("made.sif"), image);
  const pushed = await user.run(["-q", "push", "made.sif", "local://lab/image:1"]);
  expect(pushed).toMatchObject({ status: 0, stderr: "" });
  served = await user.serve();
  faults = await startFaults({ upstream: new URL(served.url) });
  reference = `oras://${faults.host}/lab/image:1`;
  pinned = `oras://${faults.host}/lab/image@${/sha256:[0-9a-f]{64}/.exec(pushed.stdout)?.[0]}`;
});
afterEach(async () => {
  await faults.close();
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const cache = (...names: readonly string[]) => user.path("cache", ...names);
const inCache = () => ({ env: { SREGISTRY_CACHEDIR: cache() } });
const entry = () => cache("sha256", hex.slice(0, 2), `${hex}.sif`);
const run = (...words: readonly string[]): Promise<Run> => user.run(["-q", ...words], inCache());
const exactly = (stdout: string, stderr = ""): Run => ({ status: 0, stdout, stderr });

/** Bytes of images that left the server; at most `bytesPerSecond`. */
function countBytes(bytesPerSecond = Number.POSITIVE_INFINITY): { bytes: number } {
  const count = { bytes: 0 };
  faults.on(BLOB, (exchange) =>
    exchange.forward({
      responseBody: new Transform({
        transform(chunk: Buffer, _encoding, done) {
          count.bytes += chunk.length;
          setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1000);
        },
      }),
    }),
  );
  return count;
}

async function expectImage(path: string): Promise<void> {
  expect(
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex"),
  ).toBe(hex);
}

it("forty processes that want one image cause one download", async () => {
  const sent = countBytes(16 * MIB);
  await mkdir(user.path("files"));
  const runs = Array.from({ length: 40 }, (_, index) =>
    index % 2 === 0 ? run("get", reference) : run("pull", "-o", `files/${index}.sif`, reference),
  );
  const ended = await Promise.all(runs);
  expect(ended).toEqual(
    runs.map((_, index) => exactly(index % 2 === 0 ? `${entry()}\n` : `${user.path("files", `${index}.sif`)}\n`)),
  );
  expect(sent.bytes).toBe(image.length);
  await expectImage(entry());
  const files = await readdir(user.path("files"));
  expect(files).toHaveLength(20);
  for (const name of files) await expectImage(user.path("files", name));
  expect(await readdir(cache("filling"))).toEqual([]);
}, 120_000);

it("twelve processes that pull to one target with a cache leave one right file", async () => {
  const sent = countBytes();
  const words = ["pull", "-o", "one.sif", reference];
  const ended = await Promise.all(Array.from({ length: 12 }, () => run(...words)));
  expect(ended).toEqual(ended.map(() => exactly(`${user.path("one.sif")}\n`)));
  expect(sent.bytes).toBe(image.length);
  await expectImage(user.path("one.sif"));
  expect((await readdir(user.home)).filter((name) => name.startsWith(".one"))).toEqual([]);
});

it("a holder that is killed is taken over, with the bytes that it had", async () => {
  const sent = countBytes(6 * MIB);
  const holder = user.start(["get", reference], inCache());
  while (sent.bytes < 3 * MIB) await sleep(5);
  const waiting = user.start(["get", reference], inCache());
  await sleep(800);
  holder.kill("SIGKILL");
  await finished(holder);
  const { status, stdout } = await finished(waiting);
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${entry()}\n` });
  await expectImage(entry());
  const ranges = faults.requests.filter(({ path }) => BLOB.path.test(path)).map(({ headers }) => headers["range"]);
  expect(ranges.at(-1)).toMatch(/^bytes=[1-9]\d{5,}-/);
  expect(await readdir(cache("filling"))).toEqual([]);
});

it("changing the pulled file does not poison the cache", async () => {
  expect(await run("pull", "-o", "mine.sif", reference)).toEqual(exactly(`${user.path("mine.sif")}\n`));
  const [mine, theirs] = await Promise.all([stat(user.path("mine.sif")), stat(entry())]);
  expect(mine.ino).not.toBe(theirs.ino);
  expect({ mine: mine.nlink, mode: theirs.mode & 0o777 }).toEqual({ mine: 1, mode: 0o555 });
  await appendFile(user.path("mine.sif"), "a signature");
  await expectImage(entry());
  expect(await run("pull", "-o", "again.sif", pinned)).toMatchObject({ status: 0 });
  await expectImage(user.path("again.sif"));
});

it("a target that holds something else is a conflict, and one that is right is left alone", async () => {
  await writeFile(user.path("other.sif"), "mine");
  expect(await run("pull", "-o", "other.sif", reference)).toMatchObject({ status: 5, stdout: "" });
  expect(await readFile(user.path("other.sif"), "utf8")).toBe("mine");
  expect(await run("pull", "-F", "-o", "other.sif", reference)).toMatchObject({ status: 0 });
  const before = await stat(user.path("other.sif"));
  expect(await run("pull", "-o", "other.sif", reference)).toEqual(exactly(`${user.path("other.sif")}\n`));
  expect((await stat(user.path("other.sif"))).ino).toBe(before.ino);
});

it("nobody's home fills up unasked: a pull to a file uses the cache only where one is configured, or asked for", async () => {
  const plain = (...words: readonly string[]) => user.run(["-q", "pull", ...words, reference]);
  expect(await plain("-o", "a.sif")).toMatchObject({ status: 0 });
  expect(await run("pull", "--no-cache", "-o", "b.sif", reference)).toMatchObject({ status: 0 });
  expect((await run("cache", "list")).stdout + (await user.run(["cache", "list"])).stdout).toBe("");
  expect(await plain("--cache", "-o", "c.sif")).toMatchObject({ status: 0 });
  expect((await user.run(["cache", "list"])).stdout.split("\t")[0]).toBe(`sha256:${hex}`);
});

it("a pin that is in the cache needs no request, a tag one", async () => {
  expect(await run("get", reference)).toMatchObject({ status: 0 });
  faults.clear();
  expect(await run("get", pinned)).toEqual(exactly(`${entry()}\n`));
  expect(await run("pull", "-o", "pinned.sif", pinned)).toMatchObject({ status: 0 });
  expect(faults.count()).toBe(0);
  expect(await run("get", reference)).toEqual(exactly(`${entry()}\n`));
  expect(faults.count(BLOB)).toBe(0);
  expect(faults.count({ path: /\/manifests\// })).toBeGreaterThan(0);
});

it("--offline opens no connection: pins and remembered names are given out, others refused", async () => {
  expect(await run("pull", "--cache-only", reference)).toEqual(exactly(`${entry()}\n`));
  faults.clear();
  expect(await run("--offline", "get", pinned)).toEqual(exactly(`${entry()}\n`));
  const warning = `warning: offline: ${reference} is taken for sha256:${hex}, which it was 0 minutes ago; it may be another one by now\n`;
  expect(await run("--offline", "get", reference)).toEqual(exactly(`${entry()}\n`, warning));
  expect(await run("--offline", "pull", "-o", "x.sif", reference)).toEqual(exactly(`${user.path("x.sif")}\n`, warning));
  const other = `oras://${faults.host}/lab/image:2`;
  expect(await run("--offline", "get", other)).toEqual({
    status: 3,
    stdout: "",
    stderr: `error: ${other} is not in the cache, and --offline opens no connection
hint: once with a connection: sregistry pull --cache-only ${other}; a name is remembered, and a pin (@sha256:...) is sure
`,
  });
  expect(faults.count()).toBe(0);
});

it("--cache-only fetches ahead from a list, and prints where each is", async () => {
  await writeFile(user.path("list.txt"), `# ahead\n${reference}\n${pinned}\n`);
  expect(await run("pull", "--cache-only", "--from-file", "list.txt")).toEqual(exactly(`${entry()}\n${entry()}\n`));
  expect(await run("pull", "--cache-only", "-o", "x.sif", reference)).toMatchObject({ status: 2, stdout: "" });
});

it.each([
  ["cut short", (path: string) => truncate(path, 1000)],
  [
    "of the right size, and other bytes",
    async (path: string) => {
      const { atime, mtime } = await stat(path);
      await writeFile(path, Buffer.alloc(image.length, 1));
      await utimes(path, atime, mtime);
    },
  ],
])("an entry that is %s is fetched again by itself", async (_how, damage) => {
  expect(await run("get", reference)).toMatchObject({ status: 0 });
  await chmod(entry(), 0o755);
  await damage(entry());
  expect(await run("get", reference)).toMatchObject({ status: 0, stdout: `${entry()}\n` });
  await expectImage(entry());
});

it("a damaged entry is never copied to a target", async () => {
  expect(await run("get", reference)).toMatchObject({ status: 0 });
  await chmod(entry(), 0o755);
  await writeFile(entry(), Buffer.alloc(image.length, 1));
  expect(await run("--offline", "pull", "-o", "x.sif", pinned)).toMatchObject({ status: 3, stdout: "" });
  expect((await readdir(user.home)).filter((name) => name.includes("x.sif"))).toEqual([]);
  expect(await run("pull", "-o", "x.sif", pinned)).toMatchObject({ status: 0 });
  await expectImage(user.path("x.sif"));
});

it("a cache that cannot take the image is passed by, and said so; get cannot do without", async () => {
  await writeFile(user.path("full"), "");
  const env = { SREGISTRY_CACHEDIR: user.path("full", "cache") };
  expect(await user.run(["-q", "pull", "-o", "x.sif", reference], { env })).toEqual(
    exactly(
      `${user.path("x.sif")}\n`,
      `warning: the cache is passed by: ${join(env.SREGISTRY_CACHEDIR, "filling")} cannot be written: a part of the path is no directory\n`,
    ),
  );
  await expectImage(user.path("x.sif"));
  expect(await user.run(["-q", "get", reference], { env })).toMatchObject({ status: 7, stdout: "" });
});

it("a copy that a full disk has no room for is exit 7, names the directory, and leaves nothing", async ({ skip }) => {
  const small = user.path("small");
  await mkdir(small);
  const mounted = await execute("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]).then(
    () => true,
    () => false,
  );
  if (!mounted) return skip("no tmpfs can be mounted here");
  try {
    expect(await run("get", reference)).toMatchObject({ status: 0 });
    expect(await run("pull", "-o", join(small, "x.sif"), reference)).toEqual({
      status: 7,
      stdout: "",
      stderr: `error: no more can be written to ${small}: the disk is full\nhint: df -h ${small}\n`,
    });
    expect(await readdir(small)).toEqual([]);
    await expectImage(entry());
  } finally {
    await execute("umount", [small]);
  }
});

it("a file system that is read-only is exit 7 and no internal error: of a cache, of remote.yaml, of our configuration", async ({
  skip,
}) => {
  const fixed = user.path("fixed");
  await mkdir(fixed);
  const mounted = await execute("mount", ["-t", "tmpfs", "tmpfs", fixed]).then(
    () => true,
    () => false,
  );
  if (!mounted) return skip("no tmpfs can be mounted here");
  try {
    for (const name of ["cache", "sregistry"]) await mkdir(join(fixed, name));
    await execute("mount", ["-o", "remount,ro", fixed]);
    const refused = (what: string) => ({
      status: 7,
      stdout: "",
      stderr: expect.stringMatching(
        `^error: ${fixed}/${what}.* cannot be written: the file system is read-only\nhint: `,
      ),
    });
    const env = {
      SREGISTRY_CACHEDIR: join(fixed, "cache"),
      SINGULARITY_CONFIGDIR: fixed,
      XDG_CONFIG_HOME: fixed,
    };
    expect(await user.run(["-q", "get", reference], { env })).toEqual(refused("cache/"));
    expect(
      await user.run(["-q", "remote", "add", "--no-login", "lab", "https://library.example.org"], { env }),
    ).toEqual(refused(".remote.yaml.lock"));
    expect(await user.run(["-q", "remote", "add", "oc", "oras://127.0.0.1:9/x"], { env })).toEqual(
      refused("sregistry/.config.yaml.lock"),
    );
    expect(await run("-q", "pull", "-o", join(fixed, "x.sif"), reference)).toEqual({
      status: 7,
      stdout: "",
      stderr: expect.stringContaining("the file system is read-only"),
    });
  } finally {
    await execute("umount", [fixed]);
  }
});

it("a directory beside is read and never written: by digest, and by size among plain files", async () => {
  const aside = user.path("site");
  await mkdir(aside);
  await writeFile(join(aside, "other.sif"), Buffer.alloc(image.length));
  await writeFile(join(aside, "tool-1.0.sif"), image);
  await chmod(aside, 0o555);
  const env = { ...inCache().env, SREGISTRY_CACHE_LOOKASIDE: `${user.path("nowhere")}:${aside}` };
  const sent = countBytes();
  const get = (...words: readonly string[]) => user.run(["-q", ...words], { env });
  expect(await get("get", reference)).toEqual(exactly(`${join(aside, "tool-1.0.sif")}\n`));
  expect(await get("pull", "-o", "copy.sif", reference)).toMatchObject({ status: 0 });
  await expectImage(user.path("copy.sif"));
  // Remembered, so that the digest is enough from now on.
  expect(await get("--offline", "get", pinned)).toEqual(exactly(`${join(aside, "tool-1.0.sif")}\n`));
  expect(sent.bytes).toBe(0);
  expect((await readdir(aside)).sort()).toEqual(["other.sif", "tool-1.0.sif"]);
  await chmod(aside, 0o755);
});

it("cache verify hashes everything, removes what is damaged, and names it", async () => {
  await run("get", reference);
  expect(await run("cache", "verify")).toEqual(exactly(`intact\t${entry()}\n`));
  await chmod(entry(), 0o755);
  await writeFile(entry(), "not it");
  expect(await run("cache", "verify")).toEqual({
    status: 6,
    stdout: `damaged\t${entry()}\n`,
    stderr: `error: an entry is damaged, and no longer in the cache: ${entry()}
hint: the next get or pull fetches them again
`,
  });
  expect(await run("cache", "verify")).toEqual(exactly(""));
});

it("cache prune lets the least recently used go, and never what was just used", async () => {
  await writeFile(user.path("second.sif"), madeImage(MIB));
  await user.run(["-q", "push", "second.sif", "local://lab/second:1"]);
  await run("get", reference);
  expect(await run("cache", "prune", "--max-size", "0")).toEqual(exactly(""));
  const second = (await run("get", `oras://${faults.host}/lab/second:1`)).stdout.trim();
  expect(await run("cache", "prune", "--max-size", "1T", "--older-than", "1d")).toEqual(exactly(""));
  const hourAgo = new Date(Date.now() - 3_600_000);
  for (const path of [entry(), entry().replace(/sif$/, "used")]) await utimes(path, hourAgo, hourAgo);
  const listed = (await run("cache", "list")).stdout
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  expect(listed.map(([digest, size, , name]) => [digest, size, name])).toContainEqual([
    `sha256:${hex}`,
    String(image.length),
    reference,
  ]);
  expect(await run("cache", "prune", "--max-size", "9M", "--dry-run")).toEqual(exactly(`${entry()}\n`));
  expect(await run("cache", "prune", "--max-size", "9M")).toEqual(exactly(`${entry()}\n`));
  expect((await run("cache", "list")).stdout.split("\n")).toHaveLength(2);
  await run("get", reference);
  // Used again, so that nothing of the cache has to go for its age.
  expect(await run("cache", "prune", "--older-than", "1h")).toEqual(exactly(""));
  expect(await run("cache", "prune")).toMatchObject({ status: 2 });
  expect(await run("cache", "clean")).toMatchObject({ status: 2 });
  expect((await run("cache", "clean", "--force")).stdout.split("\n").sort()).toEqual(["", entry(), second].sort());
  expect(await run("cache", "list")).toEqual(exactly(""));
  expect(await run("get", reference)).toEqual(exactly(`${entry()}\n`));
});

it("where locks hold nobody back, what is given out is right all the same", async () => {
  await writeFile(
    user.path("lie.mjs"),
    `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
const { link } = fs.promises;
fs.promises.link = (from, to) => link(from, to).catch((error) => {
  if (error.code !== "EEXIST" || !to.endsWith(".lock")) throw error;
});
syncBuiltinESMExports();
`,
  );
  const env = { ...inCache().env, NODE_OPTIONS: `--import ${user.path("lie.mjs")}` };
  countBytes(24 * MIB);
  const ended = await Promise.all(
    Array.from({ length: 8 }, () => user.run(["-q", "get", "--progress", "none", reference], { env })),
  );
  expect(ended.filter(({ status }) => status !== 0 && status !== 75)).toEqual([]);
  expect(ended.filter(({ status }) => status === 0).map(({ stdout }) => stdout)).toContain(`${entry()}\n`);
  expect(new Set(ended.map(({ stdout }) => stdout).filter((text) => text !== ""))).toEqual(new Set([`${entry()}\n`]));
  await expectImage(entry());
  expect(await run("get", reference)).toEqual(exactly(`${entry()}\n`));
});
