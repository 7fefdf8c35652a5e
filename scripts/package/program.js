/** The whole program as the text of one CommonJS module that exports `start`. */
import { build } from "esbuild";
import { bundleOptions } from "../bundle.js";

/**
 * @param {"file" | "executable"} form
 * @returns {Promise<{ code: string, metafile: import("esbuild").Metafile }>}
 */
export async function bundleProgram(form) {
  const options = bundleOptions(form);
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: ["src/start.ts"],
    format: "cjs",
    // Asked for by the npm package's form alone.
    define: { ...options.define, "import.meta.url": "undefined" },
    write: false,
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error("esbuild made no file");
  return { code: output.text, metafile };
}
