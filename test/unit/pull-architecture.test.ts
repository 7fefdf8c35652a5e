/** A pull with --arch, from a store with an image for arm64 and one of which nobody says what it is for. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { imageCache } from "../../src/client/cache.ts";
import { pull } from "../../src/client/pull.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { bytesReader } from "../../src/image/reader.ts";
import { createLocalRegistry, openStore } from "../../src/registry/local/index.ts";
import { capability, type Registry } from "../../src/registry/registry.ts";
import { openDigestMemo } from "../../src/transfer/digest-memo.ts";
import { placed, pushBytes } from "../support/download.ts";
import { failureOf } from "../support/http.ts";
import { makeSif } from "../support/sif.ts";

const ARM64 = await readFile(join(import.meta.dirname, "../fixtures/tiny_arm64.sif"));

const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
let root: string;
let cwd: string;
let registry: Registry;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-arch-"));
  cwd = await mkdtemp(join(tmpdir(), "sregistry-arch-"));
  registry = createLocalRegistry(openStore(root));
  await pushBytes({ ...registry, can: { ...registry.can, push: withMetadata } }, ARM64, "lab/arm:1");
  await pushBytes(registry, makeSif([{ type: 0x4004, content: "?" }]), "lab/unknown:1");
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
  await rm(cwd, { recursive: true, force: true });
});

const withMetadata: NonNullable<Registry["can"]["push"]> = async (request, ...rest) => {
  const metadata = await readImageMetadata(bytesReader(ARM64, "tiny_arm64.sif"));
  return capability(registry, "push")({ ...request, metadata }, ...rest);
};

async function pulled(name: string, architecture: string) {
  const services = {
    cwd,
    place: async () => placed(`local://${name}`),
    open: async () => registry,
    imageCache: imageCache({ env: {}, cwd, caches: cwd, settings: {} }),
    offline: false,
    digestMemo: openDigestMemo(cwd, silentLog),
  };
  return pull(services, { reference: placed(`local://${name}`), output: "image.sif", architecture }, call);
}

it.each(["arm64", "aarch64", "arm64/v8"])("takes the image for arm64 when %s is asked for", async (architecture) => {
  const { digest } = await pulled("lab/arm:1", architecture);
  expect(digest).toBe(`sha256:${createHash("sha256").update(ARM64).digest("hex")}`);
});

it.each([
  ["amd64", "amd64"],
  ["x86_64", "amd64"],
  ["vax", "vax"],
  ["arm/v7", "arm/v7"],
])("refuses the image for arm64 when %s is asked for, and writes nothing", async (architecture, named) => {
  expect(await failureOf(pulled("lab/arm:1", architecture))).toEqual({
    code: "NOT_FOUND",
    message: `local://lab/arm:1 is an image for arm64, as the local store says, and ${named} was asked for`,
    hint: "to pull it as it is, leave --arch (SINGULARITY_PULL_ARCH, SINGULARITY_ARCH) away",
  });
  expect(await readdir(cwd)).toEqual([]);
});

it("takes an image of which the endpoint does not know what it is for", async () => {
  expect(await pulled("lab/unknown:1", "arm64")).toMatchObject({ outcome: "downloaded" });
});
