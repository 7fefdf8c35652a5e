/**
 * `sregistry serve` as a library and as a Singularity Registry Server: the client inside SingularityCE, the old Python
 * client, oras-go and our own client push, pull, search and delete there, and each reads what the others wrote.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers, type OldClientAccess, oldClient, peer } from "../support/peers.ts";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";
import { logInToLibrary } from "../support/remote-login.ts";

const TINY = join(FIXTURES, "tiny.sif");
const ARM64 = join(FIXTURES, "tiny_arm64.sif");
/** Singularity sends what is larger than 64 MiB in parts. */
const IN_PARTS = 70 * 1024 * 1024;

async function sha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

describe.skipIf(missingPeers("scs-peer", "python-sregistry", "oras-peer").length > 0)("serve", () => {
  /** Who runs the server, and whose store it serves. */
  let owner: User;
  /** Who is logged in there. */
  let laptop: User;
  let served: Served;
  let access: OldClientAccess;
  let remotes: string;

  beforeAll(async () => {
    owner = await User.create();
    laptop = await User.create();
    const token = (await ok(owner.run(["serve", "user", "add", "vanessa"]))).stdout.trim();
    served = await owner.serve(["--public-read"]);
    access = { url: served.url, username: "vanessa", token };
    remotes = await logInToLibrary(laptop, "lab", served.url, token);
    await ok(laptop.run(["login", served.host, "--username", "vanessa", "--password-stdin"], { input: token }));
  });
  afterAll(async () => {
    await served.stop();
    await laptop[Symbol.asyncDispose]();
    await owner[Symbol.asyncDispose]();
  });

  const scs = async (verb: string, ...words: readonly string[]): Promise<unknown> =>
    JSON.parse(await peer("scs-peer", verb, access.url, access.token, ...words));
  const old = (...words: readonly string[]): Promise<Run> => oldClient(laptop.home, access, ...words);
  /** Our program with the old client's settings. */
  const asOld = (words: readonly string[]): Promise<Run> =>
    laptop.run(words, {
      env: {
        SREGISTRY_CLIENT: "registry",
        SREGISTRY_REGISTRY_BASE: access.url,
        SREGISTRY_REGISTRY_USERNAME: access.username,
        SREGISTRY_REGISTRY_TOKEN: access.token,
      },
    });

  type Write = (name: string) => Promise<unknown>;
  const WRITERS: Readonly<Record<string, Write>> = {
    "SingularityCE's library client": (name) => scs("push", TINY, `vanessa/dinosaur/${name}`, "1.0"),
    "the old Python client": async (name) => {
      const { stdout } = await old("push", TINY, "--name", `dinosaur/${name}`, "--tag", "1.0");
      expect(stdout).toContain("[Return status 200 Upload Complete]");
    },
    "push library://": (name) => ok(laptop.run(["push", "-U", TINY, `library://vanessa/dinosaur/${name}:1.0`])),
    "push with SREGISTRY_CLIENT=registry": (name) => ok(asOld(["push", "-U", TINY, `dinosaur/${name}:1.0`])),
    "push oras://": (name) => ok(laptop.run(["push", TINY, `oras://${served.host}/dinosaur/${name}:1.0`])),
    "push local://": (name) => ok(owner.run(["push", TINY, `local://dinosaur/${name}:1.0`])),
  };

  /** Where the image is afterwards. */
  type Read = (name: string, file: string) => Promise<unknown>;
  const READERS: Readonly<Record<string, Read>> = {
    "SingularityCE's library client": (name, file) => scs("pull", file, `vanessa/dinosaur/${name}`, "1.0", "amd64"),
    "the old Python client": (name, file) => old("pull", "--no-cache", "--name", file, `dinosaur/${name}:1.0`),
    "oras-go": async (name, file) => {
      const directory = `${file}.d`;
      await mkdir(directory);
      await peer("oras-peer", "pull", `${served.host}/dinosaur/${name}:1.0`, directory);
      await writeFile(file, await readFile(await onlyFile(directory)));
    },
    "pull library://": (name, file) => laptop.run(["pull", "-o", file, `library://vanessa/dinosaur/${name}:1.0`]),
    "pull shub://": (name, file) => laptop.run(["pull", "-o", file, `shub://${served.host}/dinosaur/${name}:1.0`]),
    "pull with SREGISTRY_CLIENT=registry": (name, file) => asOld(["pull", "-o", file, `dinosaur/${name}:1.0`]),
    "pull oras://": (name, file) => laptop.run(["pull", "-o", file, `oras://${served.host}/dinosaur/${name}:1.0`]),
    "pull local://": (name, file) => owner.run(["pull", "-o", file, `local://dinosaur/${name}:1.0`]),
  };

  for (const [index, [writer, write]] of Object.entries(WRITERS).entries()) {
    it(`what ${writer} wrote is read by all`, async () => {
      const name = `written${index}`;
      await write(name);
      const found: Record<string, string> = {};
      for (const [at, [reader, read]] of Object.entries(READERS).entries()) {
        const file = laptop.path(`${name}-${at}.sif`);
        const answer = await read(name, file);
        found[reader] = await sha256(file).catch(() => JSON.stringify(answer));
      }
      const wanted = await sha256(TINY);
      expect(found).toEqual(Object.fromEntries(Object.keys(READERS).map((reader) => [reader, wanted])));
    });
  }

  it("an image in parts goes both ways", async () => {
    for (const file of ["theirs.sif", "ours.sif"]) {
      await writeFile(laptop.path(file), Buffer.concat([await readFile(TINY), randomBytes(IN_PARTS)]));
    }
    await scs("push", laptop.path("theirs.sif"), "vanessa/dinosaur/theirs", "1.0");
    await ok(laptop.run(["pull", "-o", "theirs-back.sif", "library://vanessa/dinosaur/theirs:1.0"]));
    expect(await sha256(laptop.path("theirs-back.sif"))).toBe(await sha256(laptop.path("theirs.sif")));
    await ok(laptop.run(["push", "-U", "ours.sif", "library://vanessa/dinosaur/ours:1.0"]));
    const back = await scs("pull", laptop.path("ours-back.sif"), "vanessa/dinosaur/ours", "1.0", "amd64");
    expect(back).toBe(`sha256.${await sha256(laptop.path("ours.sif"))}`);
    const python = await old("pull", "--no-cache", "--name", "ours-old.sif", "dinosaur/ours:1.0");
    expect(python.status).toBe(0);
    expect(await sha256(laptop.path("ours-old.sif"))).toBe(await sha256(laptop.path("ours.sif")));
  });

  it("a second push of the same image sends no bytes, whoever was first", async () => {
    await scs("push", TINY, "vanessa/dinosaur/same", "1.0,latest");
    const ours = await ok(laptop.run(["push", "-U", "--json", TINY, "library://vanessa/dinosaur/same:1.0"]));
    expect(JSON.parse(ours.stdout)).toMatchObject({ transfer: "present" });
    // The client's word for "nothing was uploaded".
    expect(await scs("push", TINY, "vanessa/dinosaur/same", "2.0")).toBe(null);
  });

  it("one tag, two architectures", async () => {
    await scs("push", TINY, "vanessa/dinosaur/both", "1.0");
    await ok(laptop.run(["push", "-U", ARM64, "library://vanessa/dinosaur/both:1.0"]));
    for (const [architecture, file] of [
      ["amd64", TINY],
      ["arm64", ARM64],
    ] as const) {
      const hash = await sha256(file);
      const theirs = await scs("pull", laptop.path("both.sif"), "vanessa/dinosaur/both", "1.0", architecture);
      expect({ architecture, theirs }).toEqual({ architecture, theirs: `sha256.${hash}` });
      await ok(
        laptop.run([
          "pull",
          "--force",
          "-o",
          "both.sif",
          "--arch",
          architecture,
          "library://vanessa/dinosaur/both:1.0",
        ]),
      );
      expect(await sha256(laptop.path("both.sif"))).toBe(hash);
    }
  });

  it("each finds what the other pushed", async () => {
    await scs("push", TINY, "vanessa/searched/theirs", "1.0");
    await ok(laptop.run(["push", "-U", TINY, "library://vanessa/searched/ours:1.0"]));
    const found = (await scs("search", "searched")) as { image: { containerName: string; tags: string[] }[] };
    expect(found.image.map(({ containerName, tags }) => [containerName, ...tags]).sort()).toEqual([
      ["ours", "1.0"],
      ["theirs", "1.0"],
    ]);
    const ours = await ok(laptop.run(["search", "--json", "searched", "library://"]));
    const { images } = JSON.parse(ours.stdout) as { images: { name: string; tags: string[] }[] };
    expect(images.map(({ name, tags }) => [name, ...tags]).sort()).toEqual([
      ["library://searched/ours:1.0", "1.0"],
      ["library://searched/theirs:1.0", "1.0"],
    ]);
    const python = await old("search", "searched");
    expect(python.stdout.match(/searched\/\w+:1\.0/g)?.sort()).toEqual(["searched/ours:1.0", "searched/theirs:1.0"]);
  });

  it("labels of what the others pushed, and metadata that no server stores", async () => {
    await scs("push", TINY, "vanessa/labelled/theirs", "1.0");
    await old("push", TINY, "--name", "labelled/older", "--tag", "1.0");
    for (const name of ["theirs", "older"]) {
      const reference = `library://labelled/${name}:1.0`;
      const { stdout } = await ok(laptop.run(["labels", reference, "--key", "maintainer"]));
      expect(stdout).toBe(`maintainer\tvanessasaur\t${reference}\n`);
      const listed = await ok(laptop.run(["list", reference, "--runscript"]));
      expect(listed.stdout).toContain('exec /bin/hello "$@"');
    }
  });

  it("the old client pushes the same bytes again, and the image is still there", async () => {
    for (let times = 0; times < 2; times += 1) {
      const { stdout } = await old("push", TINY, "--name", "dinosaur/again", "--tag", "1.0");
      expect(stdout).toContain("[Return status 200 Upload Complete]");
    }
    const back = await scs("pull", laptop.path("again.sif"), "vanessa/dinosaur/again", "1.0", "amd64");
    expect(back).toBe(`sha256.${await sha256(TINY)}`);
  });

  it("what one deletes the others miss", async () => {
    const gone = async (name: string): Promise<void> => {
      const theirs = scs("pull", laptop.path("gone.sif"), `vanessa/deleted/${name}`, "1.0", "amd64");
      await expect(theirs).rejects.toThrow(`image does not exist in the library: vanessa/deleted/${name}:1.0 (amd64)`);
      expect((await old("pull", "--no-cache", `deleted/${name}:1.0`)).stderr).toContain("Not Found: 404");
      const ours = await laptop.run(["pull", "-o", "gone.sif", `library://vanessa/deleted/${name}:1.0`]);
      expect({ name, status: ours.status }).toEqual({ name, status: 3 });
    };
    for (const name of ["a", "b", "c", "d"]) await scs("push", TINY, `vanessa/deleted/${name}`, "1.0");
    expect(await scs("delete", "vanessa/deleted/a", "1.0", "amd64")).toBe("deleted");
    await gone("a");
    expect((await old("delete", "--force", "deleted/b:1.0")).stdout).toContain("Response 204, No Content");
    await gone("b");
    await ok(laptop.run(["delete", "--force", "library://vanessa/deleted/c:1.0"]));
    await gone("c");
    await ok(asOld(["delete", "--force", "deleted/d:1.0"]));
    await gone("d");
  });

  it("a private collection is for its owner, by every protocol", async () => {
    await ok(laptop.run(["collection", "create", "hidden", "--private", "library://"]));
    await scs("push", TINY, "vanessa/hidden/tool", "1.0");
    const file = laptop.path("hidden.sif");
    expect(await scs("pull", file, "vanessa/hidden/tool", "1.0", "amd64")).toBe(`sha256.${await sha256(TINY)}`);
    expect((await old("pull", "--no-cache", "--name", "hidden-old.sif", "hidden/tool:1.0")).status).toBe(0);
    expect(await sha256(laptop.path("hidden-old.sif"))).toBe(await sha256(TINY));
    await ok(laptop.run(["pull", "--force", "-o", "hidden.sif", "library://vanessa/hidden/tool:1.0"]));
    await ok(asOld(["pull", "--force", "-o", "hidden.sif", "hidden/tool:1.0"]));
    const stranger = peer("scs-peer", "pull", access.url, "", file, "vanessa/hidden/tool", "1.0", "amd64");
    await expect(stranger).rejects.toThrow("image does not exist in the library");
    await using nobody = await User.create();
    const reference = `library://${served.host}/vanessa/hidden/tool:1.0`;
    const refused = await nobody.run(["pull", "-o", "hidden.sif", reference]);
    expect({ status: refused.status, stderr: refused.stderr }).toEqual({
      status: 4,
      stderr: expect.stringContaining("is private"),
    });
    const wrong = await oldClient(nobody.home, { ...access, token: "0".repeat(40) }, "pull", "hidden/tool:1.0");
    expect({ status: wrong.status, stdout: wrong.stdout.includes("Success!") }).toEqual({ status: 1, stdout: false });
  });

  it("a frozen tag stays, whoever pushes", async () => {
    await scs("push", TINY, "vanessa/dinosaur/frozen", "1.0");
    await ok(owner.run(["serve", "freeze", "dinosaur/frozen:1.0"]));
    await expect(scs("push", ARM64, "vanessa/dinosaur/frozen", "1.0", "arm64")).rejects.toThrow("frozen");
    const python = await old("push", ARM64, "--name", "dinosaur/frozen", "--tag", "1.0");
    expect(python.stdout).toContain("already exists.");
    for (const run of [
      laptop.run(["push", "-U", ARM64, "library://vanessa/dinosaur/frozen:1.0"]),
      asOld(["push", "-U", ARM64, "dinosaur/frozen:1.0"]),
      laptop.run(["push", ARM64, `oras://${served.host}/dinosaur/frozen:1.0`]),
    ]) {
      const { status, stderr } = await run;
      expect({ status, stderr }).toEqual({ status: 5, stderr: expect.stringContaining("frozen") });
    }
    expect(await scs("pull", laptop.path("frozen.sif"), "vanessa/dinosaur/frozen", "1.0", "amd64")).toBe(
      `sha256.${await sha256(TINY)}`,
    );
  });

  it("a wrong token pushes nothing, whoever sends it", async () => {
    const wrong = { ...access, token: "0".repeat(40) };
    const theirs = peer("scs-peer", "push", access.url, wrong.token, TINY, "vanessa/refused/a", "1.0");
    await expect(theirs).rejects.toThrow("401 Unauthorized");
    const python = await oldClient(laptop.home, wrong, "push", TINY, "--name", "refused/b", "--tag", "1.0");
    expect({ status: python.status, said: python.stdout.includes("status 403") }).toEqual({ status: 1, said: true });
    const list = await owner.run(["list", "refused/"]);
    expect(list.stdout).toBe("");
  });

  it("remote.yaml is one that SingularityCE reads: no foreign key, its mode, its way to write a port", async () => {
    expect(JSON.parse(await peer("scs-peer", "remote", remotes))).toEqual({
      name: "lab",
      library: access.url,
      token: access.token,
    });
    expect(JSON.parse(await peer("scs-peer", "token-status", remotes))).toBe("Access Token Verified!");
    await using other = await User.create();
    const path = await logInToLibrary(other, "lab", served.host, access.token);
    expect(JSON.parse(await peer("scs-peer", "remote", path))).toMatchObject({ library: access.url });
  });
});

async function ok(running: Promise<Run>): Promise<Run> {
  const run = await running;
  if (run.status !== 0) throw new Error(`sregistry ended with ${run.status}: ${run.stderr}`);
  return run;
}

/** Named by the image's title, which is the file's name or made of the reference. */
async function onlyFile(directory: string): Promise<string> {
  const names = await readdir(directory);
  expect(names).toHaveLength(1);
  return join(directory, names[0]!);
}
