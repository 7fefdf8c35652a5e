/** The two ends of a copy, and which of them a failure came from. */
import type { Call } from "../call.ts";
import { enriched, SregistryError } from "../errors.ts";
import type { PlacedReference } from "../reference/reference.ts";
import type { Registry } from "../registry/registry.ts";
import type { RemoteSource } from "../transfer/remote-source.ts";

export type Side = "source" | "destination";

export interface End {
  readonly registry: Registry;
  readonly reference: PlacedReference;
}

/** Errors that say already where they come from. */
const told = new WeakSet<Error>();

/** `work` at one side. @throws SregistryError that begins with the side's name. */
export async function at<T>(side: Side, call: Call, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw named(side, error, call);
  }
}

/** What writes at the destination and reads from `source` meanwhile. */
export async function through<T>(source: RemoteSource, call: Call, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw named(causedBy(error, source.failure) ? "source" : "destination", error, call);
  }
}

function named(side: Side, error: unknown, { signal }: Call): unknown {
  // Being stopped is nobody's failure.
  if (!(error instanceof SregistryError) || told.has(error) || signal.aborted || error.code === "USAGE") return error;
  const wrapped = enriched(error, { message: `${side}: ${error.message}` });
  told.add(wrapped);
  return wrapped;
}

function causedBy(error: unknown, failure: unknown): boolean {
  if (failure === undefined) return false;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 10; cause = cause.cause, depth += 1) {
    if (cause === failure) return true;
  }
  return false;
}
