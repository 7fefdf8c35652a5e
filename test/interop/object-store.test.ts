/**
 * Libraries whose images are in an object store: MinIO behind presigned URLs, on the library's own host name with another
 * port, as Singularity Registry Server is set up. The client inside SingularityCE keeps the library in between honest.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SRS, SYLABS } from "../support/library-dialects.ts";
import { LIBRARY_TOKEN, type MinioLibrary, startMinioLibrary } from "../support/minio-library.ts";
import { missingPeers, type PeerBucket, peer, startMinio } from "../support/peers.ts";
import { readObject, writeObject } from "../support/presign.ts";
import { FIXTURES, finished, User } from "../support/program.ts";
import { logInToLibrary } from "../support/remote-login.ts";

const TINY = join(FIXTURES, "tiny.sif");
const MIB = 1024 * 1024;
const PART_SIZE = 7 * MIB;
/** Singularity sends what is larger than 64 MiB in parts. */
const IN_PARTS = 75 * MIB;
const WHOLE_PARTS = 77 * MIB;

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

const LIBRARIES = [
  { title: "Singularity Registry Server's ways", dialect: SRS, announced: { uneven: 11, even: 12 } },
  { title: "Sylabs' ways", dialect: SYLABS, announced: { uneven: 11, even: 11 } },
];

