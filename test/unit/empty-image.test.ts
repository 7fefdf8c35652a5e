/** A file of no bytes, which --any-file lets through, comes back from every endpoint. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { capability } from "../../src/registry/registry.ts";
import { downloadToFile } from "../../src/transfer/download.ts";
import { openFileSource } from "../../src/transfer/file-source.ts";
import { callWith, placed } from "../support/copying.ts";
import { ENDPOINTS } from "../support/endpoints.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-empty-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it.each(ENDPOINTS)("$title", async ({ open }) => {
  const endpoint = await open(join(directory, "store"));
  try {
    const file = join(directory, "empty");
    await writeFile(file, "");
    const { registry, prefix } = endpoint.writer ?? endpoint;
    const reference = placed(`${prefix}lab/empty:1`);
    if (reference.selector.kind !== "tag") throw new Error("no tag");
    const source = await openFileSource(file);
    const request = { reference, tags: [reference.selector.tag], source, title: "empty", plainManifest: false };
    await capability(registry, "push")({ ...request, metadata: undefined }, callWith());
    const call = callWith();
    const image = await endpoint.registry.resolve(placed(`${endpoint.prefix}lab/empty:1`), {}, call);
    const target = join(directory, "pulled");
    await downloadToFile({ registry: endpoint.registry, image, target, force: false, call });
    expect(await readFile(target)).toEqual(Buffer.alloc(0));
  } finally {
    await endpoint.close();
  }
});
