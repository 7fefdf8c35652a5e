/** The store behind the port: pushes, resolutions, deletions, beyond what every endpoint does (test/contract). */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { type Digest, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import { createLocalRegistry, type LocalRegistry, openStore, type Store } from "../../src/registry/local/index.ts";
import { capability, type PushResult } from "../../src/registry/registry.ts";
import type { Source } from "../../src/transfer/source.ts";

let root: string;
let store: Store;
let registry: LocalRegistry;
const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-local-"));
  store = openStore(join(root, "store"));
  registry = createLocalRegistry(store);
});
afterEach(() => rm(root, { recursive: true, force: true }));

function named(name: string): PlacedReference {
  const reference = parseReference(`local://${name}`);
  if (reference.scheme === undefined) throw new Error(`${name} has no scheme`);
  return reference;
}

function source(
  content: string,
  open = (): Readable => Readable.from([Buffer.from(content)]),
): Source & { opened: number } {
  const counted = {
    size: Buffer.byteLength(content),
    opened: 0,
    open: () => {
      counted.opened += 1;
      return open();
    },
    unchanged: async () => undefined,
  };
  return counted;
}

function push(name: string, from: Source, more: Partial<Call> = {}): Promise<PushResult> {
  const reference = named(name);
  const tags = reference.selector.kind === "tag" ? [reference.selector.tag] : [];
  return capability(registry, "push")(
    { reference, tags, source: from, title: "x.sif", metadata: undefined, plainManifest: true },
    { ...call, ...more },
  );
}

const filesBelow = async (path: string): Promise<readonly string[]> =>
  (await readdir(join(root, "store", path), { recursive: true })).sort();

describe("a push", () => {
  it("reads its source once, and links what another repository has", async () => {
    const first = source("an image");
    expect((await push("lab/tool:1.0", first)).transfer).toBe("uploaded");
    const second = source("an image");
    expect((await push("lab/other:1.0", second)).transfer).toBe("mounted");
    expect([first.opened, second.opened]).toEqual([1, 1]);
    const blob = `blobs/sha256/${digestOf("an image").slice(7)}`;
    const inodes = ["lab/tool", "lab/other"].map(async (path) => (await stat(join(root, "store", path, blob))).ino);
    expect(new Set(await Promise.all(inodes)).size).toBe(1);
  });

  it("writes nothing when the image is there", async () => {
    const { manifest, digest } = await push("lab/tool:1.0", source("an image"));
    const before = await stat(join(root, "store/lab/tool/index.json"));
    const again = source("an image");
    expect(await push("lab/tool:1.0", again)).toMatchObject({ transfer: "present", manifest, digest });
    expect((await stat(join(root, "store/lab/tool/index.json"))).ino).toBe(before.ino);
    expect(again.opened).toBe(1);
  });

  it("without a tag is there by digest", async () => {
    const { manifest, digest, tags } = await push(`lab/tool@${digestOf("an image")}`, source("an image"));
    expect(tags).toEqual([]);
    expect((await registry.resolve(named(`lab/tool@${manifest}`), {}, call)).digest).toBe(digest);
  });

  it("to the digest of another image is refused, and names nothing", async () => {
    const pushed = push(`lab/tool@${digestOf("x")}`, source("an image"));
    await expect(pushed).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `the file's digest is ${digestOf("an image")}, not that of local://lab/tool@${digestOf("x")}`,
    });
    await expect(push(`lab/tool@${digestOf("an image")}`, source("an image"))).resolves.toMatchObject({ tags: [] });
  });

  it("that is interrupted leaves nothing", async () => {
    const abort = new AbortController();
    const endless = (): Readable =>
      new Readable({
        read() {
          this.push(Buffer.alloc(1024));
          abort.abort(new Error("Ctrl-C"));
        },
      });
    await expect(push("lab/tool:1.0", source("an image", endless), { signal: abort.signal })).rejects.toThrow("Ctrl-C");
    expect(await filesBelow("lab/tool")).toEqual([".uploads"]);
  });

  it("whose file breaks leaves nothing", async () => {
    const broken = (): Readable =>
      new Readable({
        read() {
          this.destroy(new Error("bad sector"));
        },
      });
    await expect(push("lab/tool:1.0", source("an image", broken))).rejects.toThrow("bad sector");
    expect(await filesBelow("lab/tool")).toEqual([".uploads"]);
  });
});

