/** Copies between real registries: what crane and regctl made is found by them at the other one, under the same digest. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers, type PeerRegistry, peer, startRegistry } from "../support/peers.ts";
import { FIXTURES, User } from "../support/program.ts";

const run = promisify(execFile);
const NEEDED = ["docker-registry", "registry", "crane", "regctl"] as const;
const WAYS = [
  ["docker-registry", "registry"],
  ["registry", "docker-registry"],
] as const;

describe.skipIf(missingPeers(...NEEDED).length > 0).each(WAYS)("%s -> %s", (one, other) => {
  let user: User;
  let from: PeerRegistry;
  let to: PeerRegistry;

  beforeAll(async () => {
    user = await User.create();
    [from, to] = await Promise.all([startRegistry(one), startRegistry(other)]);
    for (const name of ["a", "b", "c"]) {
      await writeFile(user.path(`${name}.bin`), randomBytes(3_000_000));
      await run("tar", ["-C", user.home, "-cf", user.path(`${name}.tar`), `${name}.bin`]);
    }
    await crane("append", "-f", user.path("a.tar"), "-f", user.path("b.tar"), "-t", `${from.host}/hub/app:amd`);
    await crane("append", "-f", user.path("c.tar"), "-t", `${from.host}/hub/app:arm`);
    const children = ["amd", "arm"].flatMap((tag) => ["-m", `${from.host}/hub/app:${tag}`]);
    await crane("index", "append", ...children, "-t", `${from.host}/hub/app:all`);
  });
  afterAll(async () => {
    await Promise.all([from[Symbol.asyncDispose](), to[Symbol.asyncDispose]()]);
    await user[Symbol.asyncDispose]();
  });

  const crane = (...words: readonly string[]) => peer("crane", ...words, "--insecure");
  const copy = async (...words: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await user.run(["copy", ...words, "--progress", "none"]);
    expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error|warning/)]);
    return stdout;
  };

  it("mirrors images in layers and an index, which crane finds whole", async () => {
    const digests = await Promise.all(
      ["all", "amd", "arm"].map((tag) => crane("digest", `${from.host}/hub/app:${tag}`)),
    );
    const mirror = `docker://${to.host}/mirror/app`;
    const rows = (word: string) =>
      ["all", "amd", "arm"].map((tag, index) => `${tag}\t${word}\t${mirror}@${digests[index]?.trim()}\n`).join("");
    // registry:2 lists tags in no order.
    const all = async () =>
      (await copy("--all", `docker://${from.host}/hub/app`, mirror))
        .split(/(?<=\n)/)
        .sort()
        .join("");
    expect(await all()).toBe(rows("copied"));
    expect(await all()).toBe(rows("same"));
    for (const tag of ["all", "amd", "arm"]) await crane("validate", "--remote", `${to.host}/mirror/app:${tag}`);
  });

  it("mounts within one registry", async () => {
    const { stderr } = await user.run([
      "-v",
      "copy",
      `docker://${from.host}/hub/app:amd`,
      `docker://${from.host}/hub/two`,
    ]);
    expect(stderr.match(/: mounted$/gm)?.length).toBe(3);
    await crane("validate", "--remote", `${from.host}/hub/two:amd`);
  });

  it("takes attached artifacts along", async () => {
    await writeFile(user.path("sbom.json"), "{}");
    const words = ["artifact", "put", "--artifact-type", "application/vnd.example.sbom", "-f", user.path("sbom.json")];
    const insecure = (host: string) => ["--host", `reg=${host},tls=disabled`];
    await peer("regctl", ...insecure(from.host), ...words, "--subject", `${from.host}/hub/app:amd`);
    await copy("--referrers", `docker://${from.host}/hub/app:amd`, `docker://${to.host}/mirror/attached`);
    const listed = await peer("regctl", ...insecure(to.host), "artifact", "list", `${to.host}/mirror/attached:amd`);
    expect(listed).toContain("application/vnd.example.sbom");
  });

  it("gives a SIF from the local store to one, to the other and back", async () => {
    await user.run(["push", join(FIXTURES, "tiny.sif"), "local://lab/tiny:1"]);
    const first = await copy("local://lab/tiny:1", `oras://${from.host}/lab/tiny`);
    const second = await copy(`oras://${from.host}/lab/tiny:1`, `oras://${to.host}/lab/tiny`);
    const third = await copy(`oras://${to.host}/lab/tiny:1`, "local://lab/back");
    const digest = (line: string) => line.slice(line.indexOf("@"));
    expect([digest(second), digest(third)]).toEqual([digest(first), digest(first)]);
  });
});
