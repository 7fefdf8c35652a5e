/** Scripts that run rooms of src/ in processes of their own: Node 20 runs no TypeScript, so they are bundled. */
import { resolve } from "node:path";
import { build } from "esbuild";

/** `code` (TypeScript; imports as seen from the project's root) as one runnable file. */
export async function bundleScript(code: string, outfile: string): Promise<void> {
  await build({
    stdin: { contents: code, loader: "ts", resolveDir: resolve(import.meta.dirname, "../..") },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
}
