/** Digests that are remembered by what the file system says of a file; real files, 16 MiB of holes mostly. */
import {
  chmod,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import { createLocalRegistry, openStore } from "../../src/registry/local/index.ts";
import { capability } from "../../src/registry/registry.ts";
import { type DigestMemo, openDigestMemo, stampOf } from "../../src/transfer/digest-memo.ts";
import { openFileSource } from "../../src/transfer/file-source.ts";
import type { Source } from "../../src/transfer/source.ts";
import { lookAtTarget } from "../../src/transfer/target.ts";

const SIZE = 16 * 1024 * 1024;
const DIGEST = digestOf("what the caller hashed");
const { signal } = new AbortController();
const call = { signal, progress: silentProgress, log: silentLog };

let directory: string;
let folder: string;
let file: string;
let memo: DigestMemo;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-memo-"));
  folder = join(directory, "state", "digests");
  file = join(directory, "image.sif");
  await writeFile(file, "first");
  await truncate(file, SIZE);
  memo = openDigestMemo(folder, silentLog);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function overwrite(at: number): Promise<void> {
  const handle = await open(file, "r+");
  await handle.write("x", at);
  await handle.close();
}

/** By the memo of another process. */
async function found() {
  return await openDigestMemo(folder, silentLog).find(await stampOf(file));
}

describe("a digest memo", () => {
  it("gives another process the digest of a file that has not changed", async () => {
    await memo.rememberFile(file, DIGEST);
    expect(await found()).toBe(DIGEST);
  });

  it("keeps to itself what it knows: 0700, 0600", async () => {
    await memo.rememberFile(file, DIGEST);
    const [form] = await readdir(folder);
    const [entry] = await readdir(join(folder, form ?? ""));
    const modes = await Promise.all(
      [join(folder, form ?? ""), join(folder, form ?? "", entry ?? "")].map((one) => stat(one)),
    );
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(["700", "600"]);
  });

  it("notices a changed byte whose time of modification was set back", async () => {
    await memo.rememberFile(file, DIGEST);
    const { atimeNs, mtimeNs } = await stat(file, { bigint: true });
    await overwrite(SIZE / 2);
    await utimes(file, Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9);
    expect(await found()).toBeUndefined();
  });

  it("notices another file of the same name, size and time", async () => {
    await memo.rememberFile(file, DIGEST);
    const { atime, mtime } = await stat(file);
    await writeFile(`${file}.new`, "other");
    await truncate(`${file}.new`, SIZE);
    await utimes(`${file}.new`, atime, mtime);
    await rename(`${file}.new`, file);
    expect(await found()).toBeUndefined();
  });

  it("does not remember a file that changed after its stamp was taken", async () => {
    const stamp = await stampOf(file);
    await overwrite(0);
    await memo.remember(file, stamp, DIGEST);
    expect(await found()).toBeUndefined();
  });

  it("remembers no small file", async () => {
    await truncate(file, SIZE - 1);
    await memo.rememberFile(file, DIGEST);
    expect(await found()).toBeUndefined();
  });

  it.each(["", "{", '{"stamp":1}', '{"stamp":"x","digest":"sha256:0"}', "\u0000\ufffd"])(
    "passes over an entry that a crash left: %j",
    async (left) => {
      await memo.rememberFile(file, DIGEST);
      const [name] = await readdir(join(folder, "1"));
      await writeFile(join(folder, "1", name ?? ""), left);
      expect(await found()).toBeUndefined();
      await memo.rememberFile(file, DIGEST);
      expect(await found()).toBe(DIGEST);
    },
  );

  it("trusts no directory that others can write to", async () => {
    await memo.rememberFile(file, DIGEST);
    await chmod(join(folder, "1"), 0o777);
    expect(await found()).toBeUndefined();
  });

  it("fails nothing where it cannot write", async () => {
    await writeFile(join(directory, "state"), "a file where the directory would be");
    await memo.rememberFile(file, DIGEST);
    expect(await memo.find(await stampOf(file))).toBeUndefined();
  });

  it("stays small: the oldest entries go", async () => {
    await memo.rememberFile(file, DIGEST);
    for (let i = 0; i < 1024; i += 1) {
      const old = join(folder, "1", `${i}.json`);
      await writeFile(old, "{}");
      await utimes(old, i, i);
    }
    await memo.rememberFile(file, DIGEST);
    const left = await readdir(join(folder, "1"));
    expect([left.length, left.includes("255.json"), left.includes("256.json")]).toEqual([1025 - 256, false, true]);
    expect(await found()).toBe(DIGEST);
  });
});

describe("a file as the source of a push", () => {
  it("knows its digest after it has been learnt", async () => {
    const first = await openFileSource(file, memo);
    expect(await first.known?.()).toBeUndefined();
    await first.learned?.(DIGEST);
    expect(await (await openFileSource(file, memo)).known?.()).toBe(DIGEST);
  });

  it("racily clean: what was read before it was asked whether it is known is not remembered", async () => {
    const first = await openFileSource(file, memo);
    await first.learned?.(DIGEST);
    expect(await found()).toBeUndefined();
  });
});

describe("a push to the local store", () => {
  it("of a file that it has had before reads nothing, whatever it is called", async () => {
    const registry = createLocalRegistry(openStore(join(directory, "registry")));
    const push = async (name: string, from: Source) => {
      const reference = parseReference(`local://lab/tool:${name}`);
      if (reference.scheme !== "local") throw new Error("not local");
      const request = { reference, tags: [parseTag(name)], source: from, title: "tool.sif", metadata: undefined };
      return await capability(registry, "push")({ ...request, plainManifest: false }, call);
    };
    await push("1", await openFileSource(file, memo));
    const again = { ...(await openFileSource(file, memo)), open: () => expect.fail("it is read") };
    expect(await push("2", again)).toMatchObject({ transfer: "present", digest: digestOf(await readFile(file)) });
  });
});

describe("a pull over a file that is there", () => {
  const digest = async () => digestOf(await readFile(file));

  it("reads it once, and by its memo never again", async () => {
    const image = { size: SIZE, digest: await digest() };
    const wanted = { image, target: file, force: false };
    expect((await lookAtTarget(wanted, signal, memo))?.digest).toBe(image.digest);
    expect(await found()).toBe(image.digest);
    expect((await lookAtTarget(wanted, signal, memo))?.digest).toBe(image.digest);
  });

  it("refuses it when it holds something else, memo or not", async () => {
    const wanted = { image: { size: SIZE, digest: DIGEST }, target: file, force: false };
    await expect(lookAtTarget(wanted, signal, memo)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(lookAtTarget(wanted, signal, memo)).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await found()).toBe(await digest());
  });
});
