import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { readImage } from "../../src/image/read.ts";
import { bytesReader, type ImageReader } from "../../src/image/reader.ts";
import { makeOciSif } from "../support/sif.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const SEEDS = [
  readFileSync(join(FIXTURES, "tiny_signed.sif")),
  makeOciSif({ architecture: "amd64", config: { Labels: { a: "b" }, Env: ["A=b"] } }),
];

/** Mostly where it hurts: the header, the descriptors in use, the metadata. */
const place = fc.oneof(
  fc.nat(127),
  fc.integer({ min: 4096, max: 6500 }),
  fc.integer({ min: 32_176, max: 33_800 }),
  fc.nat(42_000),
);
const mutation = fc.oneof(
  fc.record({ at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  fc.record({
    at: place,
    bytes: fc.constantFrom(0n, -1n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, 40_959n).map(littleEndian),
  }),
);

function littleEndian(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** Refuses any read outside the image, as a server would with 416. */
function strict(bytes: Uint8Array): ImageReader & { read: ImageReader["read"]; total(): number } {
  const reader = bytesReader(bytes);
  let total = 0;
  return {
    size: reader.size,
    total: () => total,
    read(start, end) {
      if (!(start >= 0 && start <= end && end <= bytes.length)) throw new Error(`read of ${start}-${end}`);
      total += end - start;
      return reader.read(start, end);
    },
  };
}

test("a damaged image is read or refused, within its bounds and without reading it over and over", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SEEDS),
      fc.array(mutation, { minLength: 1, maxLength: 5 }),
      fc.option(fc.nat(42_625)),
      async (seed, mutations, cut) => {
        const bytes = Buffer.from(cut === null ? seed : seed.subarray(0, cut));
        for (const { at, bytes: change } of mutations)
          bytes.set(change.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
        const reader = strict(bytes);
        try {
          await readImage(reader);
        } catch (error) {
          if (!(error instanceof SregistryError)) throw error;
          expect(error.code).toBe("IMAGE_INVALID");
          expect(error.hint).toMatch(/^[^\n]+$/);
        }
        expect(reader.total()).toBeLessThanOrEqual(4 * bytes.length);
      },
    ),
    { numRuns: 600 },
  );
});
