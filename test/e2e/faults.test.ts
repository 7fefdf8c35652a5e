/** The built program against signals, broken networks, wrong bytes and full disks: what a user finds afterwards. */
import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { formatPart } from "../../src/units.ts";
import { BLOB, madeImage } from "../support/download.ts";
import { type Fault, type Faults, redirectTo, reply, startFaults, wrongByte } from "../support/faults.ts";
import { finished, type Served, User } from "../support/program.ts";

const MIB = 1024 * 1024;
const run = promisify(execFile);

let user: User;
let served: Served;
let faults: Faults;
let image: Buffer;
let reference: string;

beforeEach(async () => {
  user = await User.create();
  image = madeImage(8 * MIB);
  await writeFile(user.path("made.sif"), image);
  expect(await user.run(["-q", "push", "made.sif", "local://lab/image:1"])).toMatchObject({ status: 0, stderr: "" });
  served = await user.serve();
  faults = await startFaults({ upstream: new URL(served.url) });
  reference = `oras://${faults.host}/lab/image:1`;
  await mkdir(user.path("images"));
});
afterEach(async () => {
  await faults.close();
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const pullWords = () => ["pull", "-o", "images/x.sif", reference];
const target = () => user.path("images", "x.sif");
const files = async () => (await readdir(user.path("images"))).sort();

async function expectImage(): Promise<void> {
  expect((await readFile(target())).equals(image)).toBe(true);
}

/** Bytes of answers (or of requests) that went through the proxy. */
interface Meter {
  bytes: number;
  /** Resolves when `bytes` have gone through. */
  reached(bytes: number): Promise<void>;
  readonly answers: Fault;
  readonly requests: Fault;
}

/** `bytesPerSecond` and no more; where `until` is set, nothing after so many bytes. */
function meter(bytesPerSecond: number, until = Number.POSITIVE_INFINITY): Meter {
  const gauge = () =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (made.bytes >= until) return;
        made.bytes += chunk.length;
        setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1000);
      },
    });
  const made: Meter = {
    bytes: 0,
    async reached(bytes) {
      while (made.bytes < bytes) await sleep(2);
    },
    answers: (exchange) => exchange.forward({ responseBody: gauge() }),
    requests: (exchange) => exchange.forward({ requestBody: gauge() }),
  };
  return made;
}

/** Bytes on the disk that the next pull can go on from. */
async function sizeOnDisk(): Promise<number> {
  const journal = (await files()).find((name) => /^\.x\.sif\.part-[0-9a-f]{16}\.json$/.test(name));
  if (journal === undefined) return 0;
  const { done }: { readonly done: readonly (readonly [number, number])[] } = JSON.parse(
    await readFile(user.path("images", journal), "utf8"),
  );
  return done.reduce((sum, [start, end]) => sum + end - start, 0);
}

/** Looks at the final name all the time: whatever is there has to be the image. */
function watchTarget(): { stop(): Promise<{ readonly seen: number; readonly wrong: number }> } {
  let watching = true;
  const counts = { seen: 0, wrong: 0 };
  const watch = (async () => {
    while (watching) {
      const there = await readFile(target()).catch(() => undefined);
      if (there !== undefined) counts.seen += 1;
      if (there !== undefined && !there.equals(image)) counts.wrong += 1;
      await sleep(3);
    }
  })();
  return {
    async stop() {
      watching = false;
      await watch;
      return counts;
    },
  };
}