describe.skipIf(missingPeers("minio", "scs-peer").length > 0)("a library with MinIO behind presigned URLs", () => {
  let minio: PeerBucket;
  beforeAll(async () => {
    minio = await startMinio();
  });
  afterAll(() => minio[Symbol.asyncDispose]());

  for (const { title, dialect, announced } of LIBRARIES) {
    describe(title, () => {
      let user: User;
      let library: MinioLibrary;

      beforeEach(async () => {
        user = await User.create();
        library = await startMinioLibrary(minio, dialect, PART_SIZE);
        await logInToLibrary(user, "lab", library.url, LIBRARY_TOKEN);
        library.story.length = 0;
      });
      afterEach(async () => {
        await library[Symbol.asyncDispose]();
        await user[Symbol.asyncDispose]();
      });

      /** A SIF with a tail of random bytes. */
      async function image(name: string, bytes: number): Promise<Buffer> {
        const tiny = await readFile(TINY);
        const content = Buffer.concat([tiny, randomBytes(bytes - tiny.length)]);
        await writeFile(user.path(name), content);
        return content;
      }

      /** Pushes FILE as `name`, and reads it back from MinIO, by our program, and by SingularityCE's client. */
      async function there(file: string, content: Buffer, name: string): Promise<void> {
        const pushed = await user.run(["push", "-U", file, `library://lab/tools/${name}:1.0`]);
        expect(pushed.status, pushed.stderr).toBe(0);
        const row = library.rows.find(({ tags }) => tags.includes("1.0"));
        expect(row).toMatchObject({ name: `tools/${name}`, hash: `sha256.${sha256(content)}`, uploaded: true });
        expect(sha256(await readObject(minio, library.keyOf(row!)))).toBe(sha256(content));
        const pulled = await user.run(["pull", "-o", "back.sif", `library://lab/tools/${name}:1.0`]);
        expect(pulled.status, pulled.stderr).toBe(0);
        expect(sha256(await readFile(user.path("back.sif")))).toBe(sha256(content));
      }

      it("an image in one piece", async () => {
        await there(TINY, await readFile(TINY), "small");
        expect(library.story.filter((line) => line.includes("_multipart"))).toEqual([]);
        expect(library.story).toContain(`GET /v1/imagefile/lab/tools/small:1.0 ${dialect.redirect}`);
      });

      it("an image in parts", async () => {
        const content = await image("uneven.sif", IN_PARTS);
        await there("uneven.sif", content, "uneven");
        expect(partsAsked(library)).toBe(announced.uneven);
      });

      it("an exact multiple of the part size, where a last part without bytes is announced", async () => {
        const content = await image("even.sif", WHOLE_PARTS);
        await there("even.sif", content, "even");
        expect(partsAsked(library)).toBeGreaterThanOrEqual(WHOLE_PARTS / PART_SIZE);
        expect(partsAsked(library)).toBeLessThanOrEqual(announced.even);
      });

      it("a push that was killed goes on with the parts that MinIO has", async () => {
        const content = await image("killed.sif", IN_PARTS);
        const child = user.start(["push", "-U", "killed.sif", "library://lab/tools/killed:1.0"]);
        const run = finished(child);
        // Three at a time: when five were asked for, two are there.
        while (partsAsked(library) < 5 && child.exitCode === null) await new Promise((done) => setTimeout(done, 2));
        child.kill("SIGKILL");
        await run;
        const before = partsAsked(library);
        await there("killed.sif", content, "killed");
        expect(partsAsked(library) - before).toBeLessThan(announced.uneven);
        expect(library.story.filter((line) => /^POST .*\/_multipart 200$/.test(line))).toHaveLength(1);
      });

      it("two tags have the image, and it is sent once", async () => {
        const words = ["push", "-U", TINY, "library://lab/tools/twice", "--tag", "1.0", "--tag", "latest"];
        const pushed = await user.run(words);
        expect(pushed.status, pushed.stderr).toBe(0);
        expect(library.story.filter((line) => line.endsWith("/_complete 200"))).toHaveLength(1);
        for (const tag of ["1.0", "latest"]) {
          const pulled = await user.run(["pull", "-o", `${tag}.sif`, `library://lab/tools/twice:${tag}`]);
          expect(pulled.status, pulled.stderr).toBe(0);
        }
      });

      it("a wrong byte in the object store never becomes a file", async () => {
        await user.run(["push", "-U", TINY, "library://lab/tools/damaged:1.0"]);
        const key = library.keyOf(library.rows[0]!);
        const bytes = await readObject(minio, key);
        bytes[bytes.length - 1]! ^= 1;
        await writeObject(minio, key, bytes);
        const pulled = await user.run(["pull", "-o", "damaged.sif", "library://lab/tools/damaged:1.0"]);
        expect(pulled).toMatchObject({ status: 6, stdout: "" });
        expect(pulled.stderr).toContain(sha256(await readFile(TINY)));
        expect(existsSync(user.path("damaged.sif"))).toBe(false);
      });

      it("SingularityCE's client finds the same library", async () => {
        const pushed = peer("scs-peer", "push", library.url, LIBRARY_TOKEN, TINY, "lab/tools/other", "1.0");
        expect(JSON.parse(await pushed)).toEqual(
          dialect === SRS
            ? null
            : { quota: { quotaTotal: 0, quotaUsage: 40960 }, containerUrl: "/library/lab/tools/other" },
        );
        const pulled = await user.run(["pull", "-o", "other.sif", "library://lab/tools/other:1.0"]);
        expect(pulled.status, pulled.stderr).toBe(0);
        expect(sha256(await readFile(user.path("other.sif")))).toBe(sha256(await readFile(TINY)));
      });
    });
  }

  it("SingularityCE's client reads what the program pushed", async () => {
    await using user = await User.create();
    await using library = await startMinioLibrary(minio, SYLABS, PART_SIZE);
    await logInToLibrary(user, "lab", library.url, LIBRARY_TOKEN);
    await user.run(["push", "-U", TINY, "library://lab/tools/read:1.0"]);
    const back = user.path("back.sif");
    const pulled = await peer("scs-peer", "pull", library.url, LIBRARY_TOKEN, back, "lab/tools/read", "1.0", "amd64");
    expect(JSON.parse(pulled)).toBe(`sha256.${sha256(await readFile(TINY))}`);
  });
});

function partsAsked({ story }: MinioLibrary): number {
  return story.filter((line) => /^PUT .*\/_multipart 200$/.test(line)).length;
}
