/** `list --usage`, by the built program: rows, a document, bars, a page. */
import { spawn, spawnSync } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXTURES, finished, PROGRAM, type Run, type Served, User } from "../support/program.ts";

let user: User;
let served: Served;
/** Bytes. */
const size = { tiny: 0, signed: 0, arm: 0 };

beforeAll(async () => {
  user = await User.create();
  const [tiny, signed, arm] = ["tiny.sif", "tiny_signed.sif", "tiny_arm64.sif"].map((name) => join(FIXTURES, name));
  const push = async (file = "", name: string): Promise<void> => {
    expect(await user.run(["-q", "push", "-U", file, name])).toMatchObject({ status: 0 });
  };
  // One image under three tags in two containers, and once more in another collection.
  await push(tiny, "dinosaur/avocado:1.0");
  await push(tiny, "dinosaur/avocado:delicious");
  await push(tiny, "dinosaur/tacos:1.0");
  await push(arm, "dinosaur/tacos:arm");
  await push(tiny, "lab/tool:1");
  await push(signed, "lab/tool:2");
  size.tiny = (await stat(tiny ?? "")).size;
  size.signed = (await stat(signed ?? "")).size;
  size.arm = (await stat(arm ?? "")).size;
  served = await user.serve(["--public-read"]);
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const collections = (): string =>
  [
    ["lab", 1, 2, size.tiny + size.signed, size.tiny + size.signed],
    ["dinosaur", 2, 4, size.tiny + size.arm, 3 * size.tiny + size.arm],
  ]
    .map((row) => `${row.join("\t")}\n`)
    .join("");

describe("in a pipe", () => {
  it("a row a collection: containers, tags, bytes with each image once, bytes of all tags", async () => {
    expect(await user.run(["-q", "list", "--usage"])).toEqual({ status: 0, stdout: collections(), stderr: "" });
  });

  it("of one collection a row a container", async () => {
    const { stdout, stderr } = await user.run(["list", "dinosaur", "--usage"]);
    expect(stdout).toBe(
      [
        `dinosaur/tacos\t1\t2\t${size.tiny + size.arm}\t${size.tiny + size.arm}\n`,
        `dinosaur/avocado\t1\t2\t${size.tiny}\t${2 * size.tiny}\n`,
      ].join(""),
    );
    expect(stderr).toBe("40.0 KiB are in several containers: the total counts them once\n");
  });

  it("the same at a registry", async () => {
    expect(await user.run(["-q", "list", `oras://${served.host}`, "--usage"])).toMatchObject({ stdout: collections() });
  });
});

it("as a document: what several hold counts once in the total", async () => {
  const { stdout } = await user.run(["list", "--usage", "--json"]);
  const { tiny, signed, arm } = size;
  expect(JSON.parse(stdout)).toEqual({
    schemaVersion: 1,
    registry: "the local store",
    total: {
      ...{ collections: 2, containers: 3, tags: 6, images: 3, unknown: 0 },
      ...{ size: tiny + signed + arm, tagged: 4 * tiny + signed + arm },
    },
    collections: [
      {
        ...{ name: "lab", tags: 2, images: 2, size: tiny + signed, tagged: tiny + signed },
        containers: [{ name: "lab/tool", tags: 2, images: 2, size: tiny + signed, tagged: tiny + signed }],
      },
      {
        ...{ name: "dinosaur", tags: 4, images: 2, size: tiny + arm, tagged: 3 * tiny + arm },
        containers: [
          { name: "dinosaur/tacos", tags: 2, images: 2, size: tiny + arm, tagged: tiny + arm },
          { name: "dinosaur/avocado", tags: 2, images: 1, size: tiny, tagged: 2 * tiny },
        ],
      },
    ],
  });
});

describe("as a page", () => {
  it("beside its name, then under it; a file that is there stays", async () => {
    const made = await user.run(["list", "--usage", "--html", "usage.html"]);
    const path = user.path("usage.html");
    expect(made).toEqual({ status: 0, stdout: `${path}\n`, stderr: "" });
    const page = await readFile(path, "utf8");
    expect(page).toMatch(/^<!doctype html>\n/);
    expect(page).toContain('<th scope="row"><bdi>dinosaur/avocado</bdi></th>');
    await writeFile(path, "mine");
    expect(await user.run(["list", "--usage", "--html", "usage.html"])).toEqual({
      status: 5,
      stdout: "",
      stderr:
        `error: ${path} exists already; it was not touched\n` +
        "hint: --force replaces it, --html - writes the page to standard output\n",
    });
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await user.run(["list", "--usage", "--html", "usage.html", "--force"])).toMatchObject({ status: 0 });
    expect(await readFile(path, "utf8")).toContain("<!doctype html>");
  });

  it("to standard output, or named in the document", async () => {
    const { stdout } = await user.run(["list", "--usage", "--html", "-"]);
    expect(stdout).toMatch(/^<!doctype html>\n[\s\S]*<\/html>\n$/);
    const both = await user.run(["list", "lab", "--html", "lab.html", "--json"]);
    expect(JSON.parse(both.stdout)).toMatchObject({ html: user.path("lab.html"), total: { tags: 2 } });
  });

  it("holds the whole tree, dates too", async () => {
    const { stdout } = await user.run(["list", "lab", "--usage", "--html", "-"]);
    const data: unknown = JSON.parse(/id="data">(.*)<\/script>/.exec(stdout)?.[1] ?? "");
    const image = (n: string, s: number) => ({
      ...{ n, s, t: 1, d: expect.stringMatching(/^sha256:/), a: expect.stringMatching(/^20\d\d-/) },
    });
    const counts = { s: size.tiny + size.signed, t: 2 };
    expect(data).toEqual({
      ...{ n: "the local store", ...counts },
      c: [{ n: "lab", ...counts, c: [{ n: "tool", ...counts, c: [image("2", size.signed), image("1", size.tiny)] }] }],
    });
  });
});

describe("what is wrong", () => {
  it.each([
    [
      ["--usage", "--limit", "3"],
      "--usage counts all images together, and --limit is for single ones",
      "leave one of the two out; the largest images: sregistry list --sort -size --limit 10",
    ],
    [
      ["--html", "-", "--format", "{{.name}}"],
      "a page and a document both want standard output",
      "name a file for the page: --html usage.html",
    ],
  ])("%j", async (words, message, hint) => {
    const { status, stderr } = await user.run(["list", ...words]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: `error: ${message}\nhint: ${hint}\n` });
  });

  it("a directory that is not there is told before anything is asked", async () => {
    const { status, stderr } = await user.run(["list", "oras://127.0.0.1:9", "--usage", "--html", "no/x.html"]);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `error: there is no directory ${user.path("no")}\nhint: mkdir -p ${user.path("no")}\n`,
    });
  });
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

