/** What holds in every round, whatever goes wrong. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, EXIT_STATUS, isCode, SregistryError } from "../../src/errors.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseReference } from "../../src/reference/parse.ts";
import type { PlacedReference } from "../../src/reference/reference.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { callWith } from "../support/copying.ts";

/** An invariant does not hold. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** What a broken network may end in; a stop besides has INTERRUPTED. */
const EXPECTED: readonly ErrorCode[] = [
  ...(["NETWORK", "TIMEOUT", "RATE_LIMITED", "SERVER_ERROR", "INTEGRITY", "REPLY_INVALID"] as const),
];

/** Exit statuses of processes that failed as they should. */
export const EXPECTED_STATUSES: readonly number[] = [...new Set(EXPECTED.map((code) => EXIT_STATUS[code]))];

export type Outcome<T> = { readonly value: T; readonly error?: undefined } | { readonly error: SregistryError };

/** Success, or a failure that a user can be told. @throws Broken for any other, and for what does not end. */
export async function outcomeOf<T>(work: Promise<T>, more: readonly ErrorCode[] = []): Promise<Outcome<T>> {
  try {
    return { value: await within(90_000, "a transfer does not end", work) };
  } catch (error) {
    if (error instanceof Broken) throw error;
    if (isCode(error, ...EXPECTED, ...more)) return { error };
    const what = error instanceof SregistryError ? error.code : "an error that is none of ours";
    throw new Broken(`a transfer fails with ${what}`, { cause: error });
  }
}

export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: over.signal }).then(
    () => {
      throw new Broken(`${what} within ${milliseconds / 1000} s`);
    },
    () => work,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

export function requireBytes(found: Buffer, wanted: Buffer, what: string): void {
  if (found.equals(wanted)) return;
  throw new Broken(`${what} has wrong bytes: ${found.length} of them, ${digestOf(found)} and not ${digestOf(wanted)}`);
}

export async function requireFile(path: string, wanted: Buffer): Promise<void> {
  requireBytes(await readFile(path), wanted, path);
}

export async function requireNames(directory: string, wanted: readonly string[]): Promise<void> {
  const names = (await readdir(directory)).sort();
  if (names.join() !== [...wanted].sort().join()) throw new Broken(`left in ${directory}: ${names.join(" ")}`);
}

/** A lock is held as long as somebody fetches. */
export async function requireNoLock(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.includes(".lock"));
  if (names.length > 0) throw new Broken(`left in ${directory}: ${names.join(" ")}`);
}

export function named(text: string): PlacedReference {
  const reference = parseReference(text);
  if (reference.scheme === undefined) throw new Error(`${text} has no scheme`);
  return reference;
}

/** The bytes of an image as its endpoint has them; undefined when there is none of this name. */
export async function stored(registry: Registry, name: string): Promise<Buffer | undefined> {
  const call = callWith();
  try {
    const image = await registry.resolve(named(name), { architecture: "amd64" }, call);
    const chunks: Buffer[] = [];
    for await (const chunk of (await registry.read(image, { start: 0 }, call)).body) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

export interface Watcher extends AsyncDisposable {
  readonly looks: number;
}

/** Reads the final name again and again, as another program would: it is absent, or has one of `right`. */
export function watch(path: string, right: readonly Buffer[], mayBeAbsent: boolean): Watcher {
  let watching = true;
  let looks = 0;
  const watching_ = (async () => {
    while (watching) {
      const found = await readFile(path).catch(() => undefined);
      looks += 1;
      if (found === undefined && !mayBeAbsent) throw new Broken(`${path} is gone`);
      if (found !== undefined && !right.some((bytes) => bytes.equals(found))) {
        throw new Broken(`${path} shows wrong bytes: ${found.length} of them, ${digestOf(found)}`);
      }
      await sleep(10 + (found?.length ?? 0) / 200_000);
    }
  })();
  // It is told when the round looks.
  watching_.catch(() => undefined);
  return {
    get looks() {
      return looks;
    },
    async [Symbol.asyncDispose]() {
      watching = false;
      await watching_;
    },
  };
}
