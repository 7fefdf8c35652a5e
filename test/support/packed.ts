/** The package as npm would publish it, out of what is built. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const ROOT = resolve(import.meta.dirname, "../..");

export interface Packed extends AsyncDisposable {
  /** The .tgz. */
  readonly file: string;
  /** Bytes of the .tgz, and of all that is in it. */
  readonly size: number;
  readonly unpackedSize: number;
  /** Names inside the package. */
  readonly files: readonly string[];
  /** Unpacks it into `node_modules` of a project, which needs no registry. */
  installInto(project: string): Promise<void>;
}

/** Takes dist/ as it is: building it anew would pull it from under other tests. */
export async function pack(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), "sregistry-packed-"));
  const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", words, { cwd: ROOT, maxBuffer: 2 ** 26 });
  const answer: unknown = JSON.parse(stdout);
  const [about] = Array.isArray(answer) ? answer : [];
  const file = join(folder, about.filename);
  return {
    file,
    size: about.size,
    unpackedSize: about.unpackedSize,
    files: about.files.map(({ path }: { readonly path: string }) => path),
    async installInto(project) {
      const target = join(project, "node_modules", "sregistry");
      await mkdir(target, { recursive: true });
      await promisify(execFile)("tar", ["xzf", file, "-C", target, "--strip-components=1"]);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
