/** TAB in real shells, and the man pages in front of man-db and mandoc. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers } from "../support/peers.ts";
import { FIXTURES, PROGRAM, User } from "../support/program.ts";
import { Shell } from "../support/shell.ts";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const COMPLETIONS = join(ROOT, "completions");
const MAN = join(ROOT, "man");

let user: User;
let env: Record<string, string>;

beforeAll(async () => {
  user = await User.create();
  env = { HOME: user.home, PATH: `${user.path("bin")}:${process.env["PATH"]}` };
  await mkdir(user.path("bin"));
  await symlink(PROGRAM, user.path("bin", "sregistry"));
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("tiny.sif"));
  await mkdir(user.path("images"));
  for (const name of ["lab/tool:1.0", "lab/tool:latest", "lab/other:2", "solo/app:1"]) {
    expect(await user.run(["push", "-q", "tiny.sif", name])).toMatchObject({ status: 0 });
  }
  expect(await user.run(["remote", "add", "--no-login", "DinosaurCloud", "cloud.example.org"])).toMatchObject({
    status: 0,
  });
});
afterAll(() => user[Symbol.asyncDispose]());

/** What is typed, and the line after TAB; `|` is where a blank follows. */
const LINES = [
  ["sregistry rem", "sregistry remote |"],
  ["sregistry remote get", "sregistry remote get-login-password |"],
  ["sregistry remote use D", "sregistry remote use DinosaurCloud |"],
  ["sregistry serve us", "sregistry serve user |"],
  ["sregistry serve user a", "sregistry serve user add |"],
  ["sregistry help coll", "sregistry help collection |"],
  ["sregistry help env", "sregistry help environment |"],
  ["sregistry help remote stat", "sregistry help remote status |"],
  ["sregistry pull --fro", "sregistry pull --from-file |"],
  ["sregistry pull --progress pl", "sregistry pull --progress plain |"],
  ["sregistry pull --progress=pl", "sregistry pull --progress=plain |"],
  ["sregistry --registry D", "sregistry --registry DinosaurCloud |"],
  ["sregistry push ti", "sregistry push tiny.sif |"],
  ["sregistry pull --dir im", "sregistry pull --dir images/"],
  ["sregistry inspect ti", "sregistry inspect tiny.sif |"],
  ["sregistry inspect so", "sregistry inspect solo/app:1 |"],
  ["sregistry pull so", "sregistry pull solo/app:1 |"],
  ["sregistry pull lab/tool:l", "sregistry pull lab/tool:latest |"],
  ["sregistry pull -o x.sif local://lab/tool:1", "sregistry pull -o x.sif local://lab/tool:1.0 |"],
  ["sregistry pull --store=elsewhere lab/to", "sregistry pull --store=elsewhere lab/to"],
  ["sregistry push tiny.sif lab/tool --tag la", "sregistry push tiny.sif lab/tool --tag latest |"],
  ["sregistry tag lab/tool:1.0 la", "sregistry tag lab/tool:1.0 latest |"],
  ["sregistry cache path ", "sregistry cache path |"],
].map(([typed = "", then = ""]) => [typed, then.replace("|", "")] as const);

const SETUPS = [
  ["bash", "a script that is evaluated", 'eval "$(sregistry completion bash)"'],
  ["bash", "a file that is read without bash-completion", `complete -r; . ${join(COMPLETIONS, "sregistry.bash")}`],
  ["zsh", "a script that is read", "autoload -Uz compinit; compinit -u -D; source <(sregistry completion zsh)"],
  ["zsh", "a file of fpath", `fpath=(${COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D`],
] as const;

for (const [name, by, setup] of SETUPS) {
  describe.skipIf(missingPeers("script", name).length > 0)(`${name}, ${by}`, () => {
    let shell: Shell;
    beforeAll(async () => {
      shell = await Shell.start(name, setup, env);
    });
    afterAll(() => shell[Symbol.asyncDispose]());

    it("completes what is typed, also words with colons", async () => {
      const found: (readonly [string, string])[] = [];
      for (const [typed] of LINES) found.push([typed, await shell.tab(typed)]);
      expect(found).toEqual(LINES);
    });

    it("lists what there is", async () => {
      expect(await shell.tab("sregistry pull lab/")).toBe("sregistry pull lab/");
      expect(shell.output).toMatch(/lab\/other|other/);
      if (name === "zsh") expect(shell.output).toMatch(/lab\/tool +-- container/);
    });

    it("says nothing where a server cannot be asked", async () => {
      for (const line of ["sregistry pull oras://127.0.0.1:1/lab/", "sregistry --registry nowhere pull lab/"]) {
        expect(await shell.tab(line)).toBe(line);
        expect(shell.output.replace(line, "").replace(/<<.*>>/, "")).not.toMatch(/error|hint|warning/);
      }
    });
  });
}

const LOADER = "/usr/share/bash-completion/bash_completion";
describe.skipIf(missingPeers("script", "bash").length > 0 || !existsSync(LOADER))("bash-completion", () => {
  it("finds the file by its name when TAB is pressed first", async () => {
    const folder = user.path(".local", "share", "bash-completion", "completions");
    await mkdir(folder, { recursive: true });
    await copyFile(join(COMPLETIONS, "sregistry.bash"), join(folder, "sregistry"));
    await using shell = await Shell.start("bash", ":", env);
    expect(await shell.tab("sregistry pull lab/tool:l")).toBe("sregistry pull lab/tool:latest ");
  });
});

describe.skipIf(missingPeers("fish").length > 0)("fish", () => {
  const offered = async (line: string): Promise<readonly string[]> => {
    const script = `source ${join(COMPLETIONS, "sregistry.fish")}; complete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = await run("fish", ["--no-config", "-c", script], { env, cwd: user.home });
    expect(stderr).toBe("");
    return stdout.split("\n").filter((one) => one !== "");
  };

  it("completes what is typed, with what it means", async () => {
    expect(await offered("sregistry pull lab/")).toEqual(["lab/other\tcontainer", "lab/tool\tcontainer"]);
    for (const [typed, then] of LINES) {
      const last = typed.split(" ").at(-1) ?? "";
      const words = (await offered(typed)).map((one) => one.split("\t")[0]);
      expect([typed, words]).toEqual([typed, then.trim() === typed.trim() ? [] : [then.trim().split(" ").at(-1)]]);
      expect(words.every((word) => word?.startsWith(last))).toBe(true);
    }
  });

  it("says nothing where a server cannot be asked", async () => {
    expect(await offered("sregistry pull oras://127.0.0.1:1/lab/")).toEqual([]);
  });
});

describe("the man pages", () => {
  it.skipIf(missingPeers("mandoc").length > 0)("have nothing that mandoc warns of", async () => {
    const pages = (await readdir(MAN)).map((name) => join(MAN, name));
    // Its complaints are on stdout, and its status says there were some.
    expect(await run("mandoc", ["-T", "lint", "-W", "warning", ...pages])).toMatchObject({ stdout: "", stderr: "" });
  });

  it.skipIf(missingPeers("man").length > 0)("have nothing that man warns of", async () => {
    for (const name of await readdir(MAN)) {
      const { stdout, stderr } = await run("man", ["-l", "--warnings", "-E", "UTF-8", join(MAN, name)], {
        env: { ...env, MANWIDTH: "80", LC_ALL: "C.UTF-8" },
      });
      expect([name, stderr]).toEqual([name, ""]);
      expect(stdout).toMatch(/^SREGISTRY/);
    }
  });
});
