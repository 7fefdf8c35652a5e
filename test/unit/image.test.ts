import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { askedArchitecture, goArchitecture, hostArchitecture } from "../../src/image/architecture.ts";
import { readImage, readImageMetadata } from "../../src/image/read.ts";
import { bytesReader, type ImageReader, windowedReader } from "../../src/image/reader.ts";
import { readSif, requireSif } from "../../src/image/sif.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { makeOciSif, makeSif, ociBlob, type SifPart } from "../support/sif.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const fixture = (name: string): ImageReader => bytesReader(readFileSync(join(FIXTURES, name)), name);

const DEFINITION = `Bootstrap: localimage
From: tinyfs

%labels
    maintainer vanessasaur
    Version 1.2.3
    org.example.note a value with spaces

%environment
    export AVOCADO=delicious
    export LC_ALL=C

%runscript
    exec /bin/hello "$@"

%test
    test -x /bin/hello

%help
    A tiny image for tests.`;

const TINY = {
  architecture: "amd64",
  labels: {
    Version: "1.2.3",
    maintainer: "vanessasaur",
    "org.example.note": "a value with spaces",
    "org.label-schema.build-arch": "amd64",
    "org.label-schema.build-date": "Saturday_21_November_2026_3:18:55_UTC",
    "org.label-schema.schema-version": "1.0",
    "org.label-schema.usage": "/.singularity.d/runscript.help",
    "org.label-schema.usage.singularity.deffile.bootstrap": "localimage",
    "org.label-schema.usage.singularity.deffile.from": "tinyfs",
    "org.label-schema.usage.singularity.runscript.help": "/.singularity.d/runscript.help",
    "org.label-schema.usage.singularity.version": "4.5.0+64-gec0433152",
  },
  environment: {
    "/.singularity.d/env/90-environment.sh":
      "#!/bin/sh\n# Custom environment shell code should follow\n\n\n    export AVOCADO=delicious\n    export LC_ALL=C",
  },
  runscript: '#!/bin/sh\n\n    exec /bin/hello "$@"',
  test: "#!/bin/sh\n\n    test -x /bin/hello",
  help: "    A tiny image for tests.",
  deffile: DEFINITION,
  startscript: "#!/bin/sh",
  signed: false,
  encrypted: false,
  format: "sif",
};

const NOTHING = {
  architecture: "amd64",
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
};

/** Counts what is asked of the image, as requests to a server would be. */
function counted(bytes: Uint8Array, name?: string): ImageReader & { readonly reads: (readonly [number, number])[] } {
  const reads: (readonly [number, number])[] = [];
  const reader = bytesReader(bytes, name);
  return {
    ...reader,
    reads,
    read(start, end) {
      reads.push([start, end]);
      return reader.read(start, end);
    },
  };
}

const inspectJson = (attributes: unknown): SifPart => ({
  type: 0x4006,
  name: "inspect-metadata.json",
  content: JSON.stringify({ data: { attributes }, type: "container" }),
});
const refusal = (message: string, hint: string) => expect.objectContaining({ code: "IMAGE_INVALID", message, hint });

describe("a native image of SingularityCE 4.5", () => {
  test("metadata, of a whole file in one read", async () => {
    const reader = counted(readFileSync(join(FIXTURES, "tiny.sif")));
    expect(await readImageMetadata(reader)).toEqual(TINY);
    expect(reader.reads).toEqual([[0, 40960]]);
  });

  test("header", async () => {
    expect((await readSif(fixture("tiny.sif"))).header).toEqual({
      launch: "#!/usr/bin/env run-singularity",
      architecture: "amd64",
      id: "d4575d20-7d55-42bb-8398-a89f520c818d",
      created: 1795231135,
      modified: 1795231135,
      descriptorsTotal: 48,
      descriptorsOffset: 4096,
    });
  });

  test("the header's architecture is the image's, whatever a label says", async () => {
    expect(await readImageMetadata(fixture("tiny_arm64.sif"))).toEqual({ ...TINY, architecture: "arm64" });
  });

  test("objects as singularity sif list has them, and the PGP signature", async () => {
    const { objects, signatures, metadata } = await readImage(fixture("tiny_signed.sif"));
    const row = (id: string, position: string, type: string, name: string, size: number) => ({
      id,
      group: "1",
      link: "NONE",
      position,
      type,
      name,
      size,
    });
    expect(objects).toEqual([
      row("1", "32176-32471", "Def.FILE", "", 295),
      row("2", "32471-33761", "JSON.Generic", "inspect-metadata.json", 1290),
      row("3", "36864-40960", "FS (Squashfs/*System/amd64)", "", 4096),
      {
        ...row("4", "40960-42625", "Signature (SHA-256)", "", 1665),
        group: "NONE",
        link: "1 (G)",
      },
    ]);
    expect(signatures).toEqual([
      {
        id: 4,
        hash: "SHA-256",
        format: "pgp",
        fingerprint: "273f163cc8a584a8297a3370dffa7e29b1023775",
        signs: { kind: "group", id: 1 },
      },
    ]);
    expect(metadata).toEqual({ ...TINY, signed: true });
  });
});

