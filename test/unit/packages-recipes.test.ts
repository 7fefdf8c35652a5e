/** Recipes for other package managers: filled in, and of a form that their programs read. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { neededNode, version } from "../../scripts/bundle.js";
import { recipes } from "../../scripts/package/recipes.js";
import { parseYaml } from "../../src/yaml/document.ts";

const KINDS = ["noarch", "linux-x64", "linux-arm64"];
const sum = (kind: string): string => createHash("sha256").update(kind).digest("hex");

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "sregistry-recipes-"));
  for (const kind of KINDS) await writeFile(join(work, `sregistry-${version}-${kind}.tar.xz`), kind);
});
afterAll(() => rm(work, { recursive: true }));

async function recipe(path: string): Promise<string> {
  const found = (await recipes(work, "https://example.org/v1")).find((one) => one.path === path);
  return found?.text ?? `there is no ${path}`;
}

/** @throws with Python's complaint. */
async function compiles(text: string): Promise<void> {
  await promisify(execFile)("python3", ["-c", "import sys; compile(sys.argv[1], 'recipe', 'exec')", text]);
}

describe("the recipe for", () => {
  it("conda-forge says where the archive for any machine is", async () => {
    const text = await recipe("conda-forge/recipe.yaml");
    expect(parseYaml(text, "recipe.yaml").value).toBeInstanceOf(Map);
    expect(text).toContain(`  version: "${version}"\n`);
    expect(text).toContain(`  sha256: ${sum("noarch")}\n`);
    expect(text).toContain("  url: https://example.org/v1/sregistry-");
    expect(text).toContain(`    - nodejs >=${neededNode}\n`);
  });

  it("Spack is Python, and asks for Node", async () => {
    const text = await recipe("spack/packages/sregistry/package.py");
    await compiles(text);
    expect(text).toContain(`version("${version}", sha256="${sum("noarch")}")`);
    expect(text).toContain(`depends_on("node-js@${neededNode}:", type="run")`);
  });

  it("EasyBuild is Python, and has a sum for each machine", async () => {
    const text = await recipe(`easybuild/sregistry-${version}.eb`);
    await compiles(text);
    expect(text).toContain(`'sregistry-${version}-linux-x64.tar.xz': '${sum("linux-x64")}'`);
    expect(text).toContain(`'sregistry-${version}-linux-arm64.tar.xz': '${sum("linux-arm64")}'`);
  });
});

describe("a recipe", () => {
  it("whose archives were not made is left out", async () => {
    await rm(join(work, `sregistry-${version}-linux-arm64.tar.xz`));
    const paths = (await recipes(work, "https://example.org/v1")).map(({ path }) => path);
    expect(paths).toEqual(["conda-forge/recipe.yaml", "spack/packages/sregistry/package.py"]);
  });
});
