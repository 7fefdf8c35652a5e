/** What `list` tells, at every kind of endpoint, by the built program: in a pipe, on a terminal, as a document. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXTURES, finished, PROGRAM, type Run, type Served, User } from "../support/program.ts";

const [TINY, SIGNED, ARM] = ["tiny.sif", "tiny_signed.sif", "tiny_arm64.sif"].map((name) => join(FIXTURES, name));

interface Known {
  readonly digest: string;
  readonly size: number;
  /** Of the SIF's header, which says seconds. */
  readonly created: string;
}

async function known(file = ""): Promise<Known> {
  const bytes = await readFile(file);
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
    created: new Date(Number(bytes.readBigInt64LE(64)) * 1000).toISOString(),
  };
}

let user: User;
let served: Served;
let tiny: Known;
let signed: Known;
let arm: Known;

beforeAll(async () => {
  [tiny, signed, arm] = await Promise.all([known(TINY), known(SIGNED), known(ARM)]);
  user = await User.create();
  for (const [file, name] of [
    [TINY, "dinosaur/avocado:1.0"],
    [TINY, "dinosaur/avocado:delicious"],
    [ARM, "dinosaur/tacos:2"],
    [SIGNED, "lab/tool:1"],
  ]) {
    expect(await user.run(["-q", "push", "-U", file ?? "", name ?? ""])).toMatchObject({ status: 0 });
  }
  served = await user.serve(["--public-read"]);
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
});

async function rows(...words: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { status, stdout, stderr } = await user.run(["list", ...words]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split("\t"));
}

describe("in a pipe", () => {
  it("names alone, one a line, as ever", async () => {
    const { stdout } = await user.run(["list"]);
    expect(stdout).toBe("dinosaur/avocado:1.0\ndinosaur/avocado:delicious\ndinosaur/tacos:2\nlab/tool:1\n");
  });

  it("the columns that are asked for, in that order and exact", async () => {
    expect(await rows("--columns", "size,name,arch,created,digest,signed,format")).toEqual([
      [String(tiny.size), "dinosaur/avocado:1.0", "amd64", tiny.created, tiny.digest, "no", "sif"],
      [String(tiny.size), "dinosaur/avocado:delicious", "amd64", tiny.created, tiny.digest, "no", "sif"],
      [String(arm.size), "dinosaur/tacos:2", "arm64", arm.created, arm.digest, "no", "sif"],
      [String(signed.size), "lab/tool:1", "amd64", signed.created, signed.digest, "yes", "sif"],
    ]);
  });

  it("parts of the name, for which nothing is asked", async () => {
    expect(await rows("lab", "--columns", "registry,reference,collection,container,tag")).toEqual([
      ["the local store", "local://lab/tool:1", "lab", "tool", "1"],
    ]);
  });

  it.each([
    [["--sort", "-size", "--limit", "1"], ["lab/tool:1"]],
    [
      ["--sort", "size", "--limit", "2"],
      ["dinosaur/avocado:1.0", "dinosaur/avocado:delicious"],
    ],
    [
      ["--sort", "-name", "--limit", "2"],
      ["lab/tool:1", "dinosaur/tacos:2"],
    ],
    [["--sort", "-arch", "--limit", "1"], ["dinosaur/tacos:2"]],
    [
      ["--limit", "3"],
      ["dinosaur/avocado:1.0", "dinosaur/avocado:delicious", "dinosaur/tacos:2"],
    ],
  ])("%j", async (words, names) => expect(await rows(...words)).toEqual(names.map((name) => [name])));

  it("--limit holds for metadata too", async () => {
    const { stdout } = await user.run(["list", "dinosaur", "--runscript", "--sort", "-name", "--limit", "1"]);
    expect(stdout).toMatch(/^dinosaur\/tacos:2\n {2}runscript:\n/);
    expect(stdout).not.toContain("avocado");
  });
});

describe("as a document", () => {
  it("names alone without --columns", async () => {
    const { stdout } = await user.run(["list", "dinosaur", "--limit", "2", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 1,
      containers: [{ name: "dinosaur/avocado:1.0" }, { name: "dinosaur/avocado:delicious" }],
    });
  });

  it("the columns' whole data with them", async () => {
    const { stdout } = await user.run(["list", "lab", "--json", "--columns", "name,size,arch,created,digest,signed"]);
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 1,
      containers: [{ name: "lab/tool:1", architecture: "amd64", signed: true, ...signed }],
    });
  });
});

describe("as lines of one's own", () => {
  it("the columns that the template names are asked for", async () => {
    const { stdout } = await user.run(["list", "lab", "--format", "{{.architecture}} {{.size}} {{.name}}"]);
    expect(stdout).toBe(`amd64 ${signed.size} lab/tool:1\n`);
  });
});

