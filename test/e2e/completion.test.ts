/** The words that a shell's script asks the program for. */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";

let user: User;
let served: Served;

beforeAll(async () => {
  user = await User.create();
  for (const name of ["lab/tool:1.0", "lab/tool:latest", "lab/other:2", "deep/a/b/c:1"]) {
    expect(await user.run(["push", "-q", join(FIXTURES, "tiny.sif"), name])).toMatchObject({ status: 0 });
  }
  served = await user.serve();
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
});

const ask = (by: User, kind: string, typed: string, line: readonly string[] = ["pull"], env = {}): Promise<Run> =>
  by.run(["completion", "words", kind, "--", typed, ...line], { env });

/** A busy machine is no reason to find nothing. */
const PATIENT = { SREGISTRY_ANSWER_WITHIN: "20000" };

async function words(by: User, kind: string, typed: string, line?: readonly string[], env = {}) {
  const { status, stdout, stderr } = await ask(by, kind, typed, line, env);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.split("\n").flatMap((one) => (one === "" ? [] : [one.split("\t")[0]]));
}

const NOTHING = { status: 0, stdout: "", stderr: "" };

describe("references", () => {
  it.each([
    ["", ["library://", "shub://", "oras://", "docker://", "local://", "deep/", "lab/"]],
    ["lab/", ["lab/other", "lab/tool"]],
    ["lab/t", ["lab/tool:1.0", "lab/tool:latest"]],
    ["lab/tool:l", ["lab/tool:latest"]],
    ["d", ["docker://", "deep/a/b/c:1"]],
    ["local://lab/o", ["local://lab/other:2"]],
    ["lab/none:", []],
    ["UPPER/", []],
  ])("%j at the embedded registry", async (typed, then) => {
    expect(await words(user, "reference", typed)).toEqual(then);
  });

  it("say what they are", async () => {
    expect((await ask(user, "reference", "lab/")).stdout).toBe("lab/other\tcontainer\nlab/tool\tcontainer\n");
  });

  it("are of the registry that the line names", async () => {
    await using other = await User.create();
    const line = ["--registry", `oras://${served.host}/lab`, "pull", "-F"];
    expect(await words(other, "reference", "to", line, PATIENT)).toEqual(["tool:1.0", "tool:latest"]);
    expect(await words(other, "reference", `oras://${served.host}/lab/`, ["pull"], PATIENT)).toEqual([
      `oras://${served.host}/lab/other`,
      `oras://${served.host}/lab/tool`,
    ]);
    const push = ["push", "x.sif", `oras://${served.host}/lab/tool`, "--tag"];
    expect(await words(other, "tag", "", push, PATIENT)).toEqual(["1.0", "latest"]);
  });

  it("are those of the cache where no connection may be opened", async () => {
    await using other = await User.create();
    const name = `oras://${served.host}/lab/tool:1.0`;
    const { stdout } = await other.run(["get", "--json", name]);
    const { digest } = JSON.parse(stdout);
    expect(await words(other, "reference", "oras://", ["--offline", "get"])).toEqual([name]);
    const pin = `oras://${served.host}/lab/tool@${digest}`;
    expect(await words(other, "reference", pin.slice(0, -10), ["--offline", "get"])).toEqual([pin]);
    expect(await other.run(["get", "--offline", pin])).toMatchObject({ status: 0 });
  });
});

describe("remotes", () => {
  it("are those of remote.yaml and of our own configuration; what a shell would run is left out", async () => {
    await using other = await User.create();
    await mkdir(other.path(".singularity"));
    await writeFile(
      other.path(".singularity", "remote.yaml"),
      "Active: lab\nRemotes:\n  lab: {URI: lab.example.org}\n  $(touch x): {URI: b.example.org}\n  a b: {URI: c.example.org}\n",
    );
    await other.run(["remote", "add", "ghcr", "oras://ghcr.io/org"]);
    expect(await words(other, "remote", "", ["remote", "use"])).toEqual(["SylabsCloud", "lab", "ghcr"]);
    expect(await words(other, "registry", "l", ["pull", "--registry"])).toEqual(["local", "lab"]);
    expect(await words(other, "login", "gh", ["login"])).toEqual(["ghcr", "ghcr.io"]);
    expect(await words(other, "reference", "oras://", ["pull"])).toEqual(["oras://ghcr.io/"]);
    expect(await words(other, "endpoint", "", ["search", "x"])).toEqual(["library://", "oras://ghcr.io"]);
  });
});

describe("nothing is said, and nobody waits", () => {
  it("for a server that takes a connection and never answers", async () => {
    await using other = await User.create();
    const silent = createServer((socket) => socket.on("error", () => undefined).resume()).listen(0, "127.0.0.1");
    await new Promise((done) => silent.once("listening", done));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    for (const typed of [`oras://127.0.0.1:${port}/lab/`, `library://127.0.0.1:${port}/lab/tools/tool:`]) {
      expect(await ask(other, "reference", typed)).toEqual(NOTHING);
    }
    expect(await ask(other, "reference", "lab/", ["--registry", `http://127.0.0.1:${port}`, "pull"])).toEqual(NOTHING);
    await new Promise((done) => silent.close(done));
  });

  it.each([
    ["nobody listens", "reference", "oras://127.0.0.1:1/lab/", ["pull"], {}],
    ["the line names no registry", "reference", "lab/", ["--registry", "nowhere", "pull"], {}],
    ["connections are forbidden", "reference", "oras://127.0.0.1:1/lab/", ["--offline", "pull"], {}],
    ["a variable is wrong", "reference", "lab/", ["pull"], { SREGISTRY_PROGRESS: "loud" }],
    ["the script is newer than the program", "planet", "lab/", ["pull"], {}],
    ["the words cannot be parsed", "reference", "--", ["--", "pull", "--registry"], {}],
  ])("where %s", async (_why, kind, typed, line, env) => {
    expect(await ask(user, kind, typed, line, env)).toEqual(NOTHING);
  });

  it("where the configuration is broken", async () => {
    await using other = await User.create();
    await mkdir(other.path(".config", "sregistry"), { recursive: true });
    await writeFile(other.path(".config", "sregistry", "config.yaml"), "registry: [\n");
    expect(await ask(other, "reference", "lab/")).toEqual(NOTHING);
  });
});

it("the scripts are printed whole, and another shell is refused", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { status, stdout } = await user.run(["completion", shell]);
    expect([status, stdout]).toEqual([0, expect.stringContaining("completion words")]);
  }
  expect(await user.run(["completion", "tcsh"])).toEqual({
    status: 2,
    stdout: "",
    stderr: 'error: sregistry completion has no shell "tcsh"\nhint: sregistry completion bash|zsh|fish\n',
  });
});
