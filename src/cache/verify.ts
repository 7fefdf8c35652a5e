/** Every entry hashed anew, whatever is noted of it. */
import type { Call } from "../call.ts";
import type { Cache } from "./cache.ts";
import { hashEntry, removeEntry } from "./entries.ts";
import { type Listed, listEntries } from "./survey.ts";

export interface Verified extends Listed {
  readonly intact: boolean;
  /** A damaged entry that is gone now. */
  readonly removed: boolean;
}

export async function* verifyEntries({ directory, notes }: Cache, call: Call): AsyncGenerator<Verified> {
  for (const entry of await listEntries(directory)) {
    const task = call.progress.start(entry.digest, entry.size);
    let found: string | undefined;
    try {
      found = await hashEntry(entry, notes, call, (offset) => task.at(offset));
    } catch (error) {
      task.fail();
      throw error;
    }
    const intact = found === entry.digest;
    if (intact) task.done();
    else task.fail();
    // Gone meanwhile: pruned by another process.
    if (found === undefined) continue;
    yield { ...entry, intact, removed: !intact && (await removeEntry(entry.path, notes)) };
  }
}