it("pull: killed at any moment, the name never shows wrong bytes, and nothing that the journal tells is fetched again", async () => {
  const watcher = watchTarget();
  let onDisk = 0;
  for (const moment of [1, 1.5 * MIB, 4 * MIB, 4 * MIB]) {
    const wire = meter(24 * MIB);
    faults.clear();
    faults.on(BLOB, wire.answers);
    const child = user.start(pullWords());
    await wire.reached(moment);
    child.kill("SIGKILL");
    expect(await finished(child)).toMatchObject({ status: "SIGKILL", stdout: "" });
    expect(faults.requests.filter(({ path }) => BLOB.path.test(path)).map(({ headers }) => headers["range"])).toEqual([
      onDisk === 0 ? undefined : `bytes=${onDisk}-${image.length - 1}`,
    ]);
    onDisk = await sizeOnDisk();
  }
  expect(onDisk).toBeGreaterThan(0);
  const wire = meter(Number.POSITIVE_INFINITY);
  faults.clear();
  faults.on(BLOB, wire.answers);
  expect(await user.run(pullWords())).toMatchObject({ status: 0, stdout: `${target()}\n` });
  expect(wire.bytes).toBe(image.length - onDisk);
  const { wrong } = await watcher.stop();
  expect(wrong).toBe(0);
  await expectImage();
});

it.each([
  ["SIGTERM", 143, "terminated"],
  ["SIGINT", 130, "interrupted"],
] as const)("pull: %s keeps what is there, and the same command goes on", async (signal, status, word) => {
  const wire = meter(64 * MIB, 3 * MIB);
  faults.on({ ...BLOB, times: 1 }, wire.answers);
  const child = user.start(pullWords());
  const ended = finished(child);
  await wire.reached(3 * MIB);
  child.kill(signal);
  const stopped = await ended;
  expect(stopped).toMatchObject({ status, stdout: "" });
  const kept = await sizeOnDisk();
  expect(kept).toBeGreaterThan(2 * MIB);
  expect(stopped.stderr).toContain(
    `x.sif: ${formatPart(kept, image.length)} are kept; the same command goes on from there\n`,
  );
  expect(stopped.stderr).toContain(word);
  expect(await files()).toEqual([
    expect.stringMatching(/^\.x\.sif\.part-[0-9a-f]{16}\.[0-9a-f-]{36}$/),
    expect.stringMatching(/^\.x\.sif\.part-[0-9a-f]{16}\.json$/),
  ]);
  const again = await user.run(["--json", ...pullWords()]);
  expect(again.status).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({
    images: [{ path: target(), outcome: "resumed", transferred: image.length - kept }],
  });
  expect(await files()).toEqual(["x.sif"]);
  await expectImage();
});

it("pull: eight processes that want one file download it once", async () => {
  faults.on(BLOB, meter(16 * MIB).answers);
  const runs = await Promise.all(Array.from({ length: 8 }, () => user.run(["-q", ...pullWords()])));
  for (const one of runs) expect(one).toEqual({ status: 0, stdout: `${target()}\n`, stderr: "" });
  expect(faults.count(BLOB)).toBe(1);
  expect(await files()).toEqual(["x.sif"]);
  await expectImage();
});

it("pull: the process that waits goes on when the one that downloads is killed", async () => {
  const wire = meter(64 * MIB, 3 * MIB);
  faults.on({ ...BLOB, times: 1 }, wire.answers);
  const first = user.start(pullWords());
  await wire.reached(3 * MIB);
  const second = user.start(pullWords());
  const ended = finished(second);
  await said(second, /waiting for process \d+ on /);
  first.kill("SIGKILL");
  const { status, stderr } = await ended;
  expect(status).toBe(0);
  expect(stderr).toContain(`waiting for process ${first.pid} on `);
  expect(stderr).toMatch(/x\.sif: resuming at \d+\.\d MiB\n/);
  await expectImage();
});

it("pull: one wrong byte is exit 6, and no file", async () => {
  faults.on(BLOB, wrongByte(5 * MIB));
  const { status, stdout, stderr } = await user.run(["-q", ...pullWords()]);
  expect([status, stdout]).toEqual([6, ""]);
  expect(stderr).toMatch(/should have digest sha256:[0-9a-f]{64}, and its bytes have sha256:[0-9a-f]{64}\n/);
  expect(await files()).toEqual([]);
});

