/** Several images at once: bars on a terminal, lines in a log, and what happens when some of them fail. */
import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { type Readable, Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLOB, madeImage } from "../support/download.ts";
import { type Fault, type Faults, reply, stall, startFaults } from "../support/faults.ts";
import { finished, PROGRAM, type Served, User } from "../support/program.ts";
import { Picture } from "../support/screen.ts";

const MIB = 1024 * 1024;

let user: User;
let served: Served;
let faults: Faults;
let images: Readonly<Record<"one" | "two" | "three", Buffer>>;

beforeEach(async () => {
  user = await User.create();
  images = { one: madeImage(3 * MIB), two: madeImage(2 * MIB), three: madeImage(MIB) };
  for (const [name, bytes] of Object.entries(images)) {
    await writeFile(user.path("made.sif"), bytes);
    expect(await user.run(["-q", "push", "made.sif", `local://lab/${name}:1`])).toMatchObject({
      status: 0,
      stderr: "",
    });
  }
  served = await user.serve();
  faults = await startFaults({ upstream: new URL(served.url) });
});
afterEach(async () => {
  await faults.close();
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const at = (name: string): string => `oras://${faults.host}/lab/${name}:1`;
const path = (name: string): string => user.path(`${name}_1.sif`);
const sifs = async () => (await readdir(user.home)).filter((name) => name.endsWith("_1.sif")).sort();

async function watched(seen: () => Promise<boolean>): Promise<void> {
  while (!(await seen())) await sleep(5);
}

/** Lets `bytes` of an answer through, and the rest when it is opened. */
function gate(bytes: number): { readonly fault: Fault; readonly reached: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  let arrived: () => void = () => undefined;
  const opened = new Promise<void>((done) => {
    open = done;
  });
  const reached = new Promise<void>((done) => {
    arrived = done;
  });
  const valve = (): Transform => {
    let seen = 0;
    return new Transform({
      async transform(chunk: Buffer, _encoding, done) {
        seen += chunk.length;
        if (seen >= bytes) {
          arrived();
          await opened;
        }
        done(null, chunk);
      },
    });
  };
  return { fault: (exchange) => exchange.forward({ responseBody: valve() }), reached, open };
}

function blobOf(name: keyof typeof images) {
  return { ...BLOB, path: new RegExp(`/lab/${name}/blobs/`) };
}

/** Everything a process has written so far, and a wait for more. */
class Story {
  text = "";
  #changed: () => void = () => undefined;

  constructor(stream: Readable | null) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
      this.#changed();
    });
  }

  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      await new Promise<void>((done) => {
        this.#changed = done;
      });
    }
  }
}

/** The program on a terminal of its own (util-linux's script), of 80 columns. */
function inTerminal(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = ["stty cols 80 rows 24;", process.execPath, PROGRAM, ...words].join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: user.home,
    env: { PATH: process.env["PATH"], HOME: user.home, TERM: "xterm", LANG: "C.UTF-8", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const story = new Story(child.stdout);
  const ended = new Promise<string>((done) => child.once("close", () => done(story.text)));
  return { story, ended, type: (keys: string) => void child.stdin.write(keys) };
}

/** How long it took, and how fast that was, is the machine's. */
const calm = (text: string): string => text.replace(/ in \d+s( \([\d.]+ [KMG]iB\/s\))?/g, " in Ns");

describe("several references", () => {
  it("come at once, and their paths in the order of the command line", async () => {
    const slow = gate(MIB);
    faults.on(blobOf("one"), slow.fault);
    const child = user.start(["-q", "pull", at("one"), at("two"), at("three")]);
    const ended = finished(child);
    await slow.reached;
    // The last one is there while the first one is still on its way.
    await watched(async () => (await sifs()).includes("three_1.sif"));
    slow.open();
    expect(await ended).toEqual({
      status: 0,
      stdout: `${path("one")}\n${path("two")}\n${path("three")}\n`,
      stderr: "",
    });
    for (const name of ["one", "two", "three"] as const) {
      expect((await readFile(path(name))).equals(images[name])).toBe(true);
    }
  });

  it("are summed up in one line", async () => {
    const { status, stderr } = await user.run(["pull", at("one"), at("two"), at("three")]);
    expect(status).toBe(0);
    expect(calm(stderr).split("\n").at(-2)).toBe("pulled 3 images, 6.0 MiB in Ns, verified");
    const again = await user.run(["pull", at("one"), at("two")]);
    expect(again.stderr).toBe(
      ["one", "two"].map((name) => `${path(name)} holds this image already; nothing to download\n`).join(""),
    );
  });

  it("that would be one file are refused before anything is fetched", async () => {
    const { status, stdout, stderr } = await user.run(["pull", at("one"), `oras://${served.host}/lab/one:1`]);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr:
        `error: ${at("one")} and oras://${served.host}/lab/one:1 would both be ${path("one")}\n` +
        "hint: pull one of them by itself, with --output\n",
    });
    expect(faults.requests).toEqual([]);
  });

  it("keep what is there when they are interrupted, each of them", async () => {
    const slow = gate(MIB);
    faults.on(BLOB, slow.fault);
    const child = user.start(["--progress", "json", "pull", at("one"), at("two")]);
    const story = new Story(child.stderr);
    const ended = finished(child);
    for (const name of ["one", "two"]) {
      await story.said(new RegExp(`"event":"progress","name":"${name}_1.sif","image":"${at(name)}","offset":[1-9]`));
    }
    child.kill("SIGINT");
    const { status, stdout, stderr } = await ended;
    slow.open();
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({ error: { code: "INTERRUPTED" } });
    faults.clear();
    const again = await user.run(["--json", "pull", at("one"), at("two")]);
    expect(JSON.parse(again.stdout)).toMatchObject({ images: [{ outcome: "resumed" }, { outcome: "resumed" }] });
  });
});

