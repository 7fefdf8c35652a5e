import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { decodeDocument, type Index, MEDIA_TYPES } from "../../src/image/document.ts";
import { chooseByArchitecture, imageEntries } from "../../src/image/platform.ts";
import { digestOf } from "../../src/reference/digest.ts";

const DIGEST = digestOf("");
const link = (mediaType: string) => ({ mediaType, size: 2, digest: DIGEST });
const decoded = (mediaType: string) => ({
  ...link(mediaType),
  annotations: {},
  artifactType: undefined,
  platform: undefined,
});
const MANIFEST = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.manifest,
  config: link(MEDIA_TYPES.sifConfig),
  layers: [link(MEDIA_TYPES.sifLayer)],
};
const INDEX = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [link(MEDIA_TYPES.manifest)] };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const untyped = ({ mediaType: _, ...rest }: { mediaType: string }) => rest;

describe("decodeDocument", () => {
  const plain = { artifactType: undefined, subject: undefined, annotations: {} };

  test("a manifest", () => {
    expect(decodeDocument(bytes(MANIFEST), MEDIA_TYPES.manifest)).toEqual({
      kind: "manifest",
      mediaType: MEDIA_TYPES.manifest,
      ...plain,
      config: decoded(MEDIA_TYPES.sifConfig),
      layers: [decoded(MEDIA_TYPES.sifLayer)],
    });
  });

  test("everything a document may say of itself", () => {
    const platform = { os: "linux", architecture: "arm", variant: "v7" };
    const entry = {
      ...link(MEDIA_TYPES.manifest),
      artifactType: "a/b",
      annotations: { k: "v" },
      platform,
      urls: ["x"],
    };
    const index = { ...INDEX, artifactType: "c/d", subject: link("e/f"), annotations: { n: "m" }, manifests: [entry] };
    expect(decodeDocument(bytes(index))).toEqual({
      kind: "index",
      mediaType: MEDIA_TYPES.index,
      artifactType: "c/d",
      subject: decoded("e/f"),
      annotations: { n: "m" },
      manifests: [{ ...link(MEDIA_TYPES.manifest), artifactType: "a/b", annotations: { k: "v" }, platform }],
    });
  });

  test.each([
    ["docker manifest", { ...MANIFEST, mediaType: MEDIA_TYPES.dockerManifest }, "manifest"],
    ["docker list", { ...INDEX, mediaType: MEDIA_TYPES.dockerList }, "index"],
  ])("%s", (_what, document, kind) => {
    expect(decodeDocument(bytes(document), `${document.mediaType}; charset=utf-8`)).toMatchObject({
      kind,
      mediaType: document.mediaType,
    });
  });

  test("without its own type it is the header's, without either the shape's", () => {
    expect(decodeDocument(bytes(untyped(MANIFEST)), MEDIA_TYPES.dockerManifest).mediaType).toBe(
      MEDIA_TYPES.dockerManifest,
    );
    expect(decodeDocument(bytes(untyped(MANIFEST))).kind).toBe("manifest");
    expect(decodeDocument(bytes(untyped(INDEX))).kind).toBe("index");
  });

  const layered = { ...INDEX, layers: [] };
  const configured = { ...INDEX, config: link("a/b") };
  test.each<[string, unknown, string | undefined, string]>([
    [
      "another Content-Type (CVE-2021-41190)",
      MANIFEST,
      MEDIA_TYPES.index,
      `manifest.mediaType is "${MEDIA_TYPES.manifest}", but the answer's Content-Type "${MEDIA_TYPES.index}"`,
    ],
    [
      "an index with layers",
      layered,
      undefined,
      `manifest: "layers" has no place in a document of type ${MEDIA_TYPES.index}`,
    ],
    [
      "an index with a config",
      configured,
      undefined,
      `manifest: "config" has no place in a document of type ${MEDIA_TYPES.index}`,
    ],
    [
      "a manifest with manifests",
      { ...MANIFEST, manifests: [] },
      undefined,
      `manifest: "manifests" has no place in a document of type ${MEDIA_TYPES.manifest}`,
    ],
    [
      "a manifest with manifests, of no type",
      { ...untyped(MANIFEST), manifests: [] },
      MEDIA_TYPES.manifest,
      `manifest: "manifests" has no place in a document of type ${MEDIA_TYPES.manifest}`,
    ],
    [
      "both kinds, of no type at all",
      { ...untyped(MANIFEST), manifests: [] },
      undefined,
      `manifest: "layers" has no place in a document of type ${MEDIA_TYPES.index}`,
    ],
    ["a page", "<html>", "text/html", "manifest: expected an object, got string"],
    [
      "JSON of another type",
      untyped(MANIFEST),
      "application/json",
      'manifest: media type "application/json" is neither a manifest nor an index',
    ],
    [
      "schema 1",
      { schemaVersion: 1, fsLayers: [] },
      undefined,
      "manifest.schemaVersion is 1, not 2: the registry holds an image too old to read",
    ],
    ["no config", { ...MANIFEST, config: undefined }, undefined, "manifest.config: expected an object, got undefined"],
    ["layers that are no list", { ...MANIFEST, layers: {} }, undefined, "manifest.layers: expected a list, got object"],
    [
      "a path for a digest (CVE-2024-3727)",
      { ...MANIFEST, layers: [{ ...link("a/b"), digest: "sha256:../../etc/passwd" }] },
      undefined,
      'manifest.layers[0].digest: "sha256:../../etc/passwd" is not a sha256 or sha512 digest',
    ],
    [
      "a negative size",
      { ...MANIFEST, config: { ...link("a/b"), size: -1 } },
      undefined,
      "manifest.config.size: expected a whole number, got number",
    ],
    [
      "an annotation that is no text",
      { ...MANIFEST, annotations: { a: 1 } },
      undefined,
      "manifest.annotations.a: expected a string, got number",
    ],
  ])("refuses %s", (_what, document, contentType, message) => {
    expect(() => decodeDocument(bytes(document), contentType)).toThrow(
      expect.objectContaining({ code: "REPLY_INVALID", message }),
    );
  });

  test("refuses more than 4 MiB without parsing it", () => {
    const size = 4 * 1024 * 1024 + 1;
    expect(() => decodeDocument(new Uint8Array(size))).toThrow(
      expect.objectContaining({
        code: "REPLY_INVALID",
        message: `the manifest has ${size} bytes: at most 4194304 are read`,
        hint: "the registry, or a proxy before it, sent something else than an OCI manifest: --debug shows the request",
      }),
    );
  });

  test("any JSON is a document or REPLY_INVALID", () => {
    const member = fc.oneof(fc.jsonValue(), fc.constantFrom(2, link("a/b"), [link("a/b")], MEDIA_TYPES.index, [], {}));
    const names = fc.constantFrom(
      "schemaVersion",
      "mediaType",
      "config",
      "layers",
      "manifests",
      "subject",
      "annotations",
    );
    const near = fc.dictionary(names, member).map((members) => ({ schemaVersion: 2, ...members }));
    fc.assert(
      fc.property(
        fc.oneof(
          near.map((value) => JSON.stringify(value)),
          fc.json(),
          fc.string(),
        ),
        (text) => {
          try {
            decodeDocument(new TextEncoder().encode(text));
          } catch (error) {
            if (!(error instanceof SregistryError)) throw error;
            expect(error.code).toBe("REPLY_INVALID");
          }
        },
      ),
    );
  });
});

