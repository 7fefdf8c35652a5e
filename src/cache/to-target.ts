/** One copy at a time to one target, among processes: who comes later finds it done. */
import { dirname } from "node:path";
import type { Call, Task } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import { abortError } from "../http/network-error.ts";
import type { DigestMemo } from "../transfer/digest-memo.ts";
import { removeLeftovers } from "../transfer/leftovers.ts";
import { type Held, withLock } from "../transfer/lock.ts";
import { ownerWords } from "../transfer/owner.ts";
import { ownPath, partialPath } from "../transfer/partial.ts";
import { entryAt, lookAtTarget, requireDirectory, requireWritable } from "../transfer/target.ts";
import { type CopyOut, copyOut } from "./copy-out.ts";
import type { Entry, ImageKey } from "./entries.ts";
import { ifPossible } from "./folder.ts";

export interface CopyTo {
  /** Absolute. */
  readonly target: string;
  /** Replace a target that holds something else. */
  readonly force: boolean;
  /** So that a large target that has not changed is not read again. */
  readonly memo?: DigestMemo;
}

export interface CopyOutcome {
  /** `present`: the target held the image already. */
  readonly outcome: "copied" | "present";
  /** Bytes. */
  readonly size: number;
}

/** Milliseconds that another copy is waited for, and between two looks at most. */
const LONGEST_WAIT = 60 * 60 * 1000;
const LONGEST_PAUSE = 1_000;

/**
 * Undefined when the target does not hold the image, and can be made.
 * @throws SregistryError CONFLICT when it holds something else and `force` is not set; USAGE; DISK.
 */
export async function targetHolds(
  image: ImageKey,
  { target, force, memo }: CopyTo,
  { signal }: Call,
): Promise<CopyOutcome | undefined> {
  await requireDirectory(dirname(target));
  const there = await lookAtTarget({ image, target, force }, signal, memo);
  if (there !== undefined) return { outcome: "present", size: there.stat.size };
  await requireWritable(dirname(target));
  return undefined;
}

/** Undefined when the entry turned out to be damaged. The target has been looked at by `targetHolds`. */
export async function copyToTarget(
  entry: Entry,
  key: ImageKey,
  to: CopyTo,
  call: Call,
): Promise<CopyOutcome | undefined> {
  const task = call.progress.start(key.label, entry.size);
  try {
    const outcome = await copyUnderLock(entry, key, to, call, task);
    if (outcome?.outcome === "copied") await to.memo?.rememberFile(to.target, key.digest);
    if (outcome === undefined) task.fail();
    else task.done();
    return outcome;
  } catch (error) {
    task.fail();
    // Waiting for the lock is ended by Node's own AbortError.
    throw call.signal.aborted && !(error instanceof SregistryError) ? abortError(call.signal) : error;
  }
}

/** Where the target has changed meanwhile it is looked at outside the lock: a hundred that waited read it at once. */
async function copyUnderLock(
  entry: Entry,
  key: ImageKey,
  to: CopyTo,
  call: Call,
  task: Task,
): Promise<CopyOutcome | undefined> {
  const { signal } = call;
  const { target, force } = to;
  // The same as that of a download to this target.
  const partial = partialPath(target, entry.digest);
  const copy = { entry, target, force, signal, task };
  for (;;) {
    const before = await entryAt(target);
    const changed = async () => ((await entryAt(target)) === before ? undefined : "changed");
    // Under a name that no other process has, even where locks are given to everybody.
    const work = async ({ id }: Held) =>
      (await changed()) ?? (await copied({ ...copy, temporary: ownPath(partial, id) }));
    const outcome = await withLock<"changed" | "copied" | "damaged">(`${partial}.lock`, work, {
      signal,
      timeoutMs: LONGEST_WAIT,
      longestPauseMs: LONGEST_PAUSE,
      waiting: (owner) => task.state(`waiting for ${ownerWords(owner)}`),
      instead: changed,
    });
    if (outcome === "damaged") return undefined;
    if (outcome === "copied") await ifPossible(() => removeLeftovers(target));
    if (outcome === "copied") return { outcome, size: entry.size };
    const there = await targetHolds(key, to, call);
    if (there !== undefined) return there;
  }
}

/** Somebody who put a file there since it was looked at may have put the image there: it is looked at again. */
async function copied(copy: CopyOut): Promise<"copied" | "damaged" | "changed"> {
  try {
    return (await copyOut(copy)) ? "copied" : "damaged";
  } catch (error) {
    if (isCode(error, "CONFLICT")) return "changed";
    throw error;
  }
}
