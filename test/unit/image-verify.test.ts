import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesReader, type ImageReader } from "../../src/image/reader.ts";
import { readSif } from "../../src/image/sif.ts";
import { type SignatureCheck, verifySignedObjects } from "../../src/image/verify.ts";
import { failureOf } from "../support/http.ts";
import { makeSif, type SifPart } from "../support/sif.ts";
import { dsse, makeSignedSif, pgp, signaturePart, signedText } from "../support/signed-sif.ts";

const SIGNED = readFileSync(join(import.meta.dirname, "../fixtures/tiny_signed.sif"));
const KEY = "273f163cc8a584a8297a3370dffa7e29b1023775";
const HINT = "the file is damaged: get it again, or ask its owner";

const PARTS: readonly SifPart[] = [
  { type: 0x4001, content: "Bootstrap: scratch" },
  { type: 0x4004, content: "a file system", name: "rootfs" },
];

async function check(bytes: Uint8Array, signal?: AbortSignal): Promise<SignatureCheck> {
  const reader = bytesReader(bytes, "image.sif");
  return verifySignedObjects(reader, await readSif(reader), signal);
}

/** Every problem of every signature. */
async function problems(bytes: Uint8Array): Promise<readonly string[]> {
  const { intact, signatures } = await check(bytes);
  const found = signatures.flatMap(({ problems: each }) => each);
  expect(intact).toBe(false);
  return found;
}