describe("an OCI-SIF", () => {
  const config = {
    architecture: "arm64",
    os: "linux",
    config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin", "OCI_SAMPLE=1"], Labels: { "org.example.note": "oci sample" } },
  };
  const expected = {
    ...NOTHING,
    architecture: "arm64",
    labels: { "org.example.note": "oci sample" },
    environment: { Env: "PATH=/bin\nOCI_SAMPLE=1" },
    format: "oci-sif",
  };

  test("metadata is that of its config", async () => {
    expect(await readImageMetadata(bytesReader(makeOciSif(config)))).toEqual(expected);
  });

  test("a large one takes two reads: the head, and the documents before its index", async () => {
    const layer = { ...ociBlob(""), content: Buffer.alloc(1024 * 1024) };
    const sif = makeOciSif(config);
    const reader = counted(makeSifWithFirst(layer, sif));
    expect(await readImageMetadata(reader)).toEqual(expected);
    expect(reader.reads).toHaveLength(2);
  });

  test("with a DSSE signature", async () => {
    const signature = { type: 0x4005, group: 0, link: 0xf0000001, content: '{"payloadType":"x"}', extra: "\x01\0\0\0" };
    const { metadata, signatures } = await readImage(bytesReader(makeOciSif(config, [signature])));
    expect(metadata.signed).toBe(true);
    expect(signatures).toEqual([
      { id: 5, hash: "SHA-256", format: "dsse", fingerprint: undefined, signs: { kind: "group", id: 1 } },
    ]);
  });

  test.each([
    ["an image index of nothing", '{"schemaVersion":2,"manifests":[]}', "its OCI.RootIndex names no image"],
    ["no index at all", "{}", "manifest.schemaVersion: expected a whole number, got undefined"],
    ["no JSON", "]", "manifest: not JSON"],
    [
      "an index of a blob that is not there",
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", size: 1, digest: digestOf("x") }],
      }),
      `it has no object for the blob ${digestOf("x")}`,
    ],
  ])("%s is refused", async (_what, index, words) => {
    const sif = makeSif([{ type: 0x400a, content: index, extra: digestOf(index) }]);
    await expect(readImageMetadata(bytesReader(sif, "x.oci.sif"))).rejects.toThrow(
      refusal(`x.oci.sif is not a whole OCI-SIF: ${words}`, "the file is damaged: get it again, or ask its owner"),
    );
  });

  test("a blob that is not what its digest says is refused", async () => {
    const sif = makeOciSif(config);
    sif.write("OCI_SAMPLE=2", sif.indexOf("OCI_SAMPLE=1"));
    await expect(readImage(bytesReader(sif, "x.sif"))).rejects.toThrow(
      /^x\.sif is not a whole OCI-SIF: object 2 \(OCI\.Blob\) does not have the digest sha256:[0-9a-f]{64}$/,
    );
  });
});

/** The OCI-SIF `sif` with `first` put between its descriptors and its data. */
function makeSifWithFirst(first: SifPart, sif: Buffer): Buffer {
  const content = Buffer.from(first.content);
  const table = 128 + Number(sif.readBigInt64LE(88)) * 585;
  const moved = Buffer.concat([sif.subarray(0, table), content, sif.subarray(table)]);
  for (let at = 128; at < table; at += 585) {
    if (moved[at + 4] !== 0) moved.writeBigInt64LE(moved.readBigInt64LE(at + 17) + BigInt(content.length), at + 17);
  }
  return moved;
}

