import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { labelAnnotations } from "../../src/image/annotations.ts";
import { type ArtifactInput, sifArtifact, sifLayer } from "../../src/image/artifact.ts";
import { configMetadata } from "../../src/image/config.ts";
import { decodeDocument, type Manifest, MEDIA_TYPES } from "../../src/image/document.ts";
import type { ImageMetadata } from "../../src/image/metadata.ts";
import { readImageMetadata } from "../../src/image/read.ts";
import { bytesReader } from "../../src/image/reader.ts";
import { digestOf } from "../../src/reference/digest.ts";

const TINY = readFileSync(join(import.meta.dirname, "../fixtures/tiny.sif"));
const TINY_DIGEST = "sha256:a30c17b8fc84169ad3391feba55e4fb0b7facaf85eede38b43bf2812fbdf35f5";
const metadata = await readImageMetadata(bytesReader(TINY));
const input: ArtifactInput = {
  title: "tiny.sif",
  digest: digestOf(TINY),
  size: TINY.length,
  metadata,
  plain: false,
};
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("sifArtifact", () => {
  test("plain: SingularityCE's bytes", () => {
    const artifact = sifArtifact({ ...input, description: "unused", plain: true });
    expect(text(artifact.config)).toBe("{}");
    expect(text(artifact.manifest)).toBe(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",' +
        '"config":{"mediaType":"application/vnd.sylabs.sif.config.v1+json","size":2,' +
        '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},' +
        `"layers":[{"mediaType":"application/vnd.sylabs.sif.layer.v1.sif","size":40960,"digest":"${TINY_DIGEST}",` +
        '"annotations":{"org.opencontainers.image.title":"tiny.sif"}}]}',
    );
    expect(artifact.manifestDigest).toBe(digestOf(artifact.manifest));
    expect(artifact.annotations).toEqual({});
  });

  test("a title is escaped as Go does it", () => {
    const { manifest } = sifArtifact({ ...input, title: "a&b<c>\u2028é.sif", plain: true });
    expect(text(manifest)).toContain('"org.opencontainers.image.title":"a\\u0026b\\u003cc\\u003e\\u2028é.sif"');
  });

  test("with metadata: config blob and annotations", () => {
    const artifact = sifArtifact({ ...input, description: "the tiny one" });
    const { architecture, labels, environment, runscript, test: script, help, deffile, startscript } = metadata;
    expect(JSON.parse(text(artifact.config))).toEqual({
      architecture,
      os: "linux",
      config: { Labels: labels },
      rootfs: { type: "layers", diff_ids: [TINY_DIGEST] },
      description: "the tiny one",
      format: "sif",
      signed: false,
      encrypted: false,
      environment,
      runscript,
      test: script,
      help,
      deffile,
      startscript,
    });
    const annotations = {
      "org.opencontainers.image.description": "the tiny one",
      "org.opencontainers.image.version": "1.2.3",
      "org.opencontainers.image.authors": "vanessasaur",
    };
    expect(artifact.annotations).toEqual(annotations);
    expect(JSON.parse(text(artifact.manifest))).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.sifConfig, size: artifact.config.length, digest: digestOf(artifact.config) },
      layers: [
        {
          mediaType: MEDIA_TYPES.sifLayer,
          size: TINY.length,
          digest: TINY_DIGEST,
          annotations: { "org.opencontainers.image.title": "tiny.sif" },
        },
      ],
      annotations,
    });
    expect(artifact.configDigest).toBe(digestOf(artifact.config));
    expect([artifact.configType, artifact.layerType]).toEqual([MEDIA_TYPES.sifConfig, MEDIA_TYPES.sifLayer]);
  });

  test("is the same at every push, and with labels in another order", () => {
    const labels = Object.fromEntries(Object.entries(metadata.labels).reverse());
    const again = sifArtifact({ ...input, metadata: { ...metadata, labels } });
    expect(again.manifestDigest).toBe(sifArtifact(input).manifestDigest);
  });

  test("a file that is no SIF is not called one", () => {
    const artifact = sifArtifact({ ...input, title: "data.tar", metadata: undefined, description: "data" });
    expect(JSON.parse(text(artifact.manifest))).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      artifactType: "application/vnd.unknown.artifact.v1",
      config: { mediaType: MEDIA_TYPES.empty, size: 2, digest: digestOf("{}") },
      layers: [
        {
          mediaType: "application/octet-stream",
          size: TINY.length,
          digest: TINY_DIGEST,
          annotations: { "org.opencontainers.image.title": "data.tar" },
        },
      ],
      annotations: { "org.opencontainers.image.description": "data" },
    });
  });
});

