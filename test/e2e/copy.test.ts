/** The built program copying between its own endpoints: what it prints, how it ends, and what it costs. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cutResponse, type Faults, reply, stall, startFaults, wrongByte } from "../support/faults.ts";
import { FIXTURES, finished, type Served, User } from "../support/program.ts";
import { makeSif } from "../support/sif.ts";

const MIB = 1024 * 1024;
const TINY = join(FIXTURES, "tiny.sif");
const OTHER = join(FIXTURES, "tiny_signed.sif");

let user: User;
let served: Served;
let other: Served;
let faults: Faults;

/** A repository of its own for each test. */
let repo: string;
let count = 0;

beforeAll(async () => {
  user = await User.create();
  [served, other] = await Promise.all([
    user.serve(["--store", user.path("one")]),
    user.serve(["--store", user.path("two")]),
  ]);
  faults = await startFaults({ upstream: new URL(served.url) });
});
beforeEach(() => {
  faults.clear();
  count += 1;
  repo = `lab/tool${count}`;
});
afterAll(async () => {
  await faults.close();
  await Promise.all([served.stop(), other.stop()]);
  await user[Symbol.asyncDispose]();
});

async function ok(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await user.run(["-q", ...words]);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}
const push = (file: string, tag: string) => ok("push", file, `oras://${served.host}/${repo}:${tag}`);
const digestOf = (line: string): string => line.trim().slice(line.indexOf("sha256:"));
const from = (tag = "") => `oras://${faults.host}/${repo}${tag}`;
const to = (tag = "") => `oras://${other.host}/${repo}${tag}`;

async function large(size: number): Promise<{ readonly file: string; readonly digest: string }> {
  const bytes = makeSif([{ type: 0x4004, name: "data", content: randomBytes(size) }]);
  await writeFile(user.path("large.sif"), bytes);
  return { file: user.path("large.sif"), digest: createHash("sha256").update(bytes).digest("hex") };
}

/** Bytes of the destination's unfinished upload. */
async function arrived(): Promise<number> {
  const uploads = user.path("two", repo, ".uploads");
  const ids = await readdir(uploads).catch(() => []);
  const sizes = await Promise.all(ids.map((id) => stat(join(uploads, id, "data")).catch(() => ({ size: 0 }))));
  return Math.max(0, ...sizes.map(({ size }) => size));
}

