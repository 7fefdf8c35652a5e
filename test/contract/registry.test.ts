/** What every endpoint does alike, asked through the port alone. A new endpoint is one more line in `ENDPOINTS`. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { formatReference } from "../../src/reference/format.ts";
import { parseTag } from "../../src/reference/name.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference, RepoPath, Tag } from "../../src/reference/reference.ts";
import {
  type Capabilities,
  capability,
  type ImageInfo,
  type PushResult,
  type Registry,
} from "../../src/registry/registry.ts";
import { fileReader, openFileSource } from "../../src/transfer/file-source.ts";
import { registryReader } from "../../src/transfer/registry-reader.ts";
import { ENDPOINTS, type Endpoint } from "../support/endpoints.ts";
import { FIXTURES } from "../support/program.ts";

const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
const TINY = join(FIXTURES, "tiny.sif");
/** Another image for the same architecture: libraries keep one a tag for each. */
const OTHER = join(FIXTURES, "tiny_signed.sif");

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function bytesOf(registry: Registry, image: ImageInfo, start: number, end?: number): Promise<Buffer> {
  const part = await registry.read(image, end === undefined ? { start } : { start, end }, call);
  expect(part.start).toBe(start);
  const chunks: Buffer[] = [];
  for await (const chunk of part.body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe.each(ENDPOINTS)("$title", ({ open, lacks = [], sendsAgain = false }) => {
  const lacking = (...powers: readonly (keyof Capabilities)[]): boolean =>
    powers.some((power) => lacks.includes(power));
  let endpoint: Endpoint;
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "sregistry-contract-"));
    endpoint = await open(join(directory, "store"));
  });
  afterEach(async () => {
    await endpoint.close();
    await rm(directory, { recursive: true, force: true });
  });

  function named(name: string, prefix = endpoint.prefix): PlacedReference {
    const reference = parseReference(`${prefix}${name}`);
    if (reference.scheme === undefined) throw new Error(`${name} has no scheme`);
    return reference;
  }

  async function push(file: string, name: string, ...tags: readonly string[]): Promise<PushResult> {
    const { registry, prefix } = endpoint.writer ?? endpoint;
    const reference = named(name, prefix);
    await using reader = await fileReader(file);
    return capability(registry, "push")(
      {
        reference,
        tags: tags.length === 0 && reference.selector.kind === "tag" ? [reference.selector.tag] : tags.map(parseTag),
        source: await openFileSource(file),
        title: "tiny.sif",
        metadata: await readImageMetadata(reader),
        plainManifest: false,
      },
      call,
    );
  }

  /** What pins an image here: the manifest where the endpoint has them, else the content alone. */
  function pinOf({ digest, manifest }: PushResult) {
    return { digest, manifest: endpoint.writer === undefined ? manifest : undefined };
  }

  /** Some endpoints (shub) tell it with the first answer only. */
  async function sizeOf(image: ImageInfo): Promise<number | undefined> {
    if (image.size !== undefined) return image.size;
    const { total, body } = await endpoint.registry.read(image, { start: 0 }, call);
    body.destroy();
    return total;
  }

  const resolve = (name: string): Promise<ImageInfo> => endpoint.registry.resolve(named(name), {}, call);
  const tagsOf = (path: string): Promise<readonly Tag[]> =>
    collect(capability(endpoint.registry, "tags")(named(path).path as RepoPath, call));

  it("gives back, byte for byte, what was pushed", async () => {
    const bytes = await readFile(TINY);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const result = await push(TINY, "lab/tiny:1.0");
    expect(result).toMatchObject({ digest, transfer: "uploaded", tags: ["1.0"] });
    const image = await resolve("lab/tiny:1.0");
    expect({ digest: image.digest, manifest: image.manifest }).toEqual(pinOf(result));
    expect(await sizeOf(image)).toBe(bytes.length);
    expect(await bytesOf(endpoint.registry, image, 0)).toEqual(bytes);
  });

  it("reads any range", async () => {
    const bytes = await readFile(TINY);
    await push(TINY, "lab/tiny:1.0");
    const image = await resolve("lab/tiny:1.0");
    expect(await bytesOf(endpoint.registry, image, 100, 228)).toEqual(bytes.subarray(100, 228));
    expect(await bytesOf(endpoint.registry, image, bytes.length - 1)).toEqual(bytes.subarray(-1));
  });

  it("resolves by the digest it gave out", async () => {
    const pin = pinOf(await push(TINY, "lab/tiny:1.0"));
    const image = await resolve(`lab/tiny@${pin.manifest ?? pin.digest}`);
    expect({ digest: image.digest, manifest: image.manifest }).toEqual(pin);
  });

  it("gives the same manifest for the same file and name", async () => {
    const first = await push(TINY, "lab/tiny:1.0");
    const second = await push(TINY, "lab/other:2.0");
    expect(second.manifest).toBe(first.manifest);
  });

  it.skipIf(sendsAgain || lacking("push", "tags"))("moves nothing when the image is there already", async () => {
    await push(TINY, "lab/tiny:1.0");
    expect(await push(TINY, "lab/tiny:1.1")).toMatchObject({ transfer: "present", tags: ["1.1"] });
    expect(await tagsOf("lab/tiny")).toEqual(["1.0", "1.1"]);
  });

  it.skipIf(lacking("push"))("sets every tag of a push and replaces a tag that was elsewhere", async () => {
    await push(TINY, "lab/tiny", "1.0", "latest");
    const other = await push(OTHER, "lab/tiny", "latest");
    expect((await resolve("lab/tiny:latest")).digest).toBe(other.digest);
    expect((await resolve("lab/tiny:1.0")).digest).not.toBe(other.digest);
  });

  it.skipIf(lacking("repositories", "tags"))("lists repositories and tags", async () => {
    await push(TINY, "lab/tiny", "1.0", "2.0");
    await push(OTHER, "dinosaur/avocado:delicious");
    expect(await collect(capability(endpoint.registry, "repositories")(call))).toEqual([
      "dinosaur/avocado",
      "lab/tiny",
    ]);
    expect(await tagsOf("lab/tiny")).toEqual(["1.0", "2.0"]);
  });

  it("tells the image's metadata without its bytes", async () => {
    await push(TINY, "lab/tiny:1.0");
    const image = await resolve("lab/tiny:1.0");
    await using reader = await fileReader(TINY);
    const expected = await readImageMetadata(reader);
    if (!lacking("metadata")) expect(await capability(endpoint.registry, "metadata")(image, call)).toEqual(expected);
    if (image.size === undefined) return;
    expect(await readImageMetadata(registryReader(endpoint.registry, image, call))).toEqual(expected);
  });

  it.skipIf(lacking("tag"))("gives an image another tag", async () => {
    await push(TINY, "lab/tiny:1.0");
    const image = await resolve("lab/tiny:1.0");
    await capability(endpoint.registry, "tag")(image, [parseTag("stable")], call);
    const stable = await resolve("lab/tiny:stable");
    expect([stable.digest, stable.manifest]).toEqual([image.digest, image.manifest]);
  });

  it.skipIf(lacking("delete"))("deletes a tag and leaves the others", async () => {
    await push(TINY, "lab/tiny", "1.0", "2.0");
    await push(OTHER, "lab/tiny:signed");
    const reference = named("lab/tiny:signed");
    const planned = await capability(endpoint.registry, "deletable")(reference, call);
    expect(planned.deleted.join(" ")).toContain("signed");
    await capability(endpoint.registry, "delete")(reference, call);
    await expect(resolve("lab/tiny:signed")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await tagsOf("lab/tiny")).toEqual(["1.0", "2.0"]);
  });

  it("says NOT_FOUND for what is not there, and names it", async () => {
    await expect(resolve("lab/none:1.0")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await push(TINY, "lab/tiny:1.0");
    await expect(resolve("lab/tiny:2.0")).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining(formatReference(named("lab/tiny:2.0"))),
    });
  });

  it.skipIf(lacking("push"))("fails a push whose file changes meanwhile, and tags nothing", async () => {
    const file = join(directory, "changing.sif");
    await writeFile(file, Buffer.concat([await readFile(TINY), randomBytes(1024)]));
    const source = await openFileSource(file);
    await writeFile(file, Buffer.concat([await readFile(TINY), randomBytes(1024)]));
    const reference = named("lab/changing:1.0");
    await expect(
      capability(endpoint.registry, "push")(
        {
          reference,
          tags: [parseTag("1.0")],
          source,
          title: "changing.sif",
          metadata: undefined,
          plainManifest: false,
        },
        call,
      ),
    ).rejects.toMatchObject({ code: "INTEGRITY" });
    await expect(resolve("lab/changing:1.0")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it.skipIf(lacking("push"))("gives back a file that is no SIF as it went (--any-file)", async () => {
    const file = join(directory, "notes.txt");
    await writeFile(file, "no image\n");
    const reference = named("lab/notes:1");
    const request = { reference, tags: [parseTag("1")], title: "notes.txt", metadata: undefined, plainManifest: false };
    await capability(endpoint.registry, "push")({ ...request, source: await openFileSource(file) }, call);
    const image = await resolve("lab/notes:1");
    expect((await bytesOf(endpoint.registry, image, 0)).toString()).toBe("no image\n");
  });

  it("takes a large image whole", async () => {
    const file = join(directory, "large.sif");
    await writeFile(file, Buffer.concat([await readFile(TINY), randomBytes(20 * 1024 * 1024)]));
    const { digest } = await push(file, "lab/large:1.0");
    expect(digest).toBe(
      `sha256:${createHash("sha256")
        .update(await readFile(file))
        .digest("hex")}`,
    );
    const image = await resolve("lab/large:1.0");
    const bytes = await bytesOf(endpoint.registry, image, 0);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest.slice(7));
  });
});