describe("labelAnnotations", () => {
  const oci = (name: string) => `org.opencontainers.image.${name}`;
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ["nothing", {}, {}],
    ["labels that mean nothing here", { "org.example.note": "x", usage: "y" }, {}],
    [
      "every well-known name, whatever its case",
      {
        TITLE: "t",
        Description: "d",
        Version: "1",
        Source: "s",
        URL: "u",
        License: "MIT",
        MAINTAINER: "me",
        vendor: "v",
        revision: "r",
        Documentation: "doc",
      },
      {
        [oci("title")]: "t",
        [oci("description")]: "d",
        [oci("version")]: "1",
        [oci("source")]: "s",
        [oci("url")]: "u",
        [oci("licenses")]: "MIT",
        [oci("authors")]: "me",
        [oci("vendor")]: "v",
        [oci("revision")]: "r",
        [oci("documentation")]: "doc",
      },
    ],
    [
      "the OCI's own name before Label Schema's before a plain one",
      { version: "3", "org.label-schema.version": "2", [oci("version")]: "1", url: "b", "org.label-schema.url": "a" },
      { [oci("version")]: "1", [oci("url")]: "a" },
    ],
    ["an empty label does not hide another", { authors: "", maintainer: "me" }, { [oci("authors")]: "me" }],
    ["what a label must not claim", { [oci("created")]: "1970-01-01", [oci("ref.name")]: "x" }, {}],
    ["a value too long for a manifest", { version: "x".repeat(4097) }, {}],
  ])("%s", (_what, labels, expected) => {
    expect(labelAnnotations(labels)).toEqual(expected);
  });

  test("a description of the push wins", () => {
    expect(labelAnnotations({ description: "label" }, "push")).toEqual({ [oci("description")]: "push" });
  });
});

describe("configMetadata", () => {
  test("reads back what a push wrote", () => {
    expect(configMetadata(sifArtifact(input).config)).toEqual(metadata);
  });

  test("reads back any metadata", () => {
    const optional = fc.option(fc.string({ unit: "binary" }), { nil: undefined });
    const any: fc.Arbitrary<ImageMetadata> = fc.record({
      architecture: optional,
      labels: fc.dictionary(fc.string(), fc.string()),
      environment: fc.dictionary(fc.string(), fc.string()),
      runscript: optional,
      test: optional,
      help: optional,
      deffile: optional,
      startscript: optional,
      signed: fc.boolean(),
      encrypted: fc.boolean(),
      format: fc.constantFrom("sif", "oci-sif"),
    });
    fc.assert(
      fc.property(any, (image) => {
        expect(configMetadata(sifArtifact({ ...input, metadata: image }).config)).toEqual(image);
      }),
    );
  });

  test.each([
    "",
    "{}",
    "[]",
    "null",
    "not JSON",
    '{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}}}',
    '{"format":"tar"}',
  ])("%j is none of ours", (config) => {
    expect(configMetadata(new TextEncoder().encode(config))).toBeUndefined();
  });

  test("odd members are left out", () => {
    const odd = '{"format":"sif","architecture":7,"config":[],"environment":"x","signed":"yes","runscript":null}';
    expect(configMetadata(new TextEncoder().encode(odd))).toEqual({
      architecture: undefined,
      labels: {},
      environment: {},
      runscript: undefined,
      test: undefined,
      help: undefined,
      deffile: undefined,
      startscript: undefined,
      signed: false,
      encrypted: false,
      format: "sif",
    });
  });
});

describe("sifLayer", () => {
  function manifest(...types: readonly string[]): Manifest {
    const link = (mediaType: string, index = 0) => ({ mediaType, size: index + 1, digest: digestOf(`${index}`) });
    const document = decodeDocument(
      new TextEncoder().encode(
        JSON.stringify({
          schemaVersion: 2,
          config: link("any/type"),
          layers: types.map((type, index) => link(type, index)),
        }),
      ),
    );
    if (document.kind !== "manifest") throw new Error("no manifest");
    return document;
  }

  test.each<[readonly string[], number, boolean]>([
    [[MEDIA_TYPES.sifLayer], 1, true],
    [[MEDIA_TYPES.oldSifLayer], 1, true],
    [["text/plain", MEDIA_TYPES.sifLayer, "text/plain"], 2, true],
    [["application/vnd.oci.image.layer.v1.tar"], 1, false],
    [["application/octet-stream"], 1, false],
    [["application/vnd.sylabs.sif.layer.v1+tar"], 1, false],
  ])("%j", (types, size, certain) => {
    const found = sifLayer(manifest(...types));
    expect([found.layer.size, found.certain]).toEqual([size, certain]);
  });

  const push = "a SIF is pushed with: sregistry push IMAGE.sif oras://HOST/path:tag";
  const build = "a container image in layers is made into a SIF by: singularity pull docker://...";
  const gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  const squashfs = "application/vnd.sylabs.image.layer.v1.squashfs";
  test.each<[readonly string[], string, string, string]>([
    [[], "IMAGE_INVALID", "the manifest has no layers, so it holds no SIF", push],
    [
      [MEDIA_TYPES.sifLayer, MEDIA_TYPES.sifLayer],
      "IMAGE_INVALID",
      "the manifest has 2 SIF layers, where one image has one",
      push,
    ],
    [["text/plain", "text/html"], "IMAGE_INVALID", "this is no SIF but 2 layers of type text/plain", push],
    [[gzip], "UNSUPPORTED", `this is no SIF but 1 layer of type ${gzip}`, build],
    [[squashfs, squashfs, squashfs], "UNSUPPORTED", `this is no SIF but 3 layers of type ${squashfs}`, build],
  ])("refuses %j", (types, code, message, hint) => {
    const refusal = () => sifLayer(manifest(...types));
    expect(refusal).toThrow(SregistryError);
    expect(refusal).toThrow(expect.objectContaining({ code, message, hint }));
  });
});
