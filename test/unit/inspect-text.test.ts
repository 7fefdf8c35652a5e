/** What `inspect` tells a person: whole, on a narrow terminal and in a pipe, with colour and without. */
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Inspection } from "../../src/client/inspect.ts";
import { inspectionText } from "../../src/commands/inspect-text.ts";
import { metadataText } from "../../src/commands/metadata-text.ts";
import { readImage } from "../../src/image/read.ts";
import { parseDigest } from "../../src/reference/digest.ts";
import { namedValues, wrapped } from "../../src/terminal/page.ts";
import { colourStyle, plainStyle, type Style } from "../../src/terminal/style.ts";
import { displayWidth } from "../../src/terminal/width.ts";
import { fileReader } from "../../src/transfer/file-source.ts";
import { FIXTURES } from "../support/program.ts";

const PIPE = { style: plainStyle, room: Number.POSITIVE_INFINITY };
const NOW = Date.parse("2026-11-24T12:00:00Z");

let signed: Inspection;
let colour: Style;

beforeAll(async () => {
  colour = await colourStyle();
  await using reader = await fileReader(join(FIXTURES, "tiny_signed.sif"));
  const { sif, ...contents } = await readImage(reader);
  const { created = 0 } = sif.header;
  signed = {
    name: "oras://registry.example.org/lab/tiny:1.0",
    size: reader.size,
    digest: parseDigest(`sha256:${"a".repeat(64)}`),
    manifest: undefined,
    created: new Date(created * 1000).toISOString(),
    referrers: [],
    ...contents,
  };
});

describe("an image", () => {
  it("in a pipe", () => {
    expect(inspectionText(signed, NOW, PIPE)).toMatchInlineSnapshot(`
      "oras://registry.example.org/lab/tiny:1.0: 41.6 KiB, amd64, signed by key DFFA7E29B1023775 (not verified), created 3 days ago
        digest:  sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        format:  SIF
        size:    42625 bytes
        created: 2026-11-21T03:18:55.000Z

      objects:
        ID  TYPE                         GROUP  LINK      SIZE  NAME
         1  Def.FILE                     1               295 B
         2  JSON.Generic                 1             1.3 KiB  inspect-metadata.json
         3  FS (Squashfs/*System/amd64)  1             4.0 KiB
         4  Signature (SHA-256)                 1 (G)  1.6 KiB

      signatures (not verified):
        ID  FORMAT  KEY                                       SIGNS    HASH
         4  PGP     273F163CC8A584A8297A3370DFFA7E29B1023775  group 1  SHA-256

      help:
        A tiny image for tests.

      labels:
        Version:                     1.2.3
        maintainer:                  vanessasaur
        org.example.note:            a value with spaces
        org.label-schema.build-arch: amd64
        org.label-schema.build-date: Saturday_21_November_2026_3:18:55_UTC
        org.label-schema.schema-version: 1.0
        org.label-schema.usage:      /.singularity.d/runscript.help
        org.label-schema.usage.singularity.deffile.bootstrap: localimage
        org.label-schema.usage.singularity.deffile.from: tinyfs
        org.label-schema.usage.singularity.runscript.help: /.singularity.d/runscript.help
        org.label-schema.usage.singularity.version: 4.5.0+64-gec0433152

      environment:
        #!/bin/sh
        # Custom environment shell code should follow


            export AVOCADO=delicious
            export LC_ALL=C

      runscript:
        #!/bin/sh

            exec /bin/hello "$@"

      test:
        #!/bin/sh

            test -x /bin/hello

      deffile:
        Bootstrap: localimage
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
            A tiny image for tests.
      "
    `);
  });

  it("on a terminal of 60 columns: nothing is cut off at its edge but lines of scripts", () => {
    const text = inspectionText(signed, NOW, { style: plainStyle, room: 60 });
    expect(text.slice(0, text.indexOf("\nenvironment:"))).toMatchInlineSnapshot(`
      "oras://registry.example.org/lab/tiny:1.0: 41.6 KiB, amd64,
      signed by key DFFA7E29B1023775 (not verified), created 3
      days ago
        digest:  sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
                 aaaaaaaaaaaaaaaaaaaaaa
        format:  SIF
        size:    42625 bytes
        created: 2026-11-21T03:18:55.000Z

      objects:
        ID  TYPE                  GROUP     SIZE  NAME
         1  Def.FILE              1        295 B
         2  JSON.Generic          1      1.3 KiB  inspect-…ta.json
         3  FS (Squashfs/*Syste…  1      4.0 KiB
         4  Signature (SHA-256)          1.6 KiB

      signatures (not verified):
        ID  FORMAT  KEY                           SIGNS    HASH
         4  PGP     273F163CC8A584…A7E29B1023775  group 1  SHA-256

      help:
        A tiny image for tests.

      labels:
        Version:                     1.2.3
        maintainer:                  vanessasaur
        org.example.note:            a value with spaces
        org.label-schema.build-arch: amd64
        org.label-schema.build-date: Saturday_21_November_2026_3:1
                                     8:55_UTC
        org.label-schema.schema-version: 1.0
        org.label-schema.usage:      /.singularity.d/runscript.hel
                                     p
        org.label-schema.usage.singularity.deffile.bootstrap:
            localimage
        org.label-schema.usage.singularity.deffile.from: tinyfs
        org.label-schema.usage.singularity.runscript.help:
            /.singularity.d/runscript.help
        org.label-schema.usage.singularity.version:
            4.5.0+64-gec0433152
      "
    `);
    for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(60);
  });

  it("is the same text with colour as without", () => {
    const look = { style: colour, room: 100 };
    const text = inspectionText(signed, NOW, look);
    expect(text).not.toBe(stripVTControlCharacters(text));
    expect(stripVTControlCharacters(text)).toBe(inspectionText(signed, NOW, { ...look, style: plainStyle }));
  });

  it("that says little of itself is told in few lines", () => {
    const { metadata } = signed;
    const bare: Inspection = {
      ...signed,
      metadata: {
        ...metadata,
        ...{ architecture: undefined, labels: {}, environment: {}, signed: false, encrypted: true, format: "oci-sif" },
        ...{ runscript: undefined, test: undefined, help: undefined, deffile: undefined, startscript: undefined },
      },
      digest: undefined,
      created: undefined,
      objects: undefined,
      signatures: undefined,
      referrers: [
        { digest: parseDigest(`sha256:${"b".repeat(64)}`), type: "application/spdx+json", size: 2048, annotations: {} },
      ],
    };
    expect(inspectionText(bare, NOW, PIPE)).toBe(
      "oras://registry.example.org/lab/tiny:1.0: 41.6 KiB, unknown architecture, not signed, encrypted\n" +
        "  format: OCI-SIF\n" +
        "  size:   42625 bytes\n" +
        "\nattached:\n" +
        "  TYPE                      SIZE  DIGEST\n" +
        `  application/spdx+json  2.0 KiB  sha256:${"b".repeat(64)}\n`,
    );
  });

  it("cannot steer the terminal, wherever its text is", () => {
    const evil = "\u001b[2J\u202eevil\u009b";
    const text = inspectionText(
      {
        ...signed,
        name: evil,
        objects: [{ id: "1", type: evil, group: evil, link: evil, size: 1, name: evil, position: evil }],
        metadata: {
          ...signed.metadata,
          ...{ architecture: evil, labels: { [evil]: evil }, environment: { [evil]: evil } },
          ...{ runscript: evil, test: evil, help: evil, deffile: evil },
        },
      },
      NOW,
      { style: plainStyle, room: 80 },
    );
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text.match(/\\u001b\[2J/g)?.length).toBeGreaterThan(8);
  });
});