function changed(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** PARTS, and a signature object around `text`. */
function carrying(text: string, link?: number, hash?: number): Buffer {
  return makeSif([...PARTS, signaturePart(text, link, hash)], { total: 10 });
}

const unsignedBytes = makeSif(PARTS, { total: 10 });
const message = (change: (from: Record<string, unknown>) => unknown, ids = [1, 2]): string =>
  dsse(JSON.stringify(change(JSON.parse(signedText(unsignedBytes, { ids })))));

describe("images as they were signed", () => {
  it("finds an image that singularity signed with PGP intact", async () => {
    expect(await check(SIGNED)).toEqual({
      signed: true,
      intact: true,
      signatures: [
        {
          id: 4,
          hash: "SHA-256",
          format: "pgp",
          fingerprint: KEY,
          signs: { kind: "group", id: 1 },
          legacy: false,
          covers: [1, 2, 3],
          problems: [],
        },
      ],
      uncovered: [],
    });
  });

  it.each(["sha224", "sha256", "sha384", "sha512"])("understands digests by %s", async (algorithm) => {
    expect(await check(makeSignedSif(PARTS, { algorithm }))).toMatchObject({ intact: true, uncovered: [] });
  });

  it("understands sha512_256, which OpenSSL writes with a dash", async () => {
    const bytes = makeSignedSif(PARTS, { algorithm: "sha512-256", named: "sha512_256" });
    expect(await check(bytes)).toMatchObject({ intact: true });
  });

  it("understands clear text with dashes escaped and lines that end as on Windows", async () => {
    const text = pgp(signedText(unsignedBytes, { ids: [1, 2] }).replace(/,/g, ",\n")).replace(/\n/g, "\r\n");
    expect(await check(carrying(text))).toMatchObject({ intact: true, signatures: [{ format: "pgp" }] });
  });

  it("takes the work of two signatures together", async () => {
    const parts = [1, 2].map((id) => signaturePart(dsse(signedText(unsignedBytes, { ids: [id] }))));
    const bytes = makeSif([...PARTS, ...parts], { total: 10 });
    expect(await check(bytes)).toMatchObject({ intact: true, signatures: [{ covers: [1] }, { covers: [2] }] });
  });

  it("says of an image without signatures that it is not signed", async () => {
    expect(await check(unsignedBytes)).toEqual({ signed: false, intact: false, signatures: [], uncovered: [1, 2] });
  });
});

describe("images that are not what was signed", () => {
  it.each([
    ["the launch line", 3, ["the header is not what was signed"]],
    ["the image's UUID", 50, ["the header is not what was signed"]],
    ["a byte of the definition", 32_180, ["the content of object 1 is not what was signed"]],
    ["a byte of the file system", 40_000, ["the content of object 3 is not what was signed"]],
    ["an object's name", 4096 + 585 + 73, ["the descriptor of object 2 is not what was signed"]],
    ["an object's time of creation", 4096 + 585 + 41, ["the descriptor of object 2 is not what was signed"]],
  ])("finds a change of %s", async (_what, at, expected) => {
    expect(await problems(changed(SIGNED, at))).toEqual(expected);
  });

  it.each([
    ["the header's times and architecture", 72],
    ["an object's time of change", 4096 + 585 + 49],
  ])("leaves %s alone, which signing does not cover", async (_what, at) => {
    expect(await check(changed(SIGNED, at))).toMatchObject({ intact: true });
  });

  it.each([1, 2, 3])("names object %d when any byte of it was changed", async (id) => {
    const { descriptors } = await readSif(bytesReader(SIGNED));
    const { start = 0, size = 0 } = descriptors.find((descriptor) => descriptor.id === id) ?? {};
    expect(size).toBeGreaterThan(0);
    for (const at of [0, Math.floor(size / 2), size - 1]) {
      const { intact, signatures, uncovered } = await check(changed(SIGNED, start + at));
      expect({ intact, uncovered, problems: signatures.flatMap(({ problems: each }) => each) }).toEqual({
        intact: false,
        uncovered: [id],
        problems: [`the content of object ${id} is not what was signed`],
      });
    }
  });

  it("finds that the signature itself says another digest than it did", async () => {
    const at = SIGNED.indexOf("sha256:", SIGNED.indexOf("objectDigest")) + "sha256:".length;
    const bytes = Buffer.from(SIGNED);
    bytes.write(bytes.toString("latin1", at, at + 1) === "0" ? "1" : "0", at);
    expect(await problems(bytes)).toEqual(["the content of object 1 is not what was signed"]);
  });

  it("finds a group that nobody signed", async () => {
    const parts: readonly SifPart[] = [...PARTS, { type: 0x4004, content: "another file system", group: 2 }];
    const text = dsse(signedText(makeSif(parts, { total: 10 }), { ids: [1, 2] }));
    expect(await check(makeSif([...parts, signaturePart(text)], { total: 10 }))).toMatchObject({
      signed: true,
      intact: false,
      signatures: [{ covers: [1, 2], problems: [] }],
      uncovered: [3],
    });
  });

  it("finds an object that was added after signing", async () => {
    const text = dsse(signedText(unsignedBytes, { ids: [1, 2] }));
    const bytes = makeSif([...PARTS, signaturePart(text), { type: 0x4006, content: "{}" }], { total: 10 });
    expect(await check(bytes)).toMatchObject({ signed: true, intact: false, uncovered: [4] });
  });

  it("finds an object in no group, which no group's signature covers", async () => {
    const text = dsse(signedText(unsignedBytes, { ids: [1, 2] }));
    const loose = { type: 0x4004, content: "another file system", group: 0 };
    const bytes = makeSif([...PARTS, signaturePart(text), loose], { total: 10 });
    expect(await check(bytes)).toMatchObject({ intact: false, uncovered: [4] });
  });

  it("finds an object that was taken away after signing", async () => {
    const bytes = changed(SIGNED, 4096 + 2 * 585 + 4);
    expect(await problems(bytes)).toEqual(["it speaks of more objects than its group has"].map(unclear(4)));
  });

  it("finds an object of another group in place of one that was signed", async () => {
    const text = message((from) => from, [2]);
    const parts = [PARTS[0], { ...PARTS[1], group: 2 } as SifPart, signaturePart(text)] as SifPart[];
    expect(await problems(makeSif(parts, { total: 10 }))).toEqual(["object 2 was signed and is not there"]);
  });
});

function unclear(id: number): (words: string) => string {
  return (words) => `signature ${id} cannot be made sense of: ${words}`;
}

describe("signatures of another kind", () => {
  const hash = (algorithm: string, ...texts: string[]) => createHash(algorithm).update(texts.join("")).digest("hex");
  const contents = PARTS.map(({ content }) => String(content));

  it("understands SIFHASH of Singularity 3.5 over a whole group", async () => {
    const text = pgp(`SIFHASH:\n${hash("sha384", ...contents)}`);
    expect(await check(carrying(text, 0xf0000001, 2))).toMatchObject({
      intact: true,
      signatures: [{ legacy: true, hash: "SHA-384", covers: [1, 2] }],
    });
  });

  it("understands SIFHASH of Singularity 3.5 over one object, and that it covers no other", async () => {
    const text = pgp(`SIFHASH:\n${hash("sha384", contents[1] ?? "").toUpperCase()}\n`);
    expect(await check(carrying(text, 2, 2))).toMatchObject({
      intact: false,
      signatures: [{ legacy: true, covers: [2], problems: [] }],
      uncovered: [1],
    });
  });

  it("finds content that SIFHASH does not fit", async () => {
    const text = pgp(`SIFHASH:\n${hash("sha384", "another file system")}`);
    expect(await problems(carrying(text, 0xf0000001, 2))).toEqual([
      "the content of objects 1, 2 is not what was signed",
    ]);
  });

  it.each([
    ["no message at all", "hello", "it is neither PGP nor DSSE"],
    ["half a clear text", "-----BEGIN PGP SIGNED MESSAGE-----\n\n{}", "it is no whole PGP clear-signed text"],
    ["a detached signature", "-----BEGIN PGP SIGNATURE-----\n\nAAAA", "it is no whole PGP clear-signed text"],
    ["a clear text of something else", pgp("hello"), "the signed text: not JSON"],
    ["SIFHASH of nothing", pgp("SIFHASH:\n"), "what follows SIFHASH: is no digest"],
    ["an envelope that is cut", '{"payloadType"', "the envelope: not JSON"],
    [
      "an envelope of something else",
      '{"payloadType":"x"}',
      "its payload is not application/vnd.sylabs.sif-metadata+json",
    ],
    ["another version", message((from) => ({ ...from, version: 2 })), "its version is 2, not 1"],
    ["no objects", message((from) => ({ ...from, objects: [] })), "it speaks of no object"],
    [
      "an object of no number",
      message((from) => ({ ...from, objects: [{ relativeId: "0" }] })),
      "objects[0].relativeId: expected a whole number, got string",
    ],
    [
      "BLAKE2, which singularity 3.5 could be told to use",
      message((from) => ({ ...from, header: { digest: `blake2b-256:${"0".repeat(64)}` } })),
      "header.digest is of an unsupported algorithm, blake2b-256",
    ],
    [
      "a digest that is too short",
      message((from) => ({ ...from, header: { digest: "sha256:00" } })),
      "header.digest has 2 digits, and sha256 has 64",
    ],
    [
      "a digest of no form",
      message((from) => ({ ...from, header: { digest: "\u001b[31mred" } })),
      "header.digest is no digest",
    ],
  ])("says of %s that it cannot be made sense of", async (_what, text, words) => {
    expect(await problems(carrying(text))).toEqual([words].map(unclear(3)));
  });

  it("says of a legacy hash by BLAKE2 that it is not supported", async () => {
    expect(await problems(carrying(pgp(`SIFHASH:\n${"0".repeat(64)}`), 0xf0000001, 5))).toEqual(
      ["its hash is of an unsupported algorithm, BLAKE2b-256"].map(unclear(3)),
    );
  });

  it.each([
    ["nothing", 0],
    ["a group that is not there", 0xf0000007],
    ["an object that is not there", 9],
  ])("says so of a signature that is linked to %s", async (_what, link) => {
    expect(
      await problems(
        carrying(
          message((from) => from),
          link,
        ),
      ),
    ).toEqual(["it is linked to nothing that is in the image"].map(unclear(3)));
  });
});

describe("images that were made to deceive or to exhaust", () => {
  it("refuses two objects of one id: one would be verified, the other used", async () => {
    const bytes = makeSignedSif(PARTS);
    bytes.writeUInt32LE(1, 128 + 585 + 5);
    expect(await failureOf(check(bytes))).toEqual({
      code: "IMAGE_INVALID",
      message: "image.sif: two of its objects have one id",
      hint: HINT,
    });
  });

  it("refuses objects that overlap, so that no byte is read over and over", async () => {
    const bytes = makeSignedSif(PARTS);
    for (const slot of [0, 1]) {
      bytes.writeBigInt64LE(0n, 128 + slot * 585 + 17);
      bytes.writeBigInt64LE(BigInt(bytes.length), 128 + slot * 585 + 25);
    }
    expect(await failureOf(check(bytes))).toEqual({
      code: "IMAGE_INVALID",
      message: "image.sif: its objects overlap",
      hint: HINT,
    });
  });

  it("reads no signature of more than 16 MiB", async () => {
    const bytes = carrying(dsse("x".repeat(13 * 1024 * 1024)));
    expect(await failureOf(check(bytes))).toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringMatching(/^image\.sif: object 3 \(Signature\) has \d+ bytes: /),
    });
  });

  it("reads contents in blocks, each byte once, whatever signatures there are", async () => {
    const parts = [{ type: 0x4004, content: Buffer.alloc(5 * 1024 * 1024 + 7, "x") }];
    const text = signedText(makeSif(parts, { total: 10 }), { ids: [1] });
    const other = signedText(makeSif(parts, { total: 10 }), { ids: [1], algorithm: "sha512" });
    const bytes = makeSif([...parts, ...[text, other, text].map((each) => signaturePart(dsse(each)))], { total: 10 });
    const reads: number[] = [];
    const inner = bytesReader(bytes);
    const reader: ImageReader = {
      size: inner.size,
      read(start, end) {
        reads.push(end - start);
        return inner.read(start, end);
      },
    };
    const sif = await readSif(reader);
    reads.length = 0;
    expect(await verifySignedObjects(reader, sif)).toMatchObject({ intact: true });
    expect(reads.filter((size) => size > 100_000)).toEqual(Array.from({ length: 5 }, () => 1024 * 1024));
  });

  it("stops when it is told to", async () => {
    const reason = new Error("stop");
    await expect(check(SIGNED, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("checks or refuses a damaged image, and never calls one intact whose signed bytes changed", async () => {
    const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const covered = (bytes: Uint8Array) => sha(bytes.subarray(32_176, 33_761)) + sha(bytes.subarray(36_864, 40_960));
    const place = fc.oneof(
      fc.nat(127),
      fc.integer({ min: 4096, max: 4096 + 5 * 585 }),
      fc.integer({ min: 32_176, max: 33_800 }),
      fc.integer({ min: 40_960, max: 42_624 }),
    );
    const mutation = fc.record({ at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat(42_625)),
        async (all, cut) => {
          const bytes = Buffer.from(cut === null ? SIGNED : SIGNED.subarray(0, cut));
          for (const { at, bytes: change } of all)
            bytes.set(change.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
          try {
            const { intact } = await check(bytes);
            if (intact) expect(covered(bytes)).toBe(covered(SIGNED));
          } catch (error) {
            expect(error).toMatchObject({ name: "SregistryError", code: "IMAGE_INVALID" });
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("takes any text for a signature without failing otherwise than by saying so", async () => {
    const wild = fc.oneof(
      fc.string().map((text) => `-----BEGIN PGP SIGNED MESSAGE-----\n\n${text}\n-----BEGIN PGP SIGNATURE-----`),
      fc.json().map((text) => pgp(text)),
      fc.json().map((text) => dsse(text)),
      fc.string().map((text) => `{${text}`),
    );
    await fc.assert(
      fc.asyncProperty(wild, async (text) => {
        expect((await problems(carrying(text))).length).toBe(1);
      }),
      { numRuns: 200 },
    );
  });
});