describe("images of other makers", () => {
  const read = async (parts: readonly SifPart[], shape = {}) => readImageMetadata(bytesReader(makeSif(parts, shape)));

  test("nothing inside", async () => {
    expect(await read([])).toEqual(NOTHING);
  });

  test("descriptors beyond the first 64 KiB", async () => {
    const metadata = await read([inspectJson({ labels: { a: "1" } })], { offset: 200_000 });
    expect(metadata).toEqual({ ...NOTHING, labels: { a: "1" } });
  });

  test("members missing, odd, or hostile", async () => {
    const json =
      '{"data":{"attributes":{"labels":{"n":7,"o":{"a":[1]},"z":null,"__proto__":"p"},"runscript":5,"test":""}}}';
    const metadata = await read([{ type: 0x4006, name: "inspect-metadata.json", content: json }]);
    const labels = Object.fromEntries([
      ["n", "7"],
      ["o", '{"a":[1]}'],
      ["z", "null"],
      ["__proto__", "p"],
    ]);
    expect(Object.entries(metadata.labels)).toEqual(Object.entries(labels));
    expect({ ...metadata, labels: {} }).toEqual({ ...NOTHING, test: "" });
  });

  test.each([
    ["[]"],
    ["null"],
    ['{"data":[]}'],
    ['{"data":{"attributes":"x"}}'],
    ['{"data":{"attributes":{"labels":[1]}}}'],
  ])("inspect-metadata %s says nothing", async (content) => {
    expect(await read([{ type: 0x4006, name: "inspect-metadata.json", content }])).toEqual(NOTHING);
  });

  test("the definition object serves where the metadata has none", async () => {
    expect(await read([{ type: 0x4001, content: "Bootstrap: docker\n" }])).toEqual({
      ...NOTHING,
      deffile: "Bootstrap: docker\n",
    });
  });

  test("labels of a labels object, or of the OCI config", async () => {
    const config = {
      type: 0x4006,
      name: "oci-config.json",
      content: '{"Env":["A=b",1,"C=d"],"Labels":{"from":"config"}}',
    };
    expect(await read([config])).toEqual({ ...NOTHING, labels: { from: "config" }, environment: { Env: "A=b\nC=d" } });
    const labels = { type: 0x4003, content: '{"from":"labels"}' };
    expect((await read([labels, config])).labels).toEqual({ from: "labels" });
    expect((await read([labels, config, inspectJson({ labels: {} })])).labels).toEqual({});
  });

  test("architecture of the primary file system where the header has none", async () => {
    const extra = Buffer.alloc(11);
    extra.writeInt32LE(1, 0);
    extra.writeInt32LE(2, 4);
    extra.write("04", 8);
    const partition = { type: 0x4004, content: "fs", extra };
    expect((await read([partition], { architecture: "00" })).architecture).toBe("arm64");
    expect((await read([], { architecture: "99" })).architecture).toBeUndefined();
  });

  test("encrypted: by its file system, or by the key beside it", async () => {
    expect((await read([{ type: 0x4004, content: "fs", extra: "\x05\0\0\0\x02\0\0\x0002" }])).encrypted).toBe(true);
    expect((await read([{ type: 0x4008, content: "key", extra: "\x02\0\0\0\0\x02\0\0" }])).encrypted).toBe(true);
    expect((await read([{ type: 0x4008, content: "text", extra: "\x01\0\0\0\0\x01\0\0" }])).encrypted).toBe(false);
  });

  test("every type is described", async () => {
    const parts: SifPart[] = [
      { type: 0x4002, content: "" },
      { type: 0x4003, content: "{}" },
      { type: 0x4004, content: "x", extra: "\x02\0\0\0\x04\0\0\x0000" },
      { type: 0x4007, content: "x", group: 0, link: 3 },
      { type: 0x4008, content: "x", extra: "\x02\0\0\0\0\x02\0\0" },
      { type: 0x4009, content: "x", extra: "\x04\0\0\0" },
      { type: 0x400b, content: "x", extra: "blake3:00" },
      { type: 0x4005, content: "x", extra: "\x63\0\0\0" },
      { type: 0x4999, content: "x" },
    ];
    const { objects } = await readImage(bytesReader(makeSif(parts)));
    expect(objects.map(({ group, link, type }) => [group, link, type])).toEqual([
      ["1", "NONE", "Env.Vars"],
      ["1", "NONE", "JSON.Labels"],
      ["1", "NONE", "FS (Ext3/Overlay/unknown)"],
      ["NONE", "3", "Generic/Raw"],
      ["1", "NONE", "Cryptographic Message (PEM/RSA-OAEP)"],
      ["1", "NONE", "SBOM (spdx-json)"],
      ["1", "NONE", "OCI.Blob"],
      ["1", "NONE", "Signature (Unknown)"],
      ["1", "NONE", "Unknown"],
    ]);
  });

  test("metadata that is no JSON, or too large, is refused by its object", async () => {
    const hint = "the image's metadata is damaged: build or get it again";
    await expect(read([{ type: 0x4006, name: "inspect-metadata.json", content: "{" }])).rejects.toThrow(
      refusal("the image: object 1 (inspect-metadata.json) is not JSON", hint),
    );
    const size = 16 * 1024 * 1024 + 1;
    await expect(read([{ type: 0x4001, content: Buffer.alloc(size) }])).rejects.toThrow(
      refusal(`the image: object 1 (Def.FILE) has ${size} bytes: metadata of at most 16777216 is read`, hint),
    );
  });
});

