/** Parts of an upload that arrive in any order, side by side and again: each is written where it belongs. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { SregistryError } from "../../errors.ts";
import { ifPresent, onDisk } from "./files.ts";
import type { Layout } from "./layout.ts";
import { UPLOAD_DATA, writeAll } from "./upload.ts";

export interface PartPlace {
  /** Of the upload that the part is of. */
  readonly id: string;
  /** Offset of its first byte, and how many there are. */
  readonly at: number;
  readonly length: number;
}

export interface PartSums {
  /** Hex digits. */
  readonly sha256: string;
  readonly md5: string;
}

/**
 * The upload's own hash knows nothing of it: `commit` reads what is there. Whoever commits sees to it that no part is
 * being written any more.
 * @throws SregistryError INTEGRITY for another number of bytes, NOT_FOUND when the upload is gone.
 */
export async function writePart(layout: Layout, { id, at, length }: PartPlace, body: Readable): Promise<PartSums> {
  return await onDisk(`cannot write to ${layout.directory}`, async () => {
    const handle = await ifPresent(open(join(layout.uploads, id, UPLOAD_DATA), "r+"));
    if (handle === undefined) throw new SregistryError("NOT_FOUND", "there is no such upload any more");
    const [sha256, md5] = [createHash("sha256"), createHash("md5")];
    let done = 0;
    try {
      for await (const chunk of body.iterator({ destroyOnReturn: false })) {
        if (done + chunk.length > length) throw wrongLength(length, `more than ${length}`);
        await writeAll(handle, chunk, at + done);
        sha256.update(chunk);
        md5.update(chunk);
        done += chunk.length;
      }
    } finally {
      await handle.close();
    }
    if (done < length) throw wrongLength(length, String(done));
    return { sha256: sha256.digest("hex"), md5: md5.digest("hex") };
  });
}

function wrongLength(expected: number, found: string): SregistryError {
  return new SregistryError("INTEGRITY", `${expected} bytes were announced, and ${found} came`);
}
