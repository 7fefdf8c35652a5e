/** The last step of a file that is whole: its name, which nothing else has. */
import { link, lstat, rename, stat } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { present } from "./disk.ts";
import { alreadyThere } from "./target.ts";

/** What link(2) says where there are no hard links, or no more of them. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Gives a finished file its final name, only when that name is free; its other name goes afterwards.
 * @throws the system's EEXIST, or SregistryError CONFLICT, when it is taken.
 */
export async function giveName(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "EEXIST") {
      // An NFS server may have linked though its first answer got lost.
      const [own, there] = await Promise.all([stat(temporary), present(lstat(target))]);
      if (there?.ino === own.ino && there.dev === own.dev) return;
    }
    if (!NO_LINKS.includes(code)) throw error;
    if ((await present(lstat(target))) !== undefined) throw alreadyThere(target);
    await rename(temporary, target);
  }
}