it("a definition has its sections, its keys and its comments in colours", () => {
  const tags: Style = {
    ...plainStyle,
    bold: (text) => `<b>${text}</b>`,
    name: (text) => `<n>${text}</n>`,
    dim: (text) => `<d>${text}</d>`,
  };
  const deffile =
    "# mine\nBootstrap: docker\nFrom: alpine:3\n\n%post -c /bin/sh\n  apk add: x\n  # why\n\nBootstrap: scratch\n%files from one\n  /a /b\n";
  expect(metadataText({ ...signed.metadata, deffile }, ["deffile"], "", { ...PIPE, style: tags })).toBe(
    "<b>deffile:</b>\n" +
      "  <d># mine</d>\n" +
      "  <b>Bootstrap</b>: docker\n" +
      "  <b>From</b>: alpine:3\n\n" +
      "  <n>%post</n> -c /bin/sh\n" +
      "    apk add: x\n" +
      "  <d>  # why</d>\n\n" +
      "  <b>Bootstrap</b>: scratch\n" +
      "  <n>%files</n> from one\n" +
      "    /a /b\n",
  );
});

describe("names and values", () => {
  const ROWS = [
    ["maintainer", "vanessasaur"],
    ["org.example.description", "a value of many words that does not fit beside its name"],
    ["a", ""],
    ["org.label-schema.usage.singularity.deffile.from", "alpine"],
  ] as const;

  it("stand below each other, and long values go on below themselves", () => {
    expect(namedValues(ROWS, "  ", { style: plainStyle, room: 60 })).toBe(
      "  maintainer:              vanessasaur\n" +
        "  org.example.description: a value of many words that does\n" +
        "                           not fit beside its name\n" +
        "  a:\n" +
        "  org.label-schema.usage.singularity.deffile.from: alpine\n",
    );
  });

  it("are one line each in a pipe", () => {
    expect(namedValues(ROWS, "", PIPE).split("\n").length).toBe(ROWS.length + 1);
  });
});

it.each([
  ["one two three", 7, ["one two", "three"]],
  ["abcdefgh", 3, ["abc", "def", "gh"]],
  ["測定結果の解析", 5, ["測定", "結果", "の解", "析"]],
  ["", 5, [""]],
])("%j in %d columns", (text, width, lines) => expect(wrapped(text, width)).toEqual(lines));

it("a label of many lines without a blank does not hang the terminal", () => {
  const value = "e\u0301".repeat(256 * 1024);
  expect(wrapped(value, 64)).toEqual(Array.from({ length: 4 * 1024 }, () => "e\u0301".repeat(64)));
});
