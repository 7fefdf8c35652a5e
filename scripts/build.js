/** Bundles src/ into dist/: a few files, split so that a start reads only what its verb needs; and the API's types. */
import { execFileSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { build } from "esbuild";

// A bundled CommonJS package may call `require` for Node's own modules, which an ES module lacks.
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

const { version } = JSON.parse(await readFile("package.json", "utf8"));

/**
 * Of undici only what src/http/undici.ts uses: the whole package (fetch, WebSocket, caches) would double what a transfer has
 * to load before its first request.
 */
const undiciParts = {
  name: "undici-parts",
  /** @param {import("esbuild").PluginBuild} build */
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "undici-parts" }));
    onLoad({ filter: /.*/, namespace: "undici-parts" }, () => ({
      contents: `
        import Pool from "undici/lib/dispatcher/pool.js";
        import connect from "undici/lib/api/api-connect.js";
        // Its index gives the pools their methods; of those only CONNECT, for tunnels, is used.
        Pool.prototype.connect = connect;
        export { Pool };
        export { default as buildConnector } from "undici/lib/core/connect.js";`,
      resolveDir: ".",
    }));
  },
};

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
  plugins: [undiciParts],
});
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
