/** What every bundle of src/ has in common: dist/ of the npm package, the single file, and the single executable. */
import { readFile } from "node:fs/promises";

/** @typedef {import("esbuild").BuildOptions} BuildOptions */

/** @type {{ version: string, engines: { node: string } }} */
const manifest = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

export const { version } = manifest;
/** The oldest that the program runs on. */
export const neededNode = manifest.engines.node.replace(">=", "");

/**
 * Of undici only what src/http/undici.ts uses: the whole package (fetch, WebSocket, caches) would double what a transfer has
 * to load before its first request.
 *
 * @type {import("esbuild").Plugin}
 */
const undiciParts = {
  name: "undici-parts",
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

/**
 * Of inquirer everything but prompts that open an editor: the tables of character sets which those bring are a quarter of all.
 *
 * @type {import("esbuild").Plugin}
 */
const withoutEditor = {
  name: "without-editor",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@inquirer\/external-editor$/ }, ({ path }) => ({ path, namespace: "without-editor" }));
    onLoad({ filter: /.*/, namespace: "without-editor" }, () => ({ contents: "export const editAsync = undefined;" }));
  },
};

/** @param {"package" | "file" | "executable"} form see src/version.ts */
export function bundleOptions(form) {
  /** @satisfies {BuildOptions} */
  const options = {
    bundle: true,
    platform: "node",
    target: "node20.18",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    // Native, optional, and looked for when it is used.
    external: ["@napi-rs/keyring"],
    define: { SREGISTRY_VERSION: JSON.stringify(version), SREGISTRY_FORM: JSON.stringify(form) },
    plugins: [undiciParts, withoutEditor],
    metafile: true,
  };
  return options;
}
