/**
 * One writer at a time for a file, among processes and hosts: a claim with its owner inside is given the lock's name by
 * link(2), one step on NFS too (flock is granted to everybody on some Lustre, GPFS and NFS mounts). Locks are advice: what
 * they protect is still replaced atomically.
 */
import { type FileHandle, link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { SregistryError, systemCode } from "../errors.ts";
import { orAborted } from "../http/abortable.ts";
import { diskError, present, removeUnfinished } from "./disk.ts";
import { decodeOwner, lifeOf, newOwner, type Owner, ownerWords } from "./owner.ts";

export interface LockOptions<T = never> {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for others; default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds between two looks at most; default 60. Long work on a shared file system looks less often. */
  readonly longestPauseMs?: number | undefined;
  /** Told once for every holder that is waited for. */
  readonly waiting?: ((holder: Owner) => void) | undefined;
  /** Asked while others hold the lock: an answer is taken for the work's, and nothing is waited for any more. */
  readonly instead?: (() => Promise<T | undefined>) | undefined;
}

/** A lock, to whoever holds it. */
export interface Held {
  /** Of the holder, and of no other. */
  readonly id: string;
  /** User id that this file system gives to files of ours (not always the process's: NFS maps root). */
  readonly uid: number;
  /** Whether whoever held or wanted this lock under another id has ended, or has given no sign of life for long. */
  isGone(id: string): Promise<boolean>;
}

/** Milliseconds without a sign of life after which an owner of unknown life is taken for gone. */
const STALE = 30_000;
const SIGN_OF_LIFE = 5_000;
const LONGEST_PAUSE = 60;
const TIMEOUT = 30_000;
/** Whoever waits, other users of a shared directory too, has to see whose lock it is, whatever the umask. */
const READABLE = 0o644;

/** Callers of one process take turns here, so that only one of them at a time asks the disk. */
const queues = new Map<string, Promise<void>>();

/**
 * Runs `work` while holding the lock file `path`, which is made for it and removed again.
 * @throws SregistryError LOCKED naming the holder when `timeoutMs` have passed; DISK when no lock can be made there.
 */
export async function withLock<T>(
  path: string,
  work: (held: Held) => Promise<T>,
  options: LockOptions<T> = {},
): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve();
  const { signal } = options;
  const turn = (signal === undefined ? before : orAborted(before, signal)).then(() => locked(path, work, options));
  // Whoever comes next waits for everybody before, also when this caller gives up waiting.
  const over = Promise.allSettled([before, turn]).then(nothing);
  queues.set(path, over);
  try {
    return await turn;
  } finally {
    if (queues.get(path) === over) queues.delete(path);
  }
}

function nothing(): void {}

async function locked<T>(path: string, work: (held: Held) => Promise<T>, options: LockOptions<T>): Promise<T> {
  const owner = await newOwner();
  const claim = `${path}.${owner.id}`;
  const file = await openClaim(path, claim, owner);
  // A sign of life that fails is one less: enough of them missing make the lock abandoned, which is what they are for.
  const life = setInterval(() => void rewrite(file, owner).catch(nothing), SIGN_OF_LIFE);
  life.unref();
  try {
    const instead = await acquire(path, claim, options);
    if (instead !== undefined) return instead;
    try {
      const { uid } = await file.stat();
      return await work({ id: owner.id, uid, isGone: (id) => isGone(path, id, { file, owner }) });
    } finally {
      // Another host may have taken the lock over while this process was suspended.
      if ((await ownerOf(path))?.id === owner.id) await present(unlink(path));
    }
  } finally {
    clearInterval(life);
    await file.close();
    await present(unlink(claim));
  }
}

async function openClaim(path: string, claim: string, owner: Owner): Promise<FileHandle> {
  try {
    const file = await open(claim, "wx", READABLE);
    if (((await file.stat()).mode & READABLE) !== READABLE) await file.chmod(READABLE);
    await rewrite(file, owner);
    return file;
  } catch (error) {
    await removeUnfinished(claim);
    throw diskError(path, error);
  }
}

/** Undefined when the lock is ours; otherwise what `instead` answered. */
async function acquire<T>(path: string, claim: string, options: LockOptions<T>): Promise<T | undefined> {
  const { signal, timeoutMs = TIMEOUT, longestPauseMs = LONGEST_PAUSE } = options;
  const end = Date.now() + timeoutMs;
  let holder: string | undefined;
  for (let pause = 2; ; pause = Math.min(pause * 2, longestPauseMs)) {
    signal?.throwIfAborted();
    if (await take(path, claim)) return undefined;
    const instead = await options.instead?.();
    if (instead !== undefined) return instead;
    const text = await textOf(path);
    if (await takeOver(path, claim, text)) return undefined;
    const other = text === undefined ? undefined : decodeOwner(text);
    if (other !== undefined && other.id !== holder) options.waiting?.(other);
    holder = other?.id ?? holder;
    if (Date.now() > end) throw await waitedLongEnough(path, timeoutMs);
    await sleep(pause * (0.5 + Math.random()), undefined, signal === undefined ? {} : { signal });
  }
}