describe("one image", () => {
  it("prints the reference pinned by digest, as push does; then says that it is there", async () => {
    const pushed = await push(TINY, "1.0");
    expect(await user.run(["copy", from(":1.0"), to(), "--progress", "none"])).toEqual({
      status: 0,
      stdout: `${to()}@${digestOf(pushed)}\n`,
      stderr: "",
    });
    expect(await user.run(["copy", from(":1.0"), to(), "--progress", "none"])).toEqual({
      status: 0,
      stdout: `${to()}@${digestOf(pushed)}\n`,
      stderr: `${to(":1.0")} is this very image already; nothing was copied\n`,
    });
  });

  it("is pulled by every tag that was asked for, byte for byte", async () => {
    await push(TINY, "1.0");
    await ok("copy", from(":1.0"), to(":1.0"), "--tag", "1", "--tag", "latest");
    expect(await ok("list", to())).toBe(["1", "1.0", "latest"].map((tag) => `${to(`:${tag}`)}\n`).join(""));
    await ok("pull", "-F", "-o", "x.sif", to(":latest"));
    expect((await readFile(user.path("x.sif"))).equals(await readFile(TINY))).toBe(true);
  });

  it("is one document with --json", async () => {
    const pushed = await push(TINY, "1.0");
    const { stdout } = await user.run(["--json", "copy", from(":1.0"), `local://${repo}`, "--tag", "2"]);
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 1,
      source: from(":1.0"),
      references: [`local://${repo}:2`],
      outcome: "copied",
      transferred: expect.any(Number),
      pinned: `local://${repo}@${digestOf(pushed)}`,
    });
  });

  it("may come from an OCI registry to a Singularity Registry Server that is spoken to by --protocol hmac", async () => {
    await push(OTHER, "1");
    const words = [
      "--library",
      other.url,
      "--protocol",
      "hmac",
      "copy",
      "--dry-run",
      from(":1"),
      `library://${repo}:1`,
    ];
    const { status, stderr } = await user.run(words);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("--protocol")]);
  });

  it("is left where it is by --dry-run", async () => {
    await push(TINY, "1.0");
    expect(await ok("copy", "--dry-run", from(":1.0"), to(":2"))).toBe(
      `${from(":1.0")} would be copied to ${to(":2")}\n`,
    );
    expect(await user.run(["list", to()])).toMatchObject({ status: 3 });
    await ok("copy", from(":1.0"), to(":2"));
    expect(await ok("copy", "--dry-run", from(":1.0"), to(":2"))).toBe(`${from(":1.0")} is already at ${to(":2")}\n`);
  });

  it("leaves nothing on the disk on its way", async () => {
    await large(9 * MIB);
    await push("large.sif", "1.0");
    await mkdir(user.path("tmp"));
    const before = await readdir(user.home, { recursive: true });
    const { status } = await user.run(["-q", "copy", from(":1.0"), to()], { env: { TMPDIR: user.path("tmp") } });
    expect(status).toBe(0);
    const ours = (names: readonly string[]) => names.filter((name) => !name.startsWith("two"));
    expect(ours(await readdir(user.home, { recursive: true }))).toEqual(ours(before));
  });

  it("ends with 6 and no tag when the source's bytes are wrong, 75 when it stays away, 3 when there is none", async () => {
    await large(9 * MIB);
    await push("large.sif", "1.0");
    faults.on({ method: "GET", path: /blobs/ }, wrongByte(5 * MIB));
    const wrong = await user.run(["copy", from(":1.0"), to(), "--progress", "none"]);
    expect(wrong).toMatchObject({ status: 6, stdout: "" });
    expect(wrong.stderr).toMatch(
      /^error: source: blob sha256:\w+ of oras:.* should have the digest sha256:\w+, and its/,
    );
    expect(await user.run(["list", to()])).toMatchObject({ status: 3 });
    faults.clear();
    faults.on({ method: "GET", path: /blobs/ }, reply(503, { headers: { "retry-after": "9999" } }));
    const away = await user.run(["copy", from(":1.0"), to(), "--progress", "none"]);
    expect(away).toMatchObject({ status: 75, stderr: expect.stringMatching(/^error: source: /) });
    faults.clear();
    expect(await user.run(["copy", from(":none"), to()])).toMatchObject({ status: 3 });
  });

  it("goes on after a broken connection, and says so with -v", async () => {
    const { digest } = await large(9 * MIB);
    await push("large.sif", "1.0");
    faults.on({ method: "GET", path: new RegExp(digest), times: 1 }, cutResponse({ after: 2 * MIB, how: "rst" }));
    const { status, stderr } = await user.run(["-v", "copy", from(":1.0"), `local://${repo}`]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/try 1 of 5 failed, again in .* s: reading /);
    await ok("pull", "-F", "-o", "x.sif", `local://${repo}:1.0`);
    expect(
      createHash("sha256")
        .update(await readFile(user.path("x.sif")))
        .digest("hex"),
    ).toBe(digest);
  });

  it("stops at once on Ctrl-C, exit 130, and nothing is tagged; the same command goes on from there", async () => {
    const { digest } = await large(9 * MIB);
    await push("large.sif", "1.0");
    faults.on({ method: "GET", path: new RegExp(digest) }, stall({ after: 4 * MIB }));
    const child = user.start(["copy", from(":1.0"), to(), "--progress", "none"]);
    const run = finished(child);
    while ((await arrived()) < 2 * MIB) await sleep(5);
    child.kill("SIGINT");
    expect(await run).toMatchObject({ status: 130, stdout: "", stderr: expect.stringMatching(/error: interrupted\n/) });
    expect(await user.run(["list", to()])).toMatchObject({ status: 3 });
    faults.clear();
    expect(await user.run(["copy", from(":1.0"), to()])).toMatchObject({ status: 0 });
    const ranges = faults.requests.filter(({ path }) => path.endsWith(digest)).map(({ headers }) => headers["range"]);
    expect(ranges).toEqual([expect.stringMatching(/^bytes=[1-9]\d{6,}-/)]);
  });

  it("keeps memory flat, however large it is", async () => {
    const head = makeSif([{ type: 0x4004, name: "data", content: "x" }]);
    const file = await open(user.path("huge.sif"), "w");
    await file.write(head);
    await file.truncate(256 * MIB);
    await file.close();
    await push("huge.sif", "1.0");
    const script = `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(user.path("rss"))}, String(process.resourceUsage().maxRSS)))`;
    await writeFile(user.path("rss.cjs"), script);
    const env = { NODE_OPTIONS: `--require ${user.path("rss.cjs")}` };
    const { status } = await user.run(["-q", "copy", from(":1.0"), to()], { env });
    expect(status).toBe(0);
    expect(Number(await readFile(user.path("rss"), "utf8")) / 1024).toBeLessThan(160);
  });
});