describe("a list in which some fail", () => {
  const LIST = () => `# tools\n${at("one")}\n\n${at("nope")}\n${at("three")}\n`;
  const REASON = () =>
    `${at("nope")} is not there, or not for you: Error response from ${faults.host}: NAME_UNKNOWN: there is no repository ` +
    `lab/nope (status 404, GET http://${faults.host}/v2/lab/nope/manifests/1)`;
  const HINT = () => {
    const lab = `oras://${faults.host}/lab`;
    return `${lab} has one, three, two: sregistry list ${lab}; if it is private: sregistry login ${faults.host}`;
  };

  it("brings the others, and tells the line of each failure", async () => {
    await writeFile(user.path("images.txt"), LIST());
    const { stderr, ...rest } = await user.run(["--progress", "none", "pull", "--from-file", "images.txt"]);
    expect(rest).toEqual({ status: 3, stdout: `${path("one")}\n${path("three")}\n` });
    expect(calm(stderr)).toBe(
      `warning: images.txt line 4: ${REASON()}\nhint: ${HINT()}\n` +
        "pulled 2 images, 4.0 MiB in Ns, verified; 1 failed\nerror: 1 of 3 images was not pulled\n",
    );
    expect(await sifs()).toEqual(["one_1.sif", "three_1.sif"]);
  });

  it("is a document of images and failures with --json", async () => {
    const run = await user.run(["--json", "-q", "pull", "--from-file", "-"], { input: LIST() });
    expect(run.status).toBe(3);
    expect(JSON.parse(run.stdout)).toEqual({
      schemaVersion: 1,
      images: ["one", "three"].map((name) => expect.objectContaining({ reference: at(name), verified: true })),
      failures: [
        {
          reference: at("nope"),
          where: "standard input line 4",
          error: { code: "NOT_FOUND", exit: 3, message: REASON(), hint: HINT() },
        },
      ],
    });
  });

  it("is refused as a whole where a line is no reference", async () => {
    await writeFile(user.path("images.txt"), `${at("one")}\n\nlab/two:1 # newest\n`);
    expect(await user.run(["pull", "--from-file", "images.txt"])).toEqual({
      status: 2,
      stdout: "",
      stderr:
        'error: images.txt line 3 has more than one word: "lab/two:1 # newest"\n' +
        "hint: one reference a line; a line that begins with # is passed over\n",
    });
    await writeFile(user.path("images.txt"), `${at("one")}\n\nLab/two\n`);
    expect((await user.run(["pull", "--from-file", "images.txt"])).stderr).toMatch(/^error: images\.txt line 3: /);
    expect(faults.requests).toEqual([]);
  });

  it("is refused once where its directory is missing, with a command that can be pasted", async () => {
    await writeFile(user.path("images.txt"), LIST());
    expect(await user.run(["pull", "--from-file", "images.txt", "--dir", "my images"])).toEqual({
      status: 2,
      stdout: "",
      stderr: `error: there is no directory ${user.path("my images")}\nhint: mkdir -p '${user.path("my images")}'\n`,
    });
    expect(faults.requests).toEqual([]);
  });

  it("is nothing without a reference, and says so", async () => {
    expect(await user.run(["pull", "--from-file", "-"], { input: "# none today\n" })).toEqual({
      status: 0,
      stdout: "",
      stderr: "warning: standard input names no image\n",
    });
  });

  it("is worth trying again only when all that failed is", async () => {
    faults.on({ path: /\/lab\/two\// }, reply(503, { headers: { "retry-after": "3600" } }));
    const run = await user.run(["-q", "pull", at("two"), at("three")]);
    expect(run).toMatchObject({ status: 75, stdout: `${path("three")}\n` });
    expect(run.stderr).toContain(
      "error: 1 of 2 images was not pulled\nhint: run the same command again: what is here already is left alone\n",
    );
    expect((await user.run(["-q", "pull", at("two"), at("nope")])).status).toBe(3);
  });
});

describe("failures that are looked into", () => {
  const CATALOG = { path: /\/_catalog/ };

  it("exit with the status of the first one named, however long its near names take", async () => {
    faults.on(CATALOG, stall());
    faults.on({ path: /\/lab\/two\// }, reply(403));
    const run = await user.run(["-q", "pull", at("nope"), at("two")]);
    expect(run.status).toBe(3);
    expect(run.stderr.split("\n").filter((line) => line.startsWith("warning: "))).toEqual([
      expect.stringContaining(at("nope")),
      expect.stringContaining(at("two")),
    ]);
  });

  it("are three at most: many that have no near name do not ask for one each", async () => {
    faults.on(CATALOG, reply(404));
    const missing = ["a", "b", "c", "d", "e"].map((name) => at(`nope-${name}`));
    expect(await user.run(["-q", "pull", ...missing])).toMatchObject({ status: 3, stdout: "" });
    expect(faults.count(CATALOG)).toBe(3);
  });
});

describe("on a terminal", () => {
  it("each has a bar, and what is left is a line each, the paths and the sum", async () => {
    const slow = gate(MIB);
    faults.on(blobOf("one"), slow.fault);
    const child = inTerminal(["pull", at("one"), at("two"), at("three")]);
    await slow.reached;
    await child.story.said(/2 of 3 images, /);
    slow.open();
    const picture = new Picture().write(calm(await child.ended));
    const line = (name: string, size: string) =>
      expect.stringMatching(new RegExp(`^${name}_1\\.sif +━{17} 100% +${size}  done in Ns`));
    expect(picture.lines).toEqual([
      line("(two|three)", "[12]\\.0 MiB"),
      line("(two|three)", "[12]\\.0 MiB"),
      line("one", "3\\.0 MiB"),
      path("one"),
      path("two"),
      path("three"),
      "pulled 3 images, 6.0 MiB in Ns, verified",
      "",
    ]);
    expect(picture.widest).toBeLessThan(80);
  });

  it("a warning above the bars leaves no trace of them", async () => {
    const slow = gate(MIB);
    faults.on(blobOf("one"), slow.fault);
    const child = inTerminal(["pull", at("nope"), at("one")], { LANG: "C" });
    await slow.reached;
    await child.story.said(/1 of 2 images, /);
    slow.open();
    const text = await child.ended;
    const { lines } = new Picture().write(text);
    expect(lines.filter((one) => /%/.test(one))).toEqual([expect.stringMatching(/^one_1\.sif +\[=+\] 100% /)]);
    expect(lines.at(-2)).toBe("error: 1 of 2 images was not pulled");
    expect(text).toMatch(/^[\u0000-\u007e]*$/);
  });

  it("Ctrl-C does not swallow why another image failed before it", async () => {
    const slow = gate(MIB);
    faults.on(blobOf("one"), slow.fault);
    const child = inTerminal(["pull", at("one"), at("nope")]);
    await slow.reached;
    await child.story.said(/1 of 2 images, /);
    child.type("\u0003");
    const { lines } = new Picture().write(await child.ended);
    slow.open();
    expect(lines.filter((line) => line.startsWith("warning: "))).toEqual([
      expect.stringContaining(`warning: ${at("nope")} is not there`),
    ]);
    expect(lines.slice(-3)).toEqual(["error: interrupted", "hint: run the same command again to go on", ""]);
  });

  it("Ctrl-C leaves a cursor and whole lines, and the shell's prompt below them", async () => {
    const slow = gate(MIB);
    faults.on(BLOB, slow.fault);
    const child = inTerminal(["pull", at("one"), at("two")]);
    for (const name of ["one", "two"]) await child.story.said(new RegExp(`${name}_1\\.sif[^\\r]* [1-9]\\d*%`));
    child.type("\u0003");
    const text = await child.ended;
    slow.open();
    expect(text).not.toContain("\u001b[?");
    const { lines } = new Picture().write(text);
    expect(lines.filter((line) => /%/.test(line))).toEqual([
      expect.stringMatching(/^(one|two)_1\.sif +.*% .* stopped$/),
      expect.stringMatching(/^(one|two)_1\.sif +.*% .* stopped$/),
    ]);
    expect(lines.slice(-3)).toEqual(["error: interrupted", "hint: run the same command again to go on", ""]);
  });
});
