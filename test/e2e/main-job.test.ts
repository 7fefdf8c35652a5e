/** The built program as a user meets it: whole outputs, exit statuses, files. */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FIXTURES, PROGRAM, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const sha256 = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

let user: User;
beforeEach(async () => {
  user = await User.create();
});
afterEach(async () => {
  await user[Symbol.asyncDispose]();
});

describe("on the embedded registry", () => {
  it("does the main job with nothing else installed", async () => {
    const pushed = await user.run(["-q", "push", "-U", TINY, "--name", "dinosaur/avocado", "--tag", "delicious"]);
    expect(pushed).toMatchObject({ status: 0, stderr: "" });
    expect(pushed.stdout).toMatch(/^local:\/\/dinosaur\/avocado@sha256:[0-9a-f]{64}\n$/);
    expect(await user.run(["list"])).toEqual({ status: 0, stdout: "dinosaur/avocado:delicious\n", stderr: "" });
    expect(await user.run(["list", "dinosaur"])).toMatchObject({ stdout: "dinosaur/avocado:delicious\n" });
    expect(await user.run(["list", "/avocado"])).toMatchObject({ stdout: "dinosaur/avocado:delicious\n" });
    expect(await user.run(["list", "dinosaur/avocado"])).toMatchObject({ stdout: "dinosaur/avocado:delicious\n" });
    const pulled = await user.run(["-q", "pull", "dinosaur/avocado:delicious"]);
    const file = user.path("dinosaur-avocado-delicious.sif");
    expect(pulled).toEqual({ status: 0, stdout: `${file}\n`, stderr: "" });
    expect(await sha256(file)).toBe(await sha256(TINY));
  });

  it("shows metadata in the old client's spelling", async () => {
    await user.run(["push", TINY, "dinosaur/tacos:delicious"]);
    const old = await user.run(["list", "dinosaur/tacos:delicious", "--e", "--r", "--d", "--t"]);
    const short = await user.run(["list", "dinosaur/tacos:delicious", "-e", "-r", "-d", "-t"]);
    expect(old).toEqual(short);
    expect(old.stdout).toMatch(/^dinosaur\/tacos:delicious\n {2}environment:\n/);
    expect(old.stdout).toContain("  deffile:\n");
  });

  it("puts a pull whose -o ends in a slash into that directory, and makes no file of its name", async () => {
    await user.run(["push", "-q", TINY, "lab/slash:1"]);
    expect(await user.run(["pull", "-q", "-o", "images/", "lab/slash:1"])).toEqual({
      status: 2,
      stdout: "",
      stderr: `error: there is no directory ${user.path("images")}\nhint: mkdir -p ${user.path("images")}\n`,
    });
    await mkdir(user.path("images"));
    expect(await user.run(["pull", "-q", "-o", "images/", "lab/slash:1"])).toEqual({
      status: 0,
      stdout: `${user.path("images", "lab-slash-1.sif")}\n`,
      stderr: "",
    });
  });

  it("leaves a file alone that holds the right bytes, and one that holds others", async () => {
    await user.run(["push", TINY, "lab/tiny:1"]);
    await user.run(["pull", "-o", "x.sif", "lab/tiny:1"]);
    const again = await user.run(["pull", "-o", "x.sif", "lab/tiny:1"]);
    expect(again).toMatchObject({ status: 0, stdout: `${user.path("x.sif")}\n` });
    expect(again.stderr).toContain("already");
    await writeFile(user.path("x.sif"), "mine");
    const refused = await user.run(["pull", "-o", "x.sif", "lab/tiny:1"]);
    expect(refused).toMatchObject({ status: 5, stdout: "" });
    expect(await readFile(user.path("x.sif"), "utf8")).toBe("mine");
    expect(await user.run(["pull", "-F", "-o", "x.sif", "lab/tiny:1"])).toMatchObject({ status: 0 });
    expect(await sha256(user.path("x.sif"))).toBe(await sha256(TINY));
  });

  it("deletes only when told to", async () => {
    await user.run(["push", TINY, "lab/tiny:1"]);
    const refused = await user.run(["delete", "lab/tiny:1"]);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain("--force");
    expect(await user.run(["delete", "lab/tiny:1", "--force"])).toMatchObject({ status: 0 });
    expect(await user.run(["list"])).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(await user.run(["pull", "lab/tiny:1"])).toMatchObject({ status: 3, stdout: "" });
  });

  it("prints the path of an image with get", async () => {
    await user.run(["push", TINY, "lab/tiny:1"]);
    const got = await user.run(["-q", "get", "lab/tiny:1"]);
    expect(got).toMatchObject({ status: 0, stderr: "" });
    expect(await sha256(got.stdout.trim())).toBe(await sha256(TINY));
  });

  it("answers in JSON with a schema version", async () => {
    const pushed = JSON.parse((await user.run(["--json", "push", TINY, "lab/tiny:1"])).stdout);
    expect(pushed).toMatchObject({ schemaVersion: 1, references: ["local://lab/tiny:1"], transfer: "uploaded" });
    const listed = JSON.parse((await user.run(["--json", "list"])).stdout);
    expect(listed).toEqual({ schemaVersion: 1, containers: [{ name: "lab/tiny:1" }] });
  });
});