describe("an image", () => {
  it("is found by tag, by its manifest's digest, and by its own", async () => {
    const { manifest, digest } = await push("lab/tool:1.0", source("an image"));
    for (const name of ["lab/tool:1.0", `lab/tool@${manifest}`, `lab/tool@${digest}`]) {
      expect(await registry.resolve(named(name), {}, call)).toMatchObject({ manifest, digest, size: 8 });
    }
    await expect(registry.resolve(named(`lab/tool@${digestOf("{}")}`), {}, call)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `local://lab/tool@${digestOf("{}")} is not in the local store: it has no such tag or digest`,
      hint: "sregistry list local://lab/tool",
    });
    await expect(registry.resolve(named("lab/none:1"), {}, call)).rejects.toMatchObject({
      message: "local://lab/none:1 is not in the local store: there is no such repository",
    });
  });

  it("is found by architecture in an index", async () => {
    const arms: [string, PushResult][] = [];
    for (const architecture of ["amd64", "arm64"]) {
      arms.push([architecture, await push(`lab/tool:${architecture}`, source(`for ${architecture}`))]);
    }
    const manifests = arms.map(([architecture, { manifest }]) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      size: 1,
      digest: manifest,
      platform: { os: "linux", architecture },
    }));
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
    const bytes = Buffer.from(JSON.stringify(index));
    await store.repository("lab/tool").putManifest({ bytes, contentType: undefined, tags: [parseTag("all")] });
    for (const [architecture, { digest }] of arms) {
      expect((await registry.resolve(named("lab/tool:all"), { architecture }, call)).digest).toBe(digest);
    }
    await expect(registry.resolve(named("lab/tool:all"), { architecture: "riscv64" }, call)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("of a type that says nothing is known by its first bytes", async () => {
    const sif = await readFile(join(import.meta.dirname, "../fixtures/tiny.sif"), "latin1");
    for (const [tag, content] of [
      ["sif", sif],
      ["tar", "no SIF at all"],
    ] as const) {
      const bytes = Buffer.from(content, "latin1");
      const upload = await store.repository("lab/oras").createUpload("sha256", false);
      await upload.append(Readable.from([bytes]));
      await upload.commit(digestOf(bytes));
      const { manifest } = await push(`lab/oras:config-${tag}`, source("{}"));
      const layer = {
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        size: bytes.length,
        digest: digestOf(bytes),
      };
      const stored = await store.repository("lab/oras").manifest(manifest ?? digestOf(""));
      const document = { ...JSON.parse(Buffer.from(stored?.bytes ?? []).toString()), layers: [layer] };
      const put = { bytes: Buffer.from(JSON.stringify(document)), contentType: undefined, tags: [parseTag(tag)] };
      await store.repository("lab/oras").putManifest(put);
    }
    expect((await registry.resolve(named("lab/oras:sif"), {}, call)).size).toBe(40_960);
    await expect(registry.resolve(named("lab/oras:tar"), {}, call)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("has a file to copy from", async () => {
    await push("lab/tool:1.0", source("an image"));
    const path = await registry.blobPath(await registry.resolve(named("lab/tool:1.0"), {}, call));
    expect(await readFile(path, "utf8")).toBe("an image");
  });

  it("whose bytes the disk lost is not given out", async () => {
    await push("lab/tool:1.0", source("an image"));
    const image = await registry.resolve(named("lab/tool:1.0"), {}, call);
    await rm(await registry.blobPath(image));
    await expect(registry.read(image, { start: 0 }, call)).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `blob ${image.digest} of lab/tool is missing`,
    });
  });
});

describe("a deletion", () => {
  const remove = async (name: string): Promise<readonly string[]> => {
    const planned = (await capability(registry, "deletable")(named(name), call)).deleted;
    expect((await capability(registry, "delete")(named(name), call)).deleted).toEqual(planned);
    return planned;
  };
  const pin = (digest: Digest | undefined): string => `local://lab/tool@${digest}`;

  it("by tag takes the tag while others name the image, and the image with the last", async () => {
    const { manifest } = await push("lab/tool:1.0", source("an image"));
    await push("lab/tool:latest", source("an image"));
    await push("lab/tool:other", source("another image"));
    expect(await remove("lab/tool:1.0")).toEqual(["local://lab/tool:1.0"]);
    expect(await filesBelow("lab/tool/blobs/sha256")).toContain(digestOf("an image").slice(7));
    expect(await remove("lab/tool:latest")).toEqual(["local://lab/tool:latest", pin(manifest)]);
    expect(await filesBelow("lab/tool/blobs/sha256")).not.toContain(digestOf("an image").slice(7));
    expect((await registry.resolve(named("lab/tool:other"), {}, call)).digest).toBe(digestOf("another image"));
  });

  it("by digest takes every tag", async () => {
    const { manifest, digest } = await push("lab/tool:1.0", source("an image"));
    await push("lab/tool:latest", source("an image"));
    expect(await remove(`lab/tool@${digest}`)).toEqual([
      "local://lab/tool:1.0",
      "local://lab/tool:latest",
      pin(manifest),
    ]);
    await expect(remove("lab/tool:1.0")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
