/** When an entry was last given out. Access times are not kept on many mounts (noatime), and cannot be told from a backup's. */
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { present } from "../transfer/disk.ts";
import { ifPossible } from "./folder.ts";
import { usedPath } from "./layout.ts";

/** Milliseconds: a thousand jobs that take one image leave a mark now and then, not each of them. */
const FRESH = 30_000;

/** Written, not touched: in a shared cache a mark may be another user's, whose times only that user can set. */
export async function markUsed(entry: string, shared: boolean): Promise<void> {
  const path = usedPath(entry);
  await ifPossible(async () => {
    const found = await present(stat(path));
    if (found !== undefined && Math.abs(Date.now() - found.mtimeMs) < FRESH) return;
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      if (found === undefined && shared) await file.chmod(0o664);
      await file.write("1", 0);
    } finally {
      await file.close();
    }
  });
}

/** Milliseconds since 1970 by the file server's clock; undefined when it never was. */
export async function lastUsed(entry: string): Promise<number | undefined> {
  return (await present(stat(usedPath(entry))))?.mtimeMs;
}
