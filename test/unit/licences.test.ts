/** A bundle without the licences of its parts may not be handed on. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundledPackages, licenceTexts } from "../../scripts/licences.js";

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "sregistry-licences-"));
});
afterAll(() => rm(work, { recursive: true }));

/** A program that uses packages with these files. */
async function bundle(packages: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<Metafile> {
  for (const [name, files] of Object.entries(packages)) {
    const folder = join(work, "node_modules", name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "index.js"), `export const one = "${name}";`);
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  }
  const contents = Object.keys(packages).map((name) => `export * as ${name.replace(/\W/g, "_")} from "${name}";`);
  const { metafile } = await build({
    stdin: { contents: contents.join("\n"), resolveDir: work },
    bundle: true,
    format: "esm",
    write: false,
    metafile: true,
  });
  return metafile;
}

const MIT = '{"name": "right", "version": "1.2.3", "license": "MIT", "main": "index.js"}';

describe("what is bundled", () => {
  it("is listed with its version, licence and text", async () => {
    const scoped = MIT.replace("right", "@some/where");
    const metafile = await bundle({
      right: { "package.json": MIT, "LICENSE.md": "Do what you like.\n" },
      "@some/where": { "package.json": scoped, "license-mit": "As above.\n" },
    });
    const packages = await bundledPackages(metafile);
    expect(packages.map(({ name, version, license, text }) => [name, version, license, text])).toEqual([
      ["@some/where", "1.2.3", "MIT", "As above.\n"],
      ["right", "1.2.3", "MIT", "Do what you like.\n"],
    ]);
    expect(licenceTexts(packages)).toContain("  right 1.2.3: MIT\n");
    expect(licenceTexts(packages)).toContain("right 1.2.3\n\nDo what you like.\n");
  });

  it("stops the build where the text of a licence is missing", async () => {
    const metafile = await bundle({ bare: { "package.json": MIT.replace("right", "bare") } });
    await expect(bundledPackages(metafile)).rejects.toThrow(/^bare: there is no text of its licence \(MIT\) in /);
  });

  it("stops the build where no licence is named", async () => {
    const metafile = await bundle({ unnamed: { "package.json": '{"name": "unnamed"}', LICENSE: "?" } });
    await expect(bundledPackages(metafile)).rejects.toThrow("unnamed: its package.json names no licence");
  });
});