describe("at endpoints", () => {
  it("oras: what the manifest does not say is read from the image's first bytes", async () => {
    const host = served.host;
    expect(await rows(`oras://${host}/lab`, "--columns", "name,size,arch,created,digest,manifest")).toEqual([
      [
        `oras://${host}/lab/tool:1`,
        ...[String(signed.size), "amd64", signed.created, signed.digest],
        expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      ],
    ]);
  });

  it("library: one for another architecture is told too", async () => {
    const host = served.host;
    const found = await user.run([
      ...["list", "--plain-http", `library://${host}/dinosaur`, "--columns", "name,size,arch,digest,manifest"],
    ]);
    expect(found).toMatchObject({ status: 0, stderr: "" });
    expect(found.stdout).toContain(`tacos:2\t${arm.size}\tarm64\t${arm.digest}\t-\n`);
  });

  it("what cannot be read of an image is a dash, and one warning at the end", async () => {
    await writeFile(user.path("note.txt"), "no image");
    const odd = await User.create();
    await odd.run(["-q", "push", "--any-file", user.path("note.txt"), "odd/note:1"]);
    await odd.run(["-q", "push", "--any-file", user.path("note.txt"), "odd/note:2"]);
    await odd.run(["-q", "push", "-U", TINY ?? "", "odd/tool:1"]);
    const found = await odd.run(["list", "--columns", "name,size,signed"]);
    expect(found).toEqual({
      status: 0,
      stdout: `odd/note:1\t8\t-\nodd/note:2\t8\t-\nodd/tool:1\t${tiny.size}\tno\n`,
      stderr: "warning: 2 of 3 images could not be read (-v tells of each): local://odd/note:1 is not a SIF image\n",
    });
    await odd[Symbol.asyncDispose]();
  });
});

describe("what is wrong", () => {
  it.each([
    [["--columns", "name,sise"], '--columns: there is no column "sise"', "did you mean size?"],
    [["--columns", "name,name"], '--columns "name,name" names name twice', "--columns name"],
    [["--sort=-when"], '--sort: there is no column "when"', expect.stringContaining("the columns are name, size,")],
    [["--limit", "0"], '--limit "0" is no number of images: expected 1 or more', "--limit 10"],
    [
      ["--columns", "size", "--labels"],
      "--columns makes a table, and labels would not fit into one",
      "leave one of the two out",
    ],
    [
      ["--labels", "--sort", "size"],
      "with labels the order is that of names, not of size",
      "--sort name, or leave it out",
    ],
  ])("%j", async (words, message, hint) => {
    const { status, stdout, stderr } = await user.run(["--json", "list", ...words]);
    expect({ status, stdout, error: JSON.parse(stderr).error }).toEqual({
      status: 2,
      stdout: "",
      error: { code: "USAGE", exit: 2, message, hint },
    });
  });
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

/** On a terminal of so many columns, without colour. */
function onTerminal(columns: number, words: string): Promise<Run> {
  const command = `stty cols ${columns}; exec ${process.execPath} ${PROGRAM} ${words}`;
  const env = { PATH: process.env["PATH"], HOME: user.home, TERM: "xterm", NO_COLOR: "1" };
  return finished(spawn("script", ["-qec", command, "/dev/null"], { cwd: user.home, env, stdio: "pipe" }));
}

describe.skipIf(!hasScript)("on a terminal", () => {
  it("the usual columns, for people", async () => {
    const { stdout } = await onTerminal(80, "list dinosaur --sort size");
    const digest = (image: Known): string => image.digest.slice(7, 19);
    const lines = stdout
      .replaceAll("\r\n", "\n")
      .replace(/\w+ (?:\w+ ago|now)|\d{4}-\d\d-\d\d/g, "DATE")
      .replace(/ +/g, " ");
    expect(lines).toBe(
      [
        "NAME SIZE ARCH CREATED DIGEST",
        `dinosaur/avocado:1.0 40.0 KiB amd64 DATE ${digest(tiny)}`,
        `dinosaur/avocado:delicious 40.0 KiB amd64 DATE ${digest(tiny)}`,
        `dinosaur/tacos:2 40.0 KiB arm64 DATE ${digest(arm)}`,
        "",
      ].join("\n"),
    );
  });

  it("no wider than it is", async () => {
    const { stdout } = await onTerminal(40, "list dinosaur");
    expect(stdout.replaceAll("\r\n", "\n")).toBe(
      [
        "NAME                            SIZE",
        "dinosaur/avocado:1.0        40.0 KiB",
        "dinosaur/avocado:delicious  40.0 KiB",
        "dinosaur/tacos:2            40.0 KiB",
        "",
      ].join("\n"),
    );
  });
});
