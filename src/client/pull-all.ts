/** Several images, a few at a time. One that fails is told and does not stop the others. */
import { basename, dirname } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { formatReference, pullFileName } from "../reference/format.ts";
import { requireDirectory } from "../transfer/target.ts";
import { eachOf } from "./copy-together.ts";
import type { PullServices } from "./get.ts";
import { type PullInput, type PullOutcome, pull, targetPath } from "./pull.ts";

export interface ListedPull extends PullInput {
  /** Where it is named, for messages: `images.txt line 7`. Undefined: on the command line. */
  readonly where?: string;
}

export type PullEntry = { readonly input: ListedPull } & (
  | { readonly outcome: PullOutcome; readonly failed: undefined }
  | { readonly outcome: undefined; readonly failed: SregistryError }
);

/** Each has connections of its own, and what is fetched is hashed at once: more would share the same line and disk. */
const AT_ONCE = 3;
/** Connections of each, where nobody says: together as many as one image has alone. */
const CONNECTIONS = 2;

/**
 * `told`: one entry after the other, in the order of `inputs`, each as soon as all before it are over; those that are over when
 * something stops the rest too.
 * @throws SregistryError USAGE, before anything is fetched, when two would be one file; the signal's reason.
 */
export async function pullAll(
  services: PullServices,
  inputs: readonly ListedPull[],
  call: Call,
  told: (entry: PullEntry) => Promise<void> | undefined,
): Promise<void> {
  const files = inputs.map((input) => (input.cache === "only" ? undefined : targetPath(services.cwd, input)));
  requireApart(inputs, files);
  // One error for all of them.
  const directories = files.filter((file) => file !== undefined).map((file) => dirname(file));
  for (const directory of new Set(directories)) await requireDirectory(directory);
  const several = call.progress.several?.(
    inputs.map((input, index) => basename(files[index] ?? pullFileName(input.reference))),
  );
  const entries: (PullEntry | undefined)[] = [];
  let next = 0;
  const tellReady = async (): Promise<void> => {
    for (let entry = entries[next]; entry !== undefined; entry = entries[next]) {
      next += 1;
      await told(entry);
    }
  };
  let telling = Promise.resolve();
  try {
    await eachOf(inputs.entries(), AT_ONCE, call, async ([index, input], own) => {
      entries[index] = await attempt(services, input, own);
      several?.through();
      // Telling takes its time: the next one waits for it.
      telling = telling.then(tellReady);
      await telling;
    });
  } catch (error) {
    for (const entry of entries.slice(next)) if (entry !== undefined) await told(entry);
    throw error;
  } finally {
    several?.over();
  }
}

async function attempt(services: PullServices, input: ListedPull, call: Call): Promise<PullEntry> {
  try {
    const outcome = await pull(services, { connections: CONNECTIONS, ...input }, call);
    return { input, outcome, failed: undefined };
  } catch (error) {
    if (call.signal.aborted || !(error instanceof SregistryError) || error.code === "INTERNAL") throw error;
    return { input, outcome: undefined, failed: error };
  }
}

/** The same image named twice is no mistake: the second one finds it there. */
function requireApart(inputs: readonly ListedPull[], files: readonly (string | undefined)[]): void {
  const seen = new Map<string, ListedPull>();
  for (const [index, input] of inputs.entries()) {
    const file = files[index];
    if (file === undefined) continue;
    const other = seen.get(file);
    if (other !== undefined && formatReference(other.reference) !== formatReference(input.reference)) {
      throw new SregistryError("USAGE", `${nameOf(other)} and ${nameOf(input)} would both be ${file}`, {
        hint: "pull one of them by itself, with --output",
      });
    }
    seen.set(file, input);
  }
}

function nameOf({ reference, where }: ListedPull): string {
  return `${formatReference(reference)}${where === undefined ? "" : ` (${where})`}`;
}
