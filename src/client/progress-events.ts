/** Progress as events, for whoever would rather listen than implement it. */
import type { Progress } from "../call.ts";

/** `id` tells apart what goes on at once; `label` names it for people. Several of a kind have the same label. */
export type ProgressEvent = { readonly id: number; readonly label: string } & (
  | {
      readonly type: "start";
      /** Bytes; undefined where nobody knows beforehand. */
      readonly total: number | undefined;
      /** Its reference; undefined where it is no image alone. */
      readonly image: string | undefined;
    }
  | {
      readonly type: "at";
      /** Bytes in place so far; going back is a smaller number. */
      readonly offset: number;
    }
  /** `words` such as "verifying", "waiting for process 4711". */
  | { readonly type: "state"; readonly words: string }
  /** The other side, or the disk, has confirmed. */
  | { readonly type: "done" }
  | { readonly type: "fail" }
);

/** A Progress that calls `listener` at once with each event; what it throws fails the transfer. */
export function onProgress(listener: (event: ProgressEvent) => void): Progress {
  let count = 0;
  return {
    start(label, total, image) {
      count += 1;
      const from = { id: count, label };
      listener({ ...from, type: "start", total, image });
      return {
        at: (offset) => listener({ ...from, type: "at", offset }),
        state: (words) => listener({ ...from, type: "state", words }),
        done: () => listener({ ...from, type: "done" }),
        fail: () => listener({ ...from, type: "fail" }),
      };
    },
  };
}
