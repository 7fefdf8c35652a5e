/** Files that decide whom to trust, and where tokens go: nobody but the user and the administrator may have written them. */
import { stat } from "node:fs/promises";
import { geteuid } from "node:process";
import { SregistryError, systemCode } from "../errors.ts";
import type { SmallFile } from "./small-file.ts";

interface Advice {
  readonly home: string;
  /** The hint for a file of somebody else's; `me` is a user id. */
  readonly others: (me: number) => string;
  /** The hint for a file that everybody can change. */
  readonly writable: string;
}

/** @throws SregistryError CONFIG_INVALID. */
export async function refuseForeign(
  file: string,
  { stat: { uid, mode } }: SmallFile,
  { home, others, writable }: Advice,
): Promise<void> {
  const me = geteuid?.();
  if (me !== undefined && uid !== me && uid !== 0 && !(await isSudo(me, uid, home))) {
    const message = `${file} belongs to another user (uid ${uid}): it is not read`;
    throw new SregistryError("CONFIG_INVALID", message, { hint: others(me) });
  }
  if ((mode & 0o002) !== 0) {
    throw new SregistryError("CONFIG_INVALID", `${file} can be changed by everybody: it is not read`, {
      hint: writable,
    });
  }
}

/** Root with somebody's HOME reads that somebody's file. */
async function isSudo(me: number, owner: number, home: string): Promise<boolean> {
  if (me !== 0) return false;
  try {
    return (await stat(home)).uid === owner;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
