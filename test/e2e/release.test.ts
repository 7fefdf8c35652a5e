/** `npm run release`, in a repository of its own. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { notesOf, released } from "../../scripts/changelog.js";
import { finished, type Run } from "../support/program.ts";

const ROOT = resolve(import.meta.dirname, "../..");

class Checkout implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** The files that git knows, as they are now, in one commit on main; `npm run check` only leaves a word. */
  static async create(): Promise<Checkout> {
    const made = new Checkout(await mkdtemp(join(tmpdir(), "sregistry-release-")));
    const names = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
    for (const name of names.toString().trim().split("\n")) {
      if (existsSync(join(ROOT, name))) await cp(join(ROOT, name), made.file(name));
    }
    await symlink(join(ROOT, "node_modules"), made.file("node_modules"));
    const about = JSON.parse(await made.read("package.json"));
    about.scripts.check = "echo checked";
    await writeFile(made.file("package.json"), `${JSON.stringify(about, null, 2)}\n`);
    await writeFile(
      made.file("CHANGELOG.md"),
      "# Changelog\n\n## Unreleased\n\n### Added\n- More.\n\n## 0.0.1 - 2020-01-01\n\n- All.\n",
    );
    made.git("init", "--quiet", "--initial-branch=main");
    made.git("config", "user.name", "Releaser");
    made.git("config", "user.email", "releaser@example.org");
    await writeFile(made.file(".git", "info", "exclude"), "node_modules\n");
    made.git("add", "--all");
    made.git("commit", "--quiet", "-m", "before");
    return made;
  }

  file(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  read(name: string): Promise<string> {
    return readFile(this.file(name), "utf8");
  }

  git(...words: readonly string[]): string {
    return execFileSync("git", words, { cwd: this.path, encoding: "utf8" }).trim();
  }

  release(...words: readonly string[]): Promise<Run> {
    return finished(spawn("npm", ["run", "--silent", "release", "--", ...words], { cwd: this.path }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

const PLAN = `would do CHANGELOG.md: what is unreleased becomes this version of today
would do package.json, package-lock.json: the version
would do npm run docs: man pages carry version and date
would do npm run check
would do git commit "sregistry 9.8.7"
would do git tag v9.8.7, annotated with the changelog's section
then: git push --atomic origin main v9.8.7
`;

describe("npm run release", () => {
  it("says what it would do; does it; and does it once", async () => {
    await using checkout = await Checkout.create();
    const before = checkout.git("rev-parse", "HEAD");
    expect(await checkout.release("9.8.7", "--dry-run")).toEqual({ status: 0, stdout: PLAN, stderr: "" });
    expect([checkout.git("rev-parse", "HEAD"), checkout.git("status", "--porcelain"), checkout.git("tag")]).toEqual([
      before,
      "",
      "",
    ]);

    const { status, stdout, stderr } = await checkout.release("9.8.7");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("\nchecked\n");
    expect(stdout.endsWith("now: git push --atomic origin main v9.8.7\n")).toBe(true);
    expect(checkout.git("log", "-1", "--format=%s")).toBe("sregistry 9.8.7");
    expect(checkout.git("status", "--porcelain")).toBe("");
    expect(checkout.git("for-each-ref", "--format=%(objecttype) %(contents)", "refs/tags/v9.8.7")).toBe(
      "tag sregistry 9.8.7\n\n### Added\n- More.",
    );
    expect(JSON.parse(await checkout.read("package.json")).version).toBe("9.8.7");
    const lock = JSON.parse(await checkout.read("package-lock.json"));
    expect([lock.version, lock.packages[""].version]).toEqual(["9.8.7", "9.8.7"]);
    const today = /## Unreleased\n\n## 9\.8\.7 - (\d{4}-\d\d-\d\d)\n\n### Added/.exec(
      await checkout.read("CHANGELOG.md"),
    )?.[1];
    expect(await checkout.read("man/sregistry.1")).toContain(`.TH SREGISTRY 1 "${today}" "sregistry 9.8.7"`);
    const notes = spawn(process.execPath, ["scripts/changelog.js", "9.8.7"], { cwd: checkout.path });
    expect(await finished(notes)).toEqual({ status: 0, stdout: "### Added\n- More.\n", stderr: "" });

    expect(await checkout.release("9.8.7")).toMatchObject({
      status: 1,
      stderr: "no release: the tag v9.8.7 is there already\n",
    });
    expect((await checkout.release("9.8.8")).stderr).toContain("CHANGELOG.md says nothing of what is unreleased");
  });

  it("refuses what is no version or a lower one, another branch, and a checkout with changes", async () => {
    await using checkout = await Checkout.create();
    const refused = async (...words: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await checkout.release(...words);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      return stderr;
    };
    expect(await refused()).toBe("no release: which version? npm run release -- 0.2.0\n");
    expect(await refused("v9")).toBe('no release: "v9" is no version: npm run release -- 0.2.0\n');
    expect(await refused("0.0.9")).toMatch(/^no release: 0\.0\.9 is lower than \S+, the version in package\.json\n$/);
    await writeFile(checkout.file("more"), "");
    expect(await refused("9.8.7")).toBe("no release: commit or put away first:\n?? more\n");
    checkout.git("checkout", "--quiet", "-b", "fix");
    expect(await refused("9.8.7")).toBe("no release: this is branch fix: releases are made on main\n");
  });
});

describe("the changelog", () => {
  const text = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");

  it("has something to release, or a section for the version that is there", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(notesOf(text, version).length).toBeGreaterThan(0);
  });

  it("moves a first version that was announced by its number", () => {
    const announced = "# Changelog\n\n## 0.1.0 - unreleased\n\nFirst.\n";
    expect(released(announced, "0.1.0", "2026-12-24")).toBe(
      "# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-12-24\n\nFirst.\n",
    );
    expect(() => notesOf(announced, "0.1.1")).toThrow("CHANGELOG.md has no section for 0.1.1");
  });
});