describe("over HTTP", () => {
  it("serves what the store holds, and the store holds what was pushed over HTTP", async () => {
    const served = await user.serve();
    await user.run(["push", TINY, `oras://${served.host}/lab/tiny`, "--tag", "1", "--tag", "2"]);
    expect((await user.run(["list"])).stdout).toBe("lab/tiny:1\nlab/tiny:2\n");
    expect((await user.run(["--registry", served.url, "list"])).stdout).toBe("lab/tiny:1\nlab/tiny:2\n");
    expect((await user.run(["pull", "-o", "x.sif", `oras://${served.host}/lab/tiny:2`])).status).toBe(0);
    expect(await sha256(user.path("x.sif"))).toBe(await sha256(TINY));
    const stopped = await served.stop();
    expect(stopped.stdout).toBe(`${served.url}\n`);
  });

  it("leaves nothing beside the target", async () => {
    const served = await user.serve();
    await user.run(["push", TINY, `oras://${served.host}/lab/tiny:1`]);
    await user.run(["pull", "-o", "x.sif", `oras://${served.host}/lab/tiny:1`]);
    await served.stop();
    expect((await readdir(user.home)).filter((name) => /part|tmp/.test(name))).toEqual([]);
  });
});

describe("defects met in use", () => {
  it("list -l went no further at an image that is no SIF", async () => {
    await writeFile(user.path("notes.txt"), "no image");
    await user.run(["push", "--any-file", "notes.txt", "lab/a:1"]);
    await user.run(["push", TINY, "lab/b:1"]);
    const run = await user.run(["labels", "--key", "version"]);
    expect(run).toMatchObject({ status: 0, stdout: "Version\t1.2.3\tlab/b:1\n" });
    expect(run.stderr).toMatch(/^warning: lab\/a:1 is left out: /m);
  });

  it("get --offline asked a registry for a digest that is in the cache", async () => {
    const served = await user.serve();
    const pushed = await user.run(["push", TINY, `oras://${served.host}/lab/tiny:1`]);
    const pin = pushed.stdout.trim();
    const first = await user.run(["get", pin]);
    await served.stop();
    expect(await user.run(["get", "--offline", pin])).toEqual({ status: 0, stdout: first.stdout, stderr: "" });
  });

  it("tag made of an index of several images the one for this machine, and delete broke the index", async () => {
    const served = await user.serve();
    const base = `oras://${served.host}/lab/multi`;
    const arm = join(FIXTURES, "tiny_arm64.sif");
    const entries = [];
    for (const [file, tag, architecture] of [
      [TINY, "amd", "amd64"],
      [arm, "arm", "arm64"],
    ] as const) {
      const pin = (await user.run(["push", file, `${base}:${tag}`])).stdout.trim();
      const digest = pin.split("@")[1] ?? "";
      const answer = await fetch(`${served.url}/v2/lab/multi/manifests/${digest}`);
      const { length } = Buffer.from(await answer.arrayBuffer());
      const mediaType = "application/vnd.oci.image.manifest.v1+json";
      entries.push({ mediaType, digest, size: length, platform: { os: "linux", architecture } });
    }
    const mediaType = "application/vnd.oci.image.index.v1+json";
    await fetch(`${served.url}/v2/lab/multi/manifests/all`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries }),
    });
    expect(await user.run(["tag", `${base}:all`, "again"])).toMatchObject({ status: 0 });
    expect(await user.run(["tag", "local://lab/multi:all", "local"])).toMatchObject({ status: 0 });
    await user.run(["delete", "local://lab/multi:arm", "--force"]);
    for (const tag of ["again", "local"]) {
      const pulled = await user.run(["pull", "--arch", "arm64", "-o", `${tag}.sif`, `${base}:${tag}`]);
      expect({ tag, status: pulled.status, stderr: pulled.stderr }).toMatchObject({ status: 0 });
      expect(await sha256(user.path(`${tag}.sif`))).toBe(await sha256(arm));
    }
    await served.stop();
  });

  it("an answer had parts of it replaced that happened to be the password", async () => {
    await user.run(["push", TINY, "lab/tool:1"]);
    const env = { SREGISTRY_USERNAME: "lab", SREGISTRY_PASSWORD: "tool" };
    const served = await user.serve();
    expect((await user.run(["list", `oras://${served.host}`], { env })).stdout).toBe(
      `oras://${served.host}/lab/tool:1\n`,
    );
    await served.stop();
  });
});

