/** What `npm run package` makes, installed and used: the archive, Debian's package, the module files. */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "../../scripts/bundle.js";
import { needs } from "../../scripts/package/elf.js";
import { beyondLimits } from "../../scripts/package/limits.js";
import { nodeFor } from "../../scripts/package/node.js";
import { goesOnWithoutKeyring, pushesServesAndPulls } from "../support/forms.ts";
import { findPeer, missingPeers } from "../support/peers.ts";
import { FIXTURES, finished, User } from "../support/program.ts";
import { Shell } from "../support/shell.ts";
import { noClusterHere, startCluster } from "../support/slurm.ts";

const execute = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const NAME = `sregistry-${version}`;

/** `one` and `other` are made from the same checkout; `prefix` is the archive of `one`, moved and made read-only. */
let work: string;
let prefix: string;
let user: User;

/** Made for x64 alone, and compressed as fast as it goes. */
async function make(out: string): Promise<void> {
  const words = ["scripts/package.js", "--arch", "x64", "--level", "0", "--out", join(work, out)];
  await execute(process.execPath, words, { cwd: ROOT });
}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "sregistry-packages-"));
  user = await User.create("sregistry");
  await Promise.all([make("one"), make("other")]);
  await execute("tar", ["-xJf", `one/${NAME}-linux-x64.tar.xz`], { cwd: work });
  prefix = join(work, "moved");
  await rename(join(work, `${NAME}-linux-x64`), prefix);
  await execute("chmod", ["-R", "a-w", prefix]);
  await mkdir(user.path("bin"));
  await symlink(join(prefix, "bin/sregistry"), user.path("bin", "sregistry"));
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("tiny.sif"));
  expect(await user.run(["push", "-q", "tiny.sif", "lab/tool:1.0"])).toMatchObject({ status: 0 });
}, 240_000);
afterAll(async () => {
  await chmod(prefix, 0o755);
  await execute("chmod", ["-R", "u+w", prefix]);
  await rm(work, { recursive: true });
  await user[Symbol.asyncDispose]();
});

const filesOf = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory, { recursive: true })).sort();

