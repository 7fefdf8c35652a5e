/** Bundles src/ into dist/: a few files, split so that a start reads only what its verb needs; and the API's types. */
import { execFileSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { build } from "esbuild";

// A bundled CommonJS package may call `require` for Node's own modules, which an ES module lacks.
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

const { version } = JSON.parse(await readFile("package.json", "utf8"));

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/start.ts", "src/index.ts", "src/keyring.ts"],
  // Native, optional, and looked for when it is used.
  external: ["@napi-rs/keyring"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.18",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  chunkNames: "chunk-[hash]",
  define: { SREGISTRY_VERSION: JSON.stringify(version) },
  banner: { js: REQUIRE },
});
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