/** On a terminal of so many columns, without colour. */
async function onTerminal(columns: number, words: string): Promise<string> {
  const command = `stty cols ${columns}; exec ${process.execPath} ${PROGRAM} ${words}`;
  const env = { PATH: process.env["PATH"], HOME: user.home, TERM: "xterm", LANG: "C.UTF-8", NO_COLOR: "1" };
  const child = spawn("script", ["-qec", command, "/dev/null"], { cwd: user.home, env, stdio: "pipe" });
  const { stdout }: Run = await finished(child);
  return stdout.replaceAll("\r\n", "\n");
}

describe.skipIf(!hasScript)("on a terminal", () => {
  it.each([
    [
      80,
      `COLLECTION                          SIZE    SHARE  CONTAINERS  TAGS  SUM OF TAGS
lab         █████████████████   81.6 KiB   67.1 %           1     2     81.6 KiB
dinosaur    ████████████████▋   80.0 KiB   65.8 %           2     4    160.0 KiB
total                          121.6 KiB  100.0 %           3     6    241.6 KiB
`,
    ],
    [
      40,
      `COLLECTION                 SIZE    SHARE
lab         ████████   81.6 KiB   67.1 %
dinosaur    ███████▉   80.0 KiB   65.8 %
total                 121.6 KiB  100.0 %
`,
    ],
  ])("bars as long as %d columns leave", async (columns, table) => {
    expect(await onTerminal(columns, "-q list --usage")).toBe(table);
  });
});