it("pull: a server that goes away is exit 75, and what came is kept", async () => {
  const wire = meter(64 * MIB, 2 * MIB);
  faults.on({ ...BLOB, times: 1 }, wire.answers);
  const child = user.start(["-q", ...pullWords()]);
  const ended = finished(child);
  await wire.reached(2 * MIB);
  await sleep(100);
  await faults.close();
  const { status, stdout, stderr } = await ended;
  expect([status, stdout]).toEqual([75, ""]);
  expect(stderr).toContain(faults.host);
  expect(await sizeOnDisk()).toBeGreaterThan(MIB);
});

it("pull: a blob that is elsewhere is fetched there without the login", async () => {
  const storage = await startFaults({ upstream: new URL(served.url) });
  try {
    await writeFile(
      user.path("auth.json"),
      JSON.stringify({ auths: { [faults.host]: { auth: Buffer.from("dora:very-secret").toString("base64") } } }),
    );
    faults.on(
      { when: ({ headers }) => headers["authorization"] === undefined },
      reply(401, { headers: { "www-authenticate": 'Basic realm="lab"' } }),
    );
    faults.on(
      BLOB,
      redirectTo((path) => `${storage.url.origin}${path}?sig=signed`),
    );
    const { status, stderr } = await user.run(["--debug", "--authfile", "auth.json", ...pullWords()]);
    expect(status).toBe(0);
    expect(faults.requests.at(-1)?.headers["authorization"]).toMatch(/^Basic /);
    expect(storage.requests.map(({ headers }) => [headers["authorization"], headers["cookie"]])).toEqual([
      [undefined, undefined],
    ]);
    expect(stderr).not.toMatch(/very-secret|ZG9yYTp2|signed/);
    await expectImage();
  } finally {
    await storage.close();
  }
});

it("pull: a full disk is exit 7, names the directory, and leaves nothing", async ({ skip }) => {
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", user.path("images")]).then(
    () => true,
    () => false,
  );
  if (!mounted) {
    console.warn("a full disk is not tried: no tmpfs can be mounted here");
    return skip();
  }
  try {
    const before = await user.run(["-q", ...pullWords()]);
    expect([before.status, before.stdout]).toEqual([7, ""]);
    expect(before.stderr).toMatch(
      new RegExp(`${user.path("images")} has room for \\d+ bytes; ${image.length} more are needed\\n`),
    );
    expect(await files()).toEqual([]);
    expect(faults.count(BLOB)).toBe(0);
  } finally {
    await run("umount", [user.path("images")]);
  }
});

it("push: stopped on the way, the same command goes on, and the bytes are right", async () => {
  const size = 150 * MIB;
  await using file = await open(user.path("large.sif"), "w+");
  await file.write(image);
  await file.truncate(size);
  const name = `oras://${faults.host}/lab/large:1`;
  const wire = meter(400 * MIB);
  faults.on({ method: "PATCH" }, wire.requests);
  const child = user.start(["push", "large.sif", name]);
  const ended = finished(child);
  await wire.reached(80 * MIB);
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ status: 143, stdout: "" });
  const sent = (): number => faults.requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  faults.clear();
  const again = await user.run(["--json", "push", "large.sif", name]);
  expect(again.status).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ transfer: "resumed", size });
  expect(again.stderr).toMatch(/ holds \d+ bytes of an interrupted push; going on from there\n/);
  expect(sent()).toBeLessThan(size - 60 * MIB);
  const pulled = await user.run(["--json", "pull", "-o", "images/large.sif", name]);
  const { images } = JSON.parse(pulled.stdout);
  expect(images[0]).toMatchObject({ size, digest: JSON.parse(again.stdout).digest });
});

function said(child: ChildProcess, words: RegExp): Promise<void> {
  return new Promise((done) => {
    let text = "";
    child.stderr?.on("data", (more: string) => {
      text += more;
      if (words.test(text)) done();
    });
  });
}