describe("what is no SIF", () => {
  const tar = (entry: string) => {
    const block = Buffer.alloc(1024);
    block.write(entry);
    block.write("ustar", 257);
    return block;
  };
  const ext3 = Buffer.alloc(2048);
  ext3.writeUInt16LE(0xef53, 1080);
  const cut = "the transfer that made the file may have been cut: get it again";
  const damaged = "the file is damaged: get it again, or ask its owner";

  test.each<[string, Uint8Array | string, string]>([
    ["an empty file", "", "an empty file"],
    ["a page", "\n<!DOCTYPE html><html>", "an HTML page"],
    ["an error", '<?xml version="1.0"?><Error>', "an XML document"],
    ["a manifest", '{"schemaVersion":2}', "a JSON document"],
    ["a recipe", "Bootstrap: docker\nFrom: busybox\n", "a definition file"],
    ["gzip", Buffer.from([0x1f, 0x8b, 8]), "a gzip file"],
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), "a zstd file"],
    ["squashfs", "hsqs____", "a squashfs file system"],
    ["ELF", "\x7fELF\x02", "an ELF program or library"],
    ["zip", "PK\x03\x04", "a zip file"],
    ["docker save", tar("manifest.json"), "a docker or OCI archive"],
    ["an OCI archive", tar("blobs/sha256/"), "a docker or OCI archive"],
    ["tar", tar("etc/passwd"), "a tar archive"],
    ["ext3", ext3, "an ext3 file system"],
    ["Singularity 2", "#!/usr/bin/env run-singularity\nhsqs", "an image of Singularity 2"],
  ])("%s", async (_what, content, looks) => {
    const reader = bytesReader(Buffer.from(content as string), "x.sif");
    await expect(readSif(reader)).rejects.toThrow(
      expect.objectContaining({
        code: "IMAGE_INVALID",
        message: `x.sif is not a SIF image: it looks like ${looks}`,
        hint: expect.stringMatching(/./),
      }),
    );
  });

  test("something unknown", async () => {
    await expect(readSif(bytesReader(Buffer.from("hello")))).rejects.toThrow(
      refusal(
        "the image is not a SIF image",
        "give the path or reference of an image built by singularity or apptainer",
      ),
    );
  });

  test("a push is told how to send it nevertheless", async () => {
    await expect(requireSif(bytesReader(Buffer.from("<html>"), "x.sif"))).rejects.toThrow(
      refusal(
        "x.sif is not a SIF image: it looks like an HTML page",
        "a server answered with a page instead of the image: look at what it says; --any-file pushes it as it is",
      ),
    );
    expect((await requireSif(fixture("tiny.sif"))).format).toBe("sif");
  });

  test.each<[number, string]>([
    [40_000, "tiny.sif is truncated: descriptor 3 (FS) ends at byte 40960 but the file has 40000 bytes"],
    [32_200, "tiny.sif is truncated: descriptor 1 (Def.FILE) ends at byte 32471 but the file has 32200 bytes"],
    [20_000, "tiny.sif: it is truncated: its descriptors end at byte 32176 but the file has 20000 bytes"],
    [100, "tiny.sif: its header ends at byte 128 but the file has 100 bytes"],
  ])("cut after %d bytes", async (size, message) => {
    const bytes = readFileSync(join(FIXTURES, "tiny.sif")).subarray(0, size);
    await expect(readSif(bytesReader(bytes, "tiny.sif"))).rejects.toThrow(refusal(message, cut));
  });

  test.each<[string, (bytes: Buffer) => void, string, string]>([
    [
      "another version",
      (bytes) => bytes.write("02", 42),
      'x.sif: its SIF version is "02", not "01"',
      "an image of a newer format needs a newer sregistry",
    ],
    [
      "a million descriptors",
      (bytes) => bytes.writeBigInt64LE(1_000_000n, 88),
      "x.sif: its number of descriptors is not from 0 to 8192",
      damaged,
    ],
    [
      "a negative count",
      (bytes) => bytes.writeBigInt64LE(-1n, 88),
      "x.sif: its number of descriptors is not from 0 to 8192",
      damaged,
    ],
    [
      "descriptors over the header",
      (bytes) => bytes.writeBigInt64LE(0n, 96),
      "x.sif: its header gives 48 descriptors no valid position or size",
      damaged,
    ],
    [
      "too small a table",
      (bytes) => bytes.writeBigInt64LE(100n, 104),
      "x.sif: its header gives 48 descriptors no valid position or size",
      damaged,
    ],
    [
      "a negative position",
      (bytes) => bytes.writeBigInt64LE(-5n, 4096 + 17),
      "x.sif: descriptor 1 (Def.FILE) has no valid position or size",
      damaged,
    ],
    [
      "a size beyond all numbers",
      (bytes) => bytes.writeBigInt64LE(2n ** 62n, 4096 + 25),
      "x.sif: descriptor 1 (Def.FILE) has no valid position or size",
      damaged,
    ],
  ])("%s", async (_what, damage, message, hint) => {
    const bytes = Buffer.from(readFileSync(join(FIXTURES, "tiny.sif")));
    damage(bytes);
    await expect(readSif(bytesReader(bytes, "x.sif"))).rejects.toThrow(refusal(message, hint));
  });

  test("a reader that gives less than it was asked for", async () => {
    const short: ImageReader = { size: 40_960, read: () => Promise.resolve(new Uint8Array(7)) };
    await expect(readSif(short)).rejects.toThrow(
      refusal(
        "the image: 40960 bytes were expected at byte 0, 7 came",
        "the image may have changed or been cut while it was read: try again",
      ),
    );
  });
});

