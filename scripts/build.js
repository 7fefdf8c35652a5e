/** Bundles src/ into dist/: a few files, split so that a start reads only what its verb needs; the API's types, and licences. */
import { execFileSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.js";
import { bundledPackages, licenceTexts } from "./licences.js";

// A bundled CommonJS package may call `require` for Node's own modules, which an ES module lacks.
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

await rm("dist", { recursive: true, force: true });
const { metafile } = await build({
  ...bundleOptions("package"),
  entryPoints: ["src/start.ts", "src/index.ts", "src/keyring.ts"],
  outdir: "dist",
  splitting: true,
  format: "esm",
  chunkNames: "chunk-[hash]",
  banner: { js: REQUIRE },
});
await writeFile("dist/THIRD-PARTY-LICENSES", licenceTexts(await bundledPackages(metafile)));
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