describe("a repository with --all", () => {
  it("is mirrored: a line a tag, the sum on stderr, and nothing to do the next time", async () => {
    const one = digestOf(await push(TINY, "1"));
    const two = digestOf(await push(OTHER, "2"));
    expect(await user.run(["copy", "--all", from(), to(), "--progress", "none"])).toEqual({
      status: 0,
      stdout: `1\tcopied\t${to()}@${one}\n2\tcopied\t${to()}@${two}\n`,
      stderr: `${from()} to ${to()}: 2 copied, 0 updated, 0 same\n`,
    });
    await push(OTHER, "1");
    expect(await user.run(["copy", "--all", from(), to(), "--progress", "none"])).toEqual({
      status: 0,
      stdout: `1\tupdated\t${to()}@${two}\n2\tsame\t${to()}@${two}\n`,
      stderr: `${from()} to ${to()}: 0 copied, 1 updated, 1 same\n`,
    });
  });

  it("ends at the first tag where the destination wants a login: the others would fail alike", async () => {
    for (const tag of ["1", "2", "3"]) await push(TINY, tag);
    const wants = await startFaults({ upstream: new URL(other.url) });
    const login = reply(401, { headers: { "www-authenticate": 'Basic realm="there"' } });
    wants.on({ method: "POST" }, login);
    const run = await user.run(["copy", "--all", from(), `oras://${wants.host}/${repo}`, "--progress", "none"]);
    expect(run).toMatchObject({ status: 4, stdout: "1\tfailed\t\n" });
    expect(run.stderr).toContain("the other tags are left: they would fail alike");
    await wants.close();
  });

  it("goes on after a tag that fails, and ends with the worst status", async () => {
    const one = digestOf(await push(TINY, "1"));
    await large(MIB);
    await push("large.sif", "2");
    const three = digestOf(await push(OTHER, "3"));
    const broken = createHash("sha256")
      .update(await readFile(user.path("large.sif")))
      .digest("hex");
    faults.on({ method: "GET", path: new RegExp(broken) }, wrongByte(MIB));
    const run = await user.run([
      "copy",
      "--all",
      from(),
      to(),
      "--tag",
      "1",
      "--tag",
      "none",
      "--tag",
      "2",
      "--tag",
      "3",
    ]);
    expect(run.status).toBe(6);
    expect(run.stdout).toBe(`1\tcopied\t${to()}@${one}\nnone\tfailed\t\n2\tfailed\t\n3\tcopied\t${to()}@${three}\n`);
    expect(run.stderr).toMatch(/warning: none: source: .* is not there/);
    expect(run.stderr).toMatch(/: 2 copied, 0 updated, 0 same, 2 failed\n/);
    expect(run.stderr).toMatch(
      /error: 2 of 4 tags of oras:.*\/lab\/tool\d+ were not copied; the worst: source: blob sha256/,
    );
  });

  it("is one document with --json", async () => {
    await push(TINY, "1");
    const run = await user.run(["--json", "copy", "--all", from(), `local://${repo}`, "--tag", "1", "--tag", "9"]);
    expect(run.status).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({
      schemaVersion: 1,
      images: [
        { tag: "1", outcome: "copied", references: [`local://${repo}:1`] },
        { tag: "9", outcome: "failed", error: { code: "NOT_FOUND", exit: 3 } },
      ],
      summary: { copied: 1, updated: 0, same: 0, failed: 1 },
    });
  });
});

it.each([
  [["copy", "oras://h.example/a:1"], "<destination> is missing"],
  [["copy", "--all", "oras://h.example/a:1", "local://a"], "oras://h.example/a:1 names one image, and --all copies"],
  [["copy", "local://a:1", `local://b@sha256:${"0".repeat(64)}`], "is named by digest, which is the copy's to tell"],
])("refuses %j", async (words, message) => {
  const run = await user.run(words);
  expect(run).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining(message) });
});