test("a window serves neighbours without another read", async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const reader = counted(bytes);
  const window = windowedReader(reader);
  for (const [start, end] of [
    [150_000, 150_010],
    [90_000, 150_000],
    [150_010, 215_000],
    [0, 10],
  ] as const) {
    expect(Buffer.from(await window.read(start, end)).equals(bytes.subarray(start, end))).toBe(true);
  }
  expect(reader.reads).toEqual([
    [84_464, 215_546],
    [0, 65_546],
  ]);
});

test.each([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["arm64", "arm64"],
  ["mipsel", "mipsle"],
  ["x86_64", "amd64"],
  ["i386", "386"],
  ["i686", "386"],
  ["aarch64", "arm64"],
  ["armv6l", "arm"],
  ["armv7l", "arm"],
  ["armhf", "arm"],
  ["mips64el", "mips64le"],
  ["loongarch64", "loong64"],
  ["ppc64le", "ppc64le"],
  ["s390x", "s390x"],
  ["riscv64", "riscv64"],
  ["amd64", "amd64"],
  ["vax", "vax"],
])("the architecture that Node or uname call %s is Go's %s", (name, go) => {
  expect(goArchitecture(name)).toBe(go);
});

test.each([
  ["x86_64", "amd64"],
  ["aarch64", "arm64"],
  ["arm64/v8", "arm64/v8"],
  ["armhf/v7", "arm/v7"],
  ["armv7l", "arm"],
  ["i386", "386"],
  ["loongarch64", "loong64"],
  ["vax", "vax"],
  ["", ""],
])("%s, as a user asks for it, is %s", (word, asked) => {
  expect(askedArchitecture(word)).toBe(asked);
});

test.each([
  ["ppc64", "LE", "ppc64le"],
  ["ppc64", "BE", "ppc64"],
  ["x64", "LE", "amd64"],
  ["arm64", "LE", "arm64"],
  ["s390x", "BE", "s390x"],
] as const)("a machine that Node calls %s (%s) asks for %s: POWER9 never found its images", (name, order, go) => {
  expect(hostArchitecture(name, order)).toBe(go);
});
