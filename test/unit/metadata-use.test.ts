/** Whose word is remembered for an image's metadata. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Call, silentLog, silentProgress } from "../../src/call.ts";
import { imageMetadata } from "../../src/client/metadata.ts";
import type { ImageMetadata } from "../../src/image/metadata.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { ImageInfo, Registry } from "../../src/registry/registry.ts";
import { openMetadataIndex } from "../../src/transfer/metadata-index.ts";

const call: Call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-metadata-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function says(maintainer: string): ImageMetadata {
  const none = { runscript: undefined, test: undefined, help: undefined, deffile: undefined, startscript: undefined };
  const facts = { architecture: "amd64", signed: false, encrypted: false, format: "sif" } as const;
  return { ...facts, ...none, labels: { maintainer }, environment: {} };
}

/** An endpoint that says `maintainer` of every image, and counts how often it is asked. */
function endpoint(name: string, maintainer: string) {
  const asked = { times: 0 };
  const unused = (): never => {
    throw new Error("not asked for here");
  };
  const registry: Registry = {
    name,
    resolve: unused,
    read: unused,
    can: {
      async metadata() {
        asked.times += 1;
        return says(maintainer);
      },
    },
  };
  return { registry, asked };
}

function image(): ImageInfo {
  const reference = parseReference("oras://registry.example.org/lab/tool:1");
  if (reference.scheme === undefined) throw new Error("a bare name");
  const digest = digestOf(new TextEncoder().encode("the same bytes everywhere"));
  return { reference, size: 10, digest, architecture: undefined, mediaType: undefined, annotations: {} };
}

it("is the endpoint's own: what another one says of the same bytes is not believed for it", async () => {
  const metadataIndex = openMetadataIndex(directory, silentLog);
  const hostile = endpoint("registry hostile.example.org", "mallory");
  const honest = endpoint("registry honest.example.org", "vanessa");
  expect(await imageMetadata({ metadataIndex }, hostile.registry, image(), call)).toEqual(says("mallory"));
  expect(await imageMetadata({ metadataIndex }, honest.registry, image(), call)).toEqual(says("vanessa"));
  expect(await imageMetadata({ metadataIndex }, honest.registry, image(), call)).toEqual(says("vanessa"));
  expect([hostile.asked.times, honest.asked.times]).toEqual([1, 1]);
});