/** True when the lock is the claim's. An NFS server may have linked though its answer got lost: the link count knows. */
async function take(path: string, claim: string): Promise<boolean> {
  try {
    await link(claim, path);
    return true;
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "EEXIST") return (await stat(claim)).nlink === 2;
    if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) return takeWithoutLinks(path, claim);
    throw diskError(path, error);
  }
}

/** FAT and some FUSE file systems have no hard links; making a file exclusively is one step there as well. */
async function takeWithoutLinks(path: string, claim: string): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", READABLE);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw diskError(path, error);
  }
  try {
    await file.writeFile(await readFile(claim));
    return true;
  } finally {
    await file.close();
  }
}

/**
 * Puts the claim in place of a lock whose owner is gone. Whoever may do so for this very lock is settled by a second name
 * that only one can make; the lock is looked at again under it, so a fresh lock is never taken for the abandoned one.
 */
async function takeOver(path: string, claim: string, text: string | undefined): Promise<boolean> {
  const seen = await abandoned(path, claim, text);
  if (seen === undefined) return false;
  const right = `${path}.${seen}.gone`;
  try {
    await (await open(right, "wx", READABLE)).close();
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw diskError(path, error);
    // Left by a process that was killed in the few steps below.
    if (!(await isYoung(right, claim))) await present(unlink(right));
    return false;
  }
  try {
    if ((await abandoned(path, claim, await textOf(path))) !== seen) return false;
    await rename(claim, path);
    // The other name of the abandoned lock: nobody else will ever remove it.
    await present(unlink(`${path}.${seen}`));
    return true;
  } finally {
    await present(unlink(right));
  }
}

/** The id of an abandoned lock's owner ("torn" for one without); undefined while it is held, or free. */
async function abandoned(path: string, claim: string, text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const owner = decodeOwner(text);
  const life = owner === undefined ? "unknown" : await lifeOf(owner);
  if (life === "lives") return undefined;
  if (life !== "unknown") return owner?.id;
  // The sign of life is in the owner's claim, which is the lock itself only where there are hard links.
  const signs = owner === undefined ? [path] : [path, `${path}.${owner.id}`];
  for (const sign of signs) if (await isYoung(sign, claim)) return undefined;
  return owner?.id ?? "torn";
}

/** `own`: our claim, whose time of change after a sign of life is the file server's time. */
async function isGone(path: string, id: string, own: { readonly file: FileHandle; readonly owner: Owner }) {
  const claim = `${path}.${id}`;
  const claimed = await textOf(claim);
  // A claim that took an abandoned lock over has only the lock's name left.
  const holds = claimed === undefined && (await ownerOf(path))?.id === id;
  if (claimed === undefined && !holds) return true;
  const at = holds ? path : claim;
  const other = decodeOwner(claimed ?? (await textOf(at)) ?? "");
  const life = other === undefined ? "unknown" : await lifeOf(other);
  if (life !== "unknown") return life === "gone";
  await rewrite(own.file, own.owner);
  const [theirs, now] = await Promise.all([present(stat(at)), own.file.stat()]);
  return theirs === undefined || now.mtimeMs - theirs.mtimeMs > STALE;
}

/** Ages are by the file server's clock: the claim, rewritten every few seconds, tells what time it is there. */
async function isYoung(path: string, claim: string): Promise<boolean> {
  const [theirs, now] = await Promise.all([present(stat(path)), stat(claim)]);
  return theirs !== undefined && now.mtimeMs - theirs.mtimeMs <= STALE;
}

/** A sign of life: the same bytes again move the time of change by the file server's clock. */
async function rewrite(file: FileHandle, owner: Owner): Promise<void> {
  await file.write(JSON.stringify(owner), 0, "utf8");
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  const text = await textOf(path);
  return text === undefined ? undefined : decodeOwner(text);
}

/** Another user's umask may have made a lock unreadable: its age still tells whether anybody holds it. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await present(readFile(path, "utf8"));
  } catch (error) {
    if (systemCode(error) === "EACCES") return "";
    throw error;
  }
}

async function waitedLongEnough(path: string, timeoutMs: number): Promise<SregistryError> {
  const owner = await ownerOf(path);
  const whose = owner === undefined ? "" : ` by ${ownerWords(owner)}`;
  return new SregistryError("LOCKED", `${path} is held${whose}: waited ${Math.round(timeoutMs / 1000)} s`, {
    hint: "wait for that process or end it; a lock whose owner is gone is taken over",
  });
}
