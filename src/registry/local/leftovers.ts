/** What a crash or a full disk leaves behind: uploads that nobody will go on with, temporary files, locks. */
import { lstat, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { decodeOwner, lifeOf } from "../../transfer/owner.ts";
import { ifPresent, names, removeFile, TEMPORARY } from "./files.ts";
import type { Finding } from "./findings.ts";
import type { Layout } from "./layout.ts";
import { decodeState, UPLOAD_DATA, UPLOAD_STATE } from "./upload.ts";

/** Milliseconds. Whoever writes a temporary file writes on: one that rests so long has lost its writer. */
const TEMPORARY_AGE = 10 * 60_000;

/** `minimumAge` in milliseconds: how long an upload may rest before nobody is expected to come back for it. */
export async function* leftovers(layout: Layout, minimumAge: number): AsyncGenerator<Finding> {
  yield* uploads(layout, minimumAge);
  yield* temporaries(layout, Math.min(minimumAge, TEMPORARY_AGE));
  yield* locks(layout);
}

async function* uploads(layout: Layout, minimumAge: number): AsyncGenerator<Finding> {
  for (const id of await names(layout.uploads)) {
    const directory = join(layout.uploads, id);
    const text = await ifPresent(readFile(join(directory, UPLOAD_STATE), "utf8"));
    const owner = text === undefined ? undefined : decodeState(text)?.owner;
    const life = owner === undefined ? "unknown" : await lifeOf(owner);
    if (life === "lives") continue;
    if (life === "unknown" && !(await rests(directory, UPLOAD_DATA, minimumAge))) continue;
    const size = (await ifPresent(lstat(join(directory, UPLOAD_DATA))))?.size ?? 0;
    yield {
      kind: "upload",
      repository: layout.path,
      message: `an upload of ${size} bytes was left unfinished`,
      repair: async () => {
        await rm(directory, { recursive: true, force: true });
        return "removed";
      },
    };
  }
}

async function* temporaries(layout: Layout, age: number): AsyncGenerator<Finding> {
  const { directory, blobs, referrers, damaged } = layout;
  const subjects = (await names(referrers)).map((name) => join(referrers, name));
  for (const folder of [directory, join(blobs, "sha256"), join(blobs, "sha512"), damaged, ...subjects]) {
    for (const name of await names(folder)) {
      if (TEMPORARY.test(name) && (await rests(folder, name, age))) yield leftFile(layout, folder, name);
    }
  }
}

/** The lock file and the claims to it; those of a process that is gone stand in nobody's way, but say that it crashed. */
async function* locks(layout: Layout): AsyncGenerator<Finding> {
  for (const name of await names(layout.directory)) {
    if (name !== ".lock" && !name.startsWith(".lock.")) continue;
    const text = await ifPresent(readFile(join(layout.directory, name), "utf8"));
    const owner = text === undefined ? undefined : decodeOwner(text);
    const gone = owner === undefined ? "unknown" : await lifeOf(owner);
    if (gone === "gone" || (gone === "unknown" && (await rests(layout.directory, name, TEMPORARY_AGE)))) {
      yield leftFile(layout, layout.directory, name);
    }
  }
}

function leftFile(layout: Layout, folder: string, name: string): Finding {
  return {
    kind: "temporary",
    repository: layout.path,
    message: `${join(folder, name)} was left behind`,
    repair: async () => {
      await removeFile(join(folder, name));
      return "removed";
    },
  };
}

/** True when neither the file nor, where there is none, its directory changed for `age` milliseconds. */
async function rests(folder: string, name: string, age: number): Promise<boolean> {
  const found = (await ifPresent(lstat(join(folder, name)))) ?? (await ifPresent(lstat(folder)));
  return found !== undefined && Date.now() - Math.max(found.mtimeMs, found.ctimeMs) >= age;
}