describe("chooseByArchitecture", () => {
  function index(
    ...entries: readonly (readonly [name: string, platform?: object | undefined, artifactType?: string])[]
  ): Index {
    const manifests = entries.map(([name, platform, artifactType]) => ({
      ...link(MEDIA_TYPES.manifest),
      annotations: { name },
      platform,
      artifactType,
    }));
    const document = decodeDocument(bytes({ ...INDEX, manifests }));
    if (document.kind !== "index") throw new Error("no index");
    return document;
  }
  const linux = (architecture: string, variant?: string) => ({ os: "linux", architecture, variant });
  const several = index(
    ["amd64", linux("amd64")],
    ["attestation", { os: "unknown", architecture: "unknown" }],
    ["signature", undefined, "application/vnd.dev.cosign.artifact.sig.v1+json"],
    ["v6", linux("arm", "v6")],
    ["v7", linux("arm", "v7")],
    ["v9", linux("arm64", "v9")],
    ["v8", linux("arm64", "v8"), MEDIA_TYPES.sifConfig],
    ["windows", { os: "windows", architecture: "s390x" }],
  );

  test("leaves out what is no image", () => {
    expect(imageEntries(several).map(({ annotations }) => annotations["name"])).toEqual([
      "amd64",
      "v6",
      "v7",
      "v9",
      "v8",
      "windows",
    ]);
  });

  test.each([
    [undefined, "amd64", "amd64"],
    [undefined, "arm64", "v8"],
    ["arm64", "amd64", "v8"],
    ["arm64/v9", "amd64", "v9"],
    ["arm", "amd64", "v7"],
    ["arm/v6", "amd64", "v6"],
  ])("%s on %s", (asked, host, name) => {
    expect(chooseByArchitecture(several, asked, host).annotations["name"]).toBe(name);
  });

  test("the only image, unless another is asked for", () => {
    const one = index(["arm", linux("arm64")], ["attestation", { os: "unknown", architecture: "unknown" }]);
    expect(chooseByArchitecture(one, undefined, "amd64").annotations["name"]).toBe("arm");
    expect(() => chooseByArchitecture(one, "amd64", "amd64")).toThrow(
      expect.objectContaining({
        code: "NOT_FOUND",
        message: "there is no image for amd64 at this reference, only: arm64",
        hint: "choose one with --arch, as in --arch arm64",
      }),
    );
  });

  test("what is there is told", () => {
    expect(() => chooseByArchitecture(several, "s390x", "amd64")).toThrow(
      "there is no image for s390x at this reference, only: amd64, arm/v6, arm/v7, arm64/v8, arm64/v9, s390x (windows)",
    );
    expect(() => chooseByArchitecture(index(), undefined, "amd64")).toThrow(
      "the index at this reference names no image",
    );
  });
});