describe("npm run package", () => {
  it("makes the same bytes twice, and sums that sha256sum checks", async () => {
    const [one, other] = await Promise.all(
      ["one", "other"].map((name) => readFile(join(work, name, "SHA256SUMS"), "utf8")),
    );
    expect(one?.trim().split("\n").length).toBe(5);
    expect(other).toBe(one);
    await execute("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: join(work, "one") });
  });

  it("tells what is in it, with licences and where it is from", async () => {
    const bill = JSON.parse(await readFile(join(work, "one", `${NAME}.cdx.json`), "utf8"));
    const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8"));
    const undici = lock.packages["node_modules/undici"].version;
    expect(bill).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.5", metadata: { component: { version } } });
    const purls = bill.components.map(({ purl }: { purl: string }) => purl);
    expect(purls).toContain(`pkg:npm/undici@${undici}`);
    expect(purls.at(-1)).toMatch(/^pkg:generic\/node@24\./);
    expect(bill.dependencies[0].dependsOn).toEqual(purls);
    const texts = await readFile(join(prefix, "share/doc/sregistry/THIRD-PARTY-LICENSES"), "utf8");
    const untold = bill.components.filter(
      ({ name, version, licenses }: { name: string; version: string; licenses: [{ license: { id: string } }] }) =>
        name !== "node" && !texts.includes(`  ${name} ${version}: ${licenses[0].license.id}\n`),
    );
    expect(untold).toEqual([]);
  });
});

describe("the executable", () => {
  it("needs nothing that RHEL 8 has not: glibc 2.28, no libatomic", async () => {
    expect(beyondLimits(needs(await readFile(join(prefix, "bin/sregistry"))))).toEqual([]);
  });

  it("starts by the word in PATH, by its path and in another directory", async () => {
    expect(await user.run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    const told = JSON.parse((await user.run(["version", "--json"], { cwd: "/" })).stdout);
    expect(told).toMatchObject({ version, node: expect.stringMatching(/^24\./), architecture: "x64" });
    await using elsewhere = await User.create(join(prefix, "bin/sregistry"));
    expect(await elsewhere.run(["list"])).toMatchObject({ status: 0 });
  });

  it("starts from the code that was compiled at build time", async () => {
    const spy = user.path("spy.cjs");
    await writeFile(
      spy,
      `const vm = require("node:vm");
       vm.Script = class extends vm.Script {
         constructor(text, options) {
           super(text, options);
           process.stderr.write("rejected: " + this.cachedDataRejected + "\\n");
         }
       };`,
    );
    const run = await user.run(["version"], { env: { NODE_OPTIONS: `--require ${spy}` } });
    expect(run).toEqual({ status: 0, stdout: `${version}\n`, stderr: "rejected: false\n" });
  });

  it("pushes, serves and pulls", () => pushesServesAndPulls(user));

  it("goes on without a keyring, and says so in one line", () => goesOnWithoutKeyring(user));

  it("ends as the program does: 2 for a wrong word, 130 for an interrupt", async () => {
    expect(await user.run(["nonsense"])).toMatchObject({ status: 2, stdout: "" });
    const server = createServer(() => child.kill("SIGINT"));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const child = user.start(["pull", "--no-https", `oras://127.0.0.1:${port}/lab/tool:1`]);
    expect(await finished(child)).toMatchObject({ status: 130, stderr: expect.stringContaining("interrupted") });
    server.close();
  });

  it("writes nothing into its prefix, and is of one piece with its pages and completions", async () => {
    const files = await filesOf(prefix);
    expect(files).toContain(`share/modulefiles/sregistry/${version}.lua`);
    expect(files).toContain("share/zsh/site-functions/_sregistry");
    expect(files).toContain("share/doc/sregistry/LICENSE-NODE");
    const { stdout } = await execute("tar", ["-tJf", join(work, "one", `${NAME}-linux-x64.tar.xz`)]);
    const packed = stdout.split("\n").map((name) => name.replace(/^[^/]*\/|\/$/g, ""));
    expect(files.filter((name) => !packed.includes(name))).toEqual([]);
  });
});

describe("the single file on a newer Node", () => {
  it("keeps what was compiled, but not where others may write", async () => {
    const node = user.path("node");
    await writeFile(node, (await nodeFor("x64")).program, { mode: 0o755 });
    await using other = await User.create(node, join(work, "one", `${NAME}.mjs`));
    const kept = other.path(".cache/sregistry/compiled");
    await mkdir(kept, { recursive: true });
    await chmod(kept, 0o777);
    expect(await other.run(["list"])).toMatchObject({ status: 0, stderr: "" });
    expect(await filesOf(kept)).toEqual([]);
    await chmod(kept, 0o700);
    expect(await other.run(["list"])).toMatchObject({ status: 0, stderr: "" });
    expect(await filesOf(kept)).not.toEqual([]);
  });
});

describe("the archive for any machine", () => {
  it("starts with a Node that is there", async () => {
    await execute("tar", ["-xJf", `one/${NAME}-noarch.tar.xz`], { cwd: work });
    await using other = await User.create(join(work, `${NAME}-noarch`, "bin/sregistry"));
    expect(await other.run(["version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("is installed by the script of conda's recipe", async () => {
    const recipe = await readFile(join(work, "one/recipes/conda-forge/recipe.yaml"), "utf8");
    const script = /^ {2}script: (.*)$/m.exec(recipe)?.[1] ?? "exit 3";
    const env = { PATH: process.env["PATH"], PREFIX: join(work, "conda") };
    await mkdir(env.PREFIX);
    await execute("bash", ["-ec", script], { cwd: join(work, `${NAME}-noarch`), env });
    await using other = await User.create(join(env.PREFIX, "bin/sregistry"));
    expect(await other.run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });
});

describe.skipIf(missingPeers("dpkg", "man", "script", "bash").length > 0)("Debian's package", () => {
  it("is installed with pages and completions, runs, and leaves nothing behind", async () => {
    const root = join(work, "root");
    await mkdir(join(root, "var/lib/dpkg/info"), { recursive: true });
    await mkdir(join(root, "var/lib/dpkg/updates"));
    // What this system has installed, so that dependencies are checked.
    await copyFile("/var/lib/dpkg/status", join(root, "var/lib/dpkg/status"));
    const before = await filesOf(root);
    const dpkg = (...words: readonly string[]) =>
      execute("dpkg", [`--root=${root}`, `--log=${join(work, "log")}`, "--force-not-root", ...words]);
    await dpkg("--install", join(work, "one", `sregistry_${version}_amd64.deb`));
    expect((await dpkg("--verify", "sregistry")).stdout).toBe("");

    const installed = await User.create(join(root, "usr/bin/sregistry"));
    expect(await installed.run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    const { stdout: page } = await execute("man", ["-w", "-M", join(root, "usr/share/man"), "sregistry-pull"]);
    expect(page).toBe(`${join(root, "usr/share/man/man1/sregistry-pull.1.gz")}\n`);
    const env = { HOME: user.home, PATH: `${join(root, "usr/bin")}:${process.env["PATH"]}` };
    await using shell = await Shell.start("bash", ":", { ...env, XDG_DATA_DIRS: join(root, "usr/share") });
    expect(await shell.tab("sregistry pull lab/to")).toBe("sregistry pull lab/tool:1.0 ");
    await installed[Symbol.asyncDispose]();

    await dpkg("--purge", "sregistry");
    const after = await filesOf(root);
    expect(after.filter((name) => !before.includes(name) && !name.startsWith("var/lib/dpkg/"))).toEqual([]);
  });
});

/** What a shell says after `module load`; `how`: where its `module` comes from. */
async function afterLoad(how: string): Promise<readonly string[]> {
  const script = `${how}
    module use ${join(prefix, "share/modulefiles")}
    module load sregistry/${version}
    command -v sregistry; man -w sregistry-pull; man -w man; echo "$XDG_DATA_DIRS"
    module unload sregistry
    command -v sregistry || echo gone; echo "$MANPATH"`;
  const env = { HOME: user.home, PATH: "/usr/bin:/bin" };
  const { stdout } = await execute("bash", ["--norc", "-c", script], { env });
  return stdout.trimEnd().split("\n");
}

const loaded = () => [
  join(prefix, "bin/sregistry"),
  join(prefix, "share/man/man1/sregistry-pull.1"),
  expect.stringMatching(/^\/usr\/share\/man\/man1\/man\.1/),
  `${join(prefix, "share")}:/usr/local/share:/usr/share`,
  "gone",
];

describe("the module file", () => {
  it.skipIf(missingPeers("modulecmd", "man").length > 0)("is loaded by Environment Modules", async () => {
    expect(await afterLoad(`module() { eval "$(${findPeer("modulecmd")} bash "$@")"; }`)).toEqual(loaded());
  });

  it.skipIf(missingPeers("lmod", "man").length > 0)("is loaded by Lmod", async () => {
    const lmod = findPeer("lmod") ?? "";
    const how = `export LMOD_PKG=${resolve(lmod, "../..")} LMOD_DIR=${resolve(lmod, "..")} LMOD_CMD=${lmod}
      export LMOD_SYSTEM_DEFAULT_MODULES=
      module() { eval "$($LMOD_CMD bash "$@")"; }`;
    expect(await afterLoad(how)).toEqual(loaded());
  });
});

describe("docs/packaging.md", () => {
  it.skipIf(missingPeers("modulecmd").length > 0)("has commands that install, as they are written", async () => {
    const text = await readFile(join(ROOT, "docs/packaging.md"), "utf8");
    const blockOf = (heading: string) =>
      new RegExp(`## ${heading}\n[^#]*?\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? "exit 3";
    const blocks = ["Check what you have", "Without root and without Node", "For a whole cluster: a module"].map(
      blockOf,
    );
    const script = [
      "set -e",
      `module() { eval "$(${findPeer("modulecmd")} bash "$@")"; }`,
      ...blocks,
      "type -p sregistry",
    ];
    const env = { HOME: user.path("doc"), PATH: "/usr/bin:/bin" };
    const written = script.join("\n").replaceAll("/opt", env.HOME);
    const { stdout } = await execute("bash", ["--norc", "-c", written], { env, cwd: join(work, "one") });
    expect(stdout.split("\n").filter((line) => !line.endsWith(": OK"))).toEqual([
      version,
      `${env.HOME}/sregistry/${version}/bin/sregistry`,
      "",
    ]);
  });

  it("is of this version", async () => {
    const text = await readFile(join(ROOT, "docs/packaging.md"), "utf8");
    expect([...text.matchAll(/sregistry[-_/]v?(\d+\.\d+\.\d+)/g)].filter(([, found]) => found !== version)).toEqual([]);
  });
});

describe.skipIf(noSlurm())("in a job of Slurm", () => {
  it("the executable on the nodes answers the one that was started", async () => {
    await using cluster = await startCluster(24);
    const env = { HOME: user.home, SREGISTRY_CACHEDIR: user.path("cache") };
    const target = join(cluster.local, "tool.sif");
    const job = await cluster.submit(
      ["-N2"],
      `PATH=${join(prefix, "bin")}:$PATH sregistry bcast lab/tool:1.0 ${target}`,
      env,
    );
    expect([await job.ended(), await job.stdout(), await job.stderr()]).toEqual([
      "0",
      `${target}\n`,
      expect.any(String),
    ]);
  });
});

function noSlurm(): boolean {
  if (missingPeers("slurmctld", "slurmd", "munged", "srun", "sbcast").length > 0) return true;
  return noClusterHere() !== undefined;
}
