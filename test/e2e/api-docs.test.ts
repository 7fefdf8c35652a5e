/** docs/api.md as a reader would use it: each program run as written, in a project that has the packed package installed. */
import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../../src/index.ts";
import { type Packed, pack } from "../support/packed.ts";
import { readPage } from "../support/page.ts";
import { FIXTURES, finished } from "../support/program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readPage("api.md");
const programs = page.programs.map((program, index) => ({ ...program, file: `program-${index}.${program.language}` }));

let packed: Packed;
/** Where all programs are checked, and those in TypeScript translated. */
let project: string;

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sregistry-project-"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
  await copyFile(join(FIXTURES, "tiny.sif"), join(folder, "tool.sif"));
  return folder;
}

/** What the compiler says, as a consumer's strict settings have it; nothing when all is well. */
async function compile(more: Readonly<Record<string, unknown>>): Promise<string> {
  const compilerOptions = {
    ...{ target: "es2022", lib: ["es2023", "esnext.disposable"], types: ["node"], skipLibCheck: false },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ allowJs: true, checkJs: true, outDir: "out" },
    ...more,
  };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["program-*"] }));
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const run = await finished(spawn(process.execPath, [tsc, "-p", "."], { cwd: project }));
  return run.stdout + run.stderr;
}

beforeAll(async () => {
  packed = await pack();
  project = await makeFolder();
  await packed.installInto(project);
  // As in any project for Node that is written in TypeScript.
  await mkdir(join(project, "node_modules", "@types"));
  await symlink(join(ROOT, "node_modules", "@types", "node"), join(project, "node_modules", "@types", "node"));
  for (const { file, content } of programs) await writeFile(join(project, file), content);
});

afterAll(async () => {
  await packed[Symbol.asyncDispose]();
  await rm(project, { recursive: true, force: true });
});

describe("docs/api.md", () => {
  it("has programs that the shipped types accept, for Node's resolution and for bundlers'", async () => {
    expect(await compile({ module: "esnext", moduleResolution: "bundler", noEmit: true })).toBe("");
    expect(await compile({ module: "node16", moduleResolution: "node16" })).toBe("");
  });

  it.each(programs)("runs as it is written: $heading ($file)", async ({ file, language, prints }) => {
    const folder = await makeFolder();
    await symlink(join(project, "node_modules"), join(folder, "node_modules"));
    await copyFile(
      join(project, language === "js" ? file : join("out", file.replace(/ts$/, "js"))),
      join(folder, "program.js"),
    );
    const run = await finished(
      spawn(process.execPath, ["program.js"], { cwd: folder, env: { HOME: folder, PATH: process.env["PATH"] } }),
    );
    await rm(folder, { recursive: true, force: true });
    expect(run).toEqual({ status: 0, stdout: prints, stderr: "" });
  });

  it("shows every method of a client", async () => {
    await using client = await createClient({ home: project });
    const methods = Object.entries(client).flatMap(([name, value]) =>
      typeof value === "function" ? [name] : Object.keys(value).map((part) => `${name}.${part}`),
    );
    expect(methods.length).toBeGreaterThan(30);
    expect(methods.filter((name) => !page.text.includes(`client.${name}`))).toEqual([]);
  });
});
