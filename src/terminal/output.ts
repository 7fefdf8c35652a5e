/** Writers for stdout (the answer) and stderr (the story). EPIPE ends a writer quietly: `sregistry list | head` is fine. */
import type { Writable } from "node:stream";
import { SregistryError } from "../errors.ts";

export interface Output {
  readonly isTerminal: boolean;
  /** Columns of the terminal, 80 when it does not say. */
  readonly columns: number;
  /** Columns that a table may take: the terminal's, and any number where there is none. */
  readonly room: number;
  /** True once the reader has gone: a verb that streams rows may stop. */
  readonly closed: boolean;
  /** Resolves when the stream can take more, so that rows of a long list do not pile up in memory. */
  write(text: string): Promise<void>;
  /** Resolves when everything written has reached the other side, or the reader has gone. */
  flush(): Promise<void>;
}

interface MaybeTty {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `clean`: a last look at all that is written. */
export function createOutput(stream: Writable & MaybeTty, clean: (text: string) => string = (text) => text): Output {
  let closed = false;
  let failure: Error | undefined;
  const waiting = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of waiting) wake();
    waiting.clear();
  };
  stream.on("error", (error: NodeJS.ErrnoException) => {
    closed = true;
    if (error.code !== "EPIPE") failure = error;
    wakeAll();
  });
  stream.on("drain", wakeAll);
  const settle = (): void => {
    const cause = failure;
    failure = undefined;
    if (cause === undefined) return;
    throw new SregistryError("DISK", `the output cannot be written: ${cause.message}`, { cause });
  };
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return columnsOf(stream);
    },
    get room() {
      return stream.isTTY === true ? columnsOf(stream) : Number.POSITIVE_INFINITY;
    },
    get closed() {
      return closed;
    },
    async write(text) {
      if (!closed && !stream.write(clean(text))) {
        await new Promise<void>((wake) => waiting.add(wake));
      }
      settle();
    },
    async flush() {
      if (!closed && stream.writableLength > 0) {
        await new Promise<void>((wake) => {
          waiting.add(wake);
          stream.write("", () => wake());
        });
      }
      settle();
    },
  };
}

/** A terminal that was never told its size has 0 columns. */
function columnsOf({ columns }: MaybeTty): number {
  return columns || 80;
}
