/** The page of `list --usage --html`, written beside its name and then given it. */
import { randomUUID } from "node:crypto";
import { lstat, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { diskError, present, removeUnfinished, syncDirectory } from "../transfer/disk.ts";
import { giveName } from "../transfer/give-name.ts";
import { createOwn } from "../transfer/own-file.ts";
import { requireDirectory, requireWritable } from "../transfer/target.ts";

export interface PageTarget {
  /** Absolute. */
  readonly path: string;
  /** Replace a file that is there. */
  readonly force: boolean;
}

/** Whether a page can be put there, before minutes are spent on it. @throws SregistryError CONFLICT, USAGE or DISK. */
export async function pageTarget(cwd: string, file: string, force: boolean): Promise<PageTarget> {
  const path = resolve(cwd, file);
  await requireDirectory(dirname(path));
  const found = await present(lstat(path));
  if (found !== undefined && !force) throw alreadyThere(path);
  if (found?.isDirectory() === true) {
    throw new SregistryError("USAGE", `${path} is a directory; the page needs a file name`, {
      hint: `--html ${join(file, "usage.html")}`,
    });
  }
  await requireWritable(dirname(path));
  return { path, force };
}

/** Readable as any file of the user's. @throws SregistryError CONFLICT when somebody else took the name, DISK. */
export async function writePage({ path, force }: PageTarget, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 180)}.${randomUUID()}.tmp`);
  try {
    const file = await createOwn(temporary, { mode: 0o666 });
    try {
      await file.writeFile(text, "utf8");
      await file.sync();
    } finally {
      await file.close();
    }
    await (force ? rename(temporary, path) : giveName(temporary, path));
    await syncDirectory(dirname(path));
  } catch (error) {
    if (systemCode(error) === "EEXIST" || isCode(error, "CONFLICT")) throw alreadyThere(path);
    throw diskError(path, error);
  } finally {
    await removeUnfinished(temporary);
  }
}

function alreadyThere(path: string): SregistryError {
  return new SregistryError("CONFLICT", `${path} exists already; it was not touched`, {
    hint: "--force replaces it, --html - writes the page to standard output",
  });
}