describe("bad input", () => {
  const cases: readonly {
    readonly title: string;
    readonly words: readonly string[];
    readonly status: number;
    readonly says: RegExp;
  }[] = [
    { title: "an unknown verb", words: ["pul", "a/b"], status: 2, says: /there is no verb "pul".*did you mean pull/s },
    {
      title: "an unknown flag",
      words: ["pull", "--forse", "a/b"],
      status: 2,
      says: /has no flag --forse.*did you mean --force/s,
    },
    { title: "a missing reference", words: ["pull"], status: 2, says: /the reference is missing/ },
    { title: "a bad tag", words: ["pull", "a/b:c d"], status: 2, says: /tag/ },
    { title: "upper case", words: ["pull", "Lab/Tool"], status: 2, says: /lab\/tool/ },
    { title: "a host-less oras", words: ["pull", "oras://tool:1"], status: 2, says: /host/ },
    {
      title: "a password on the command line",
      words: ["login", "h", "-p", "topsecret"],
      status: 2,
      says: /--password-stdin/,
    },
    { title: "a bad duration", words: ["--timeout", "soon", "list"], status: 2, says: /"soon" is no duration/ },
    { title: "a bad mode", words: ["--progress", "fancy", "list"], status: 2, says: /fancy/ },
    {
      title: "what the endpoint cannot do",
      words: ["collection", "create", "lab"],
      status: 8,
      says: /the local store cannot create collections/,
    },
    { title: "a file that is not there", words: ["push", "none.sif", "a/b"], status: 3, says: /none\.sif/ },
    {
      title: "nobody there",
      words: ["--timeout", "60s", "list", "oras://127.0.0.1:1/a/b"],
      status: 75,
      says: /127\.0\.0\.1:1/,
    },
  ];
  it.each(cases)(
    "$title: one clear line and exit $status",
    async ({ words, status, says }) => {
      const run = await user.run(words);
      expect({ status: run.status, stdout: run.stdout }).toEqual({ status, stdout: "" });
      expect(run.stderr).toMatch(says);
      expect(run.stderr).not.toMatch(/topsecret|\n\s+at /);
      expect(run.stderr.split("\n").filter((line) => line.startsWith("error: "))).toHaveLength(1);
    },
    60_000,
  );

  it("refuses a truncated image before any request, and sends it with --any-file", async () => {
    const whole = await readFile(TINY);
    await writeFile(user.path("cut.sif"), whole.subarray(0, 20_000));
    await writeFile(user.path("page.sif"), "<html>not found</html>");
    for (const name of ["cut.sif", "page.sif"]) {
      const run = await user.run(["push", name, "oras://127.0.0.1:1/a/b:1"]);
      expect({ name, status: run.status }).toEqual({ name, status: 6 });
      expect(run.stderr).toContain(name.replace("page", "page"));
    }
    expect(await user.run(["push", "--any-file", "cut.sif", "a/b:1"])).toMatchObject({ status: 0 });
  });

  it("answers with a JSON error under --json", async () => {
    const run = await user.run(["--json", "pull", "a/none:1"]);
    expect(run).toMatchObject({ status: 3, stdout: "" });
    expect(JSON.parse(run.stderr)).toMatchObject({ error: { code: "NOT_FOUND", exit: 3 } });
  });
});

describe("the program itself", () => {
  it("prints its version and help", async () => {
    const { version } = JSON.parse(await readFile(join(FIXTURES, "../../package.json"), "utf8"));
    expect(await user.run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    const help = await user.run(["--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("pull");
    expect((await user.run(["help", "pull"])).stdout).toBe((await user.run(["pull", "--help"])).stdout);
  });

  it("takes flags from the environment, and says which variable is wrong", async () => {
    await user.run(["push", TINY, "lab/tiny:1"], { env: { SREGISTRY_STORE: user.path("elsewhere") } });
    expect((await user.run(["list"])).stdout).toBe("");
    expect((await user.run(["--store", user.path("elsewhere"), "list"])).stdout).toBe("lab/tiny:1\n");
    const wrong = await user.run(["list"], { env: { SREGISTRY_QUIET: "perhaps" } });
    expect(wrong).toMatchObject({ status: 2 });
    expect(wrong.stderr).toContain("SREGISTRY_QUIET");
  });

  it("ends quietly when its reader goes", async () => {
    await user.run(["push", TINY, "lab/tiny:1"]);
    const child = user.start(["list"]);
    child.stdout?.destroy();
    const status = await new Promise((done) => child.once("close", done));
    expect(status).toBe(0);
  });
});

describe("a too old Node", () => {
  it("gets one polite line", async () => {
    const source = (await readFile(PROGRAM, "utf8")).replace(/^#!.*\n/, "");
    const written: string[] = [];
    const process = {
      versions: { node: "18.19.0" },
      stderr: { write: (text: string) => written.push(text) },
      exitCode: undefined as number | undefined,
    };
    runInNewContext(source, { process });
    expect(written).toEqual(["sregistry needs Node 20.18.1 or newer; this is 18.19.0\n"]);
    expect(process.exitCode).toBe(2);
  });
});
