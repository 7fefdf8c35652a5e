/** An npm registry on loopback that has this package alone, packed as `npm publish` would pack it. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

export interface NpmRegistry extends AsyncDisposable {
  /** By which npm finds it, and leaves what is optional out. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startNpmRegistry(): Promise<NpmRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "sregistry-npm-"));
  const root = resolve(import.meta.dirname, "../..");
  // dist/ is there: the tests run the built program.
  const words = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", words, { cwd: root });
  const tarball = await readFile(join(folder, stdout.trim()));
  const { version, bin } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const server = createServer(({ url }, answer) => {
    if (url === "/tarball.tgz") return answer.end(tarball);
    if (url !== "/sregistry") return answer.writeHead(404).end();
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    const dist = { tarball: `http://127.0.0.1:${port}/tarball.tgz`, integrity };
    const versions = { [version]: { name: "sregistry", version, bin, dist } };
    return answer.end(JSON.stringify({ name: "sregistry", "dist-tags": { latest: version }, versions }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    env: { npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_audit: "false", npm_config_fund: "false" },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
