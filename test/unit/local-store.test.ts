/** The store: one OCI layout per repository, its index, its blobs, and what of it other tools wrote. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import type { Tag } from "../../src/reference/reference.ts";
import { putEntry, removeManifest, removeTag } from "../../src/registry/local/edits.ts";
import { openStore, type Store } from "../../src/registry/local/index.ts";
import type { Entry, RepositoryIndex } from "../../src/registry/local/index-file.ts";
import type { Repository } from "../../src/registry/local/repository.ts";

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-store-"));
  store = openStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

async function putBlob(repository: Repository, content: string): Promise<Digest> {
  const upload = await repository.createUpload("sha256", false);
  await upload.append(Readable.from([Buffer.from(content)]));
  const digest = digestOf(content);
  await upload.commit(digest);
  return digest;
}

async function putImage(repository: Repository, layer: string, ...tags: readonly string[]): Promise<Digest> {
  const config = await putBlob(repository, "{}");
  const digest = await putBlob(repository, layer);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.sylabs.sif.config.v1+json", size: 2, digest: config },
      layers: [{ mediaType: "application/vnd.sylabs.sif.layer.v1.sif", size: layer.length, digest }],
    }),
  );
  const put = await repository.putManifest({ bytes, contentType: MANIFEST, tags: tags.map(parseTag) });
  if (put.kind === "missing") throw new Error("blobs are missing");
  return put.digest;
}

describe("a repository", () => {
  it("is an OCI image layout", async () => {
    const repository = store.repository("lab/tool");
    const digest = await putImage(repository, "a SIF", "1.0", "latest");
    const folder = join(root, "lab", "tool");
    expect(await readFile(join(folder, "oci-layout"), "utf8")).toBe('{"imageLayoutVersion":"1.0.0"}');
    const size = (await stat(join(folder, "blobs", "sha256", digest.slice(7)))).size;
    const entry = (tag: string): object => ({
      mediaType: MANIFEST,
      digest,
      size,
      annotations: { "org.opencontainers.image.ref.name": tag },
    });
    expect(JSON.parse(await readFile(join(folder, "index.json"), "utf8"))).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [entry("1.0"), entry("latest")],
    });
    expect((await readdir(folder)).sort()).toEqual([".uploads", "blobs", "index.json", "oci-layout"]);
    expect(await readdir(join(folder, ".uploads"))).toEqual([]);
    const files = await readdir(join(folder, "blobs", "sha256"));
    expect(files.sort()).toEqual([digest, digestOf("{}"), digestOf("a SIF")].map((name) => name.slice(7)).sort());
    for (const file of files) expect((await stat(join(folder, "blobs", "sha256", file))).mode & 0o777).toBe(0o444);
  });

  it("is private to its owner when the store makes its own directory", async () => {
    const inner = openStore(join(root, "made"));
    await inner.prepare();
    expect((await stat(join(root, "made"))).mode & 0o777).toBe(0o700);
  });

  it.each(["blobs", "lab/blobs/x", "index.json", "lab/oci-layout"])("cannot be called %s", (path) => {
    expect(() => store.repository(path)).toThrow(/is a file of the store itself/);
  });

  it.each(["..", "a/../b", ".uploads", "a//b", "/etc", "A", ""])("cannot be called %j", (path) => {
    expect(() => store.repository(path)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });

  it("may lie within another", async () => {
    await putImage(store.repository("a/b"), "inner", "1");
    await putImage(store.repository("a"), "outer", "1");
    await putBlob(store.repository("begun"), "a blob");
    expect(await store.repositories()).toEqual(["a", "a/b"]);
    expect(await store.directories()).toEqual(["a", "a/b", "begun"]);
  });

  it("keeps what another tool wrote into its index", async () => {
    const repository = store.repository("lab/tool");
    await putImage(repository, "a SIF", "1.0");
    const path = join(root, "lab", "tool", "index.json");
    const index = JSON.parse(await readFile(path, "utf8"));
    const foreign = { mediaType: MANIFEST, digest: `blake3:${"0".repeat(64)}`, size: 7 };
    const named = {
      mediaType: MANIFEST,
      digest: digestOf("elsewhere"),
      size: 9,
      platform: { os: "linux", architecture: "arm64" },
      annotations: { "org.opencontainers.image.ref.name": "docker.io/library/tool:1.0", other: "kept" },
    };
    await writeFile(
      path,
      JSON.stringify({ ...index, annotations: { whose: "mine" }, manifests: [...index.manifests, foreign, named] }),
    );
    await putImage(repository, "another SIF", "2.0");
    const after = JSON.parse(await readFile(path, "utf8"));
    expect(after.annotations).toEqual({ whose: "mine" });
    expect(after.manifests).toContainEqual(foreign);
    expect(after.manifests).toContainEqual(named);
    expect([...((await repository.index())?.tags.keys() ?? [])].sort()).toEqual(["1.0", "2.0"]);
  });

  it("sees at once what another process wrote", async () => {
    const other = openStore(root);
    const mine = store.repository("lab/tool");
    expect(await mine.index()).toBeUndefined();
    for (const tag of ["1", "2", "3"]) {
      const digest = await putImage(other.repository("lab/tool"), `SIF ${tag}`, tag);
      expect((await mine.index())?.tags.get(parseTag(tag))?.digest).toBe(digest);
    }
  });

  it("says where its index is damaged", async () => {
    await putImage(store.repository("lab/tool"), "a SIF", "1.0");
    const path = join(root, "lab", "tool", "index.json");
    await writeFile(path, '{"manifests":[{"size":-1}]}');
    await expect(store.repository("lab/tool").index()).rejects.toMatchObject({
      code: "INTEGRITY",
      message: expect.stringContaining(path),
      hint: "sregistry serve --check",
    });
  });

  it("does not answer with a manifest whose file is not what its digest says", async () => {
    const repository = store.repository("lab/tool");
    const digest = await putImage(repository, "a SIF", "1.0");
    const path = join(root, "lab", "tool", "blobs", "sha256", digest.slice(7));
    await rm(path);
    await writeFile(path, "{}");
    expect(await repository.manifest(digest)).toBeUndefined();
    expect(await putImage(repository, "a SIF", "1.0")).toBe(digest);
    expect((await repository.manifest(digest))?.digest).toBe(digest);
  });

  it("loses with an image only the blobs that no other needs", async () => {
    const repository = store.repository("lab/tool");
    const first = await putImage(repository, "first", "1");
    await putImage(repository, "second", "2");
    expect(await repository.deleteManifest(first, { unused: true })).toBe(true);
    const left = await readdir(join(root, "lab", "tool", "blobs", "sha256"));
    const second = (await repository.index())?.tags.get(parseTag("2"))?.digest ?? "";
    expect(left.sort()).toEqual([second, digestOf("{}"), digestOf("second")].map((name) => name.slice(7)).sort());
    expect(await repository.deleteManifest(first)).toBe(false);
  });
});

describe("an upload", () => {
  it("keeps what came of a body that breaks, and goes on at its end only", async () => {
    const repository = store.repository("lab/tool");
    const upload = await repository.createUpload("sha256", false);
    await upload.append(Readable.from([Buffer.from("abc")]));
    const failing = new Readable({
      read() {
        this.push("def");
        this.destroy(Object.assign(new Error("broken"), { code: "ECONNRESET" }));
      },
    });
    await expect(upload.append(failing)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await upload.size()).toBeGreaterThanOrEqual(3);
    await expect(upload.append(Readable.from(["x"]), { at: 0 })).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("is found by another process, which hashes what is there", async () => {
    const upload = await store.repository("lab/tool").createUpload("sha256", false);
    await upload.append(Readable.from([Buffer.from("abc")]));
    const other = await openStore(root).repository("lab/tool").upload(upload.id);
    await other?.append(Readable.from([Buffer.from("def")]), { at: 3 });
    expect(await upload.digest("sha256")).toBe(digestOf("abcdef"));
    expect(await upload.commit(digestOf("abcdef"))).toBe(6);
    expect(await other?.size()).toBeUndefined();
    await expect(other?.commit(digestOf("abcdef"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("says when the directory cannot be written", async () => {
    await mkdir(join(root, "lab"));
    await writeFile(join(root, "lab", "tool"), "a file");
    await expect(store.repository("lab/tool").createUpload("sha256", false)).rejects.toMatchObject({
      code: "DISK",
      message: expect.stringContaining(join(root, "lab", "tool")),
    });
  });
});

describe("edits of an index", () => {
  const digests = ["a", "b", "c"].map((text) => digestOf(text));
  const tags = ["1", "2", "3"].map(parseTag);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), digest: fc.constantFrom(...digests), tags: fc.subarray(tags) }),
    fc.record({ kind: fc.constant("untag" as const), tag: fc.constantFrom(...tags) }),
    fc.record({ kind: fc.constant("remove" as const), digest: fc.constantFrom(...digests) }),
  );

  function indexOf(entries: readonly Entry[]): RepositoryIndex {
    const named = entries.flatMap((entry): [Tag, Entry][] => (entry.tag === undefined ? [] : [[entry.tag, entry]]));
    return { entries, tags: new Map(named), manifests: new Map(entries.map((entry) => [entry.digest, entry])) };
  }

  it("keep one entry a tag, or one without, for each manifest; and do nothing the second time", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let entries: readonly Entry[] = [];
        const expected = new Map<Digest, Set<Tag>>();
        for (const action of steps) {
          const edit =
            action.kind === "put"
              ? putEntry({ digest: action.digest, mediaType: MANIFEST, size: 1 }, action.tags)
              : action.kind === "untag"
                ? removeTag(action.tag)
                : removeManifest(action.digest);
          entries = edit(indexOf(entries));
          if (action.kind !== "remove") expect(edit(indexOf(entries))).toBe(entries);
          if (action.kind === "remove") expected.delete(action.digest);
          if (action.kind === "untag") for (const names of expected.values()) names.delete(action.tag);
          if (action.kind === "put") {
            for (const names of expected.values()) for (const tag of action.tags) names.delete(tag);
            expected.set(action.digest, new Set([...(expected.get(action.digest) ?? []), ...action.tags]));
          }
          const found = entries.map(({ digest, tag }) => `${digest} ${tag ?? ""}`).sort();
          const wanted = [...expected].flatMap(([digest, names]) =>
            names.size === 0 ? [`${digest} `] : [...names].map((tag) => `${digest} ${tag}`),
          );
          expect(found).toEqual(wanted.sort());
        }
      }),
    );
  });
});
