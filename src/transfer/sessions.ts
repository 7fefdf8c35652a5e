/** Saved upload sessions, one small private file each: a Location may carry a signature that lets anybody write. */
import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { pid } from "node:process";
import { count, type Decoder, field, list, object, optional, parseJson, string } from "../decode.ts";
import { isCode } from "../errors.ts";
import { writeFileAtomic } from "./atomic.ts";
import { diskError, isSystemError, present } from "./disk.ts";
import { decodeOwner, lifeOf, newOwner, type Owner } from "./owner.ts";
import { readSmallFile } from "./small-file.ts";
import type { SavedParts, UploadKey, UploadPart, UploadSession, UploadSessions } from "./upload-session.ts";

/** Milliseconds: registry:2 purges unfinished uploads after a week (storage.maintenance.uploadpurging). */
const LIFETIME = 7 * 24 * 60 * 60 * 1000;

/** Milliseconds: a session is saved after each chunk, so one of another host that is older most likely has nobody at it. */
const SIGN_OF_LIFE = 60 * 1000;

export function createUploadSessions(directory: string, now: () => number = Date.now): UploadSessions {
  let swept = false;
  let me: Promise<Owner> | undefined;
  const fileOf = (key: UploadKey): string => join(directory, `${fingerprint(key)}.json`);
  /** What is saved under the key, unless it is too old; `busy`: another process is at it. */
  async function look(
    key: UploadKey,
  ): Promise<{ readonly session: UploadSession; readonly busy: boolean } | undefined> {
    const text = await readTorn(fileOf(key));
    const found = text === undefined ? undefined : decode(text);
    if (found === undefined || now() - found.saved >= LIFETIME) return undefined;
    const { saved, owner, ...session } = found;
    return { session, busy: owner !== undefined && (await isBusy(owner, now() - saved)) };
  }

  return {
    async load(key) {
      const found = await look(key);
      return found?.busy === false ? found.session : undefined;
    },
    async save(key, session) {
      const path = fileOf(key);
      // Of two that push the same bytes, the one that was first can be resumed.
      if ((await look(key))?.busy === true) return;
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
      } catch (error) {
        throw diskError(path, error);
      }
      me ??= newOwner();
      await writeFileAtomic(path, `${JSON.stringify({ ...key, ...session, saved: now(), owner: await me })}\n`);
      if (swept) return;
      swept = true;
      await sweep(directory, now() - LIFETIME);
    },
    async forget(key) {
      const path = fileOf(key);
      if ((await look(key))?.busy === true) return;
      try {
        await present(unlink(path));
      } catch (error) {
        throw diskError(path, error);
      }
    },
  };
}

/** True while another process is at it: two that send to one upload would ruin it for each other. */
async function isBusy(owner: Owner, age: number): Promise<boolean> {
  const life = await lifeOf(owner);
  if (life === "unknown") return age < SIGN_OF_LIFE;
  return life === "lives" && owner.pid !== pid;
}

/** Removes sessions, and what crashes left of them, that were last written before `oldest`. */
async function sweep(directory: string, oldest: number): Promise<void> {
  try {
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const found = await present(lstat(path));
      if (found?.isFile() === true && found.mtimeMs < oldest) await present(unlink(path));
    }
  } catch (error) {
    throw diskError(directory, error);
  }
}

/** After a crash a file may hold anything, bytes that are no text too. */
async function readTorn(path: string): Promise<string | undefined> {
  try {
    return (await readSmallFile(path))?.text;
  } catch (error) {
    if (isCode(error, "CONFIG_INVALID") && !isSystemError(error.cause)) return undefined;
    throw error;
  }
}

function fingerprint({ origin, repository, source }: UploadKey): string {
  return createHash("sha256")
    .update(JSON.stringify([origin, repository, source]))
    .digest("hex");
}

const parts: Decoder<SavedParts> = (value, where) => {
  const json = object(value, where);
  return {
    image: field(json, "image", string, where),
    uploadId: field(json, "uploadId", string, where),
    parts: field(json, "parts", count, where),
    partSize: field(json, "partSize", count, where),
    signsHash: json["signsHash"] === true,
    done: field(json, "done", list(part), where),
  };
};

const part: Decoder<UploadPart> = (value, where) => {
  const json = object(value, where);
  return { number: field(json, "number", count, where), token: field(json, "token", string, where) };
};

interface Saved extends UploadSession {
  /** By our clock, in milliseconds. */
  readonly saved: number;
  /** Who was at it; undefined in files of older versions. */
  readonly owner: Owner | undefined;
}

/** Undefined for a file that a crash or another version left: the upload then starts anew. */
function decode(text: string): Saved | undefined {
  try {
    const json = object(parseJson(text, "session"), "session");
    const multipart = field(json, "multipart", optional(parts), "session");
    return {
      ...(multipart === undefined ? {} : { multipart }),
      location: field(json, "location", string, "session"),
      offset: field(json, "offset", count, "session"),
      saved: field(json, "saved", count, "session"),
      owner: decodeOwner(JSON.stringify(json["owner"] ?? null)),
    };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}
