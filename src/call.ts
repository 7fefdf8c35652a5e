/** What every operation is handed besides its arguments: a way to stop it, and somewhere to tell its story. */

export interface Call {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly log: Log;
  /** Told of each pause that is long enough to wonder about: `waiting 5 s, then trying again (503)`. */
  readonly waiting?: ((words: string) => void) | undefined;
  /**
   * Runs a step that is worth its end though everything else is to stop, such as a chunk that a registry keeps whole or not
   * at all: SIGTERM waits some seconds for it. Fails at once when the work is to stop already. Absent: nothing waits.
   */
  readonly finishing?: <T>(step: () => Promise<T>) => Promise<T>;
}

/** The same, with the pauses before a request is sent again told as states of `task`. */
export function tellingWaits(call: Call, task: Task): Call {
  return { ...call, waiting: (words) => task.state(words) };
}

/** Runs `step` as `call.finishing` does, where there is somebody who waits. */
export function finish<T>({ finishing }: Call, step: () => Promise<T>): Promise<T> {
  return finishing === undefined ? step() : finishing(step);
}

/** The story on stderr. Nothing here is the answer of a verb. */
export interface Log {
  /** Shown unless --quiet. */
  info(message: string): void;
  /** Always shown. */
  warn(message: string): void;
  /** Shown with -v. */
  verbose(message: string): void;
  /** Shown with --debug. */
  debug(message: string): void;
}

/** Told absolute offsets in bytes; going back is a smaller number. */
export interface Progress {
  /** `image`: its reference, for programs; `label` is for people. */
  start(label: string, total?: number, image?: string): Task;
  /** Several images are to come, some of them at a time: what they will be called. */
  several?(labels: readonly string[]): Several;
}

export interface Several {
  /** One more is through, well or not. */
  through(): void;
  /** No more will come. */
  over(): void;
}

export interface Task {
  /** `offset`: bytes in place so far. `found`: that many were there already, and tell nothing of how fast this is. */
  at(offset: number, found?: "found"): void;
  /** A word on what goes on: "verifying", "resuming at 3.1 GiB", "waiting for process 4711". */
  state(words: string): void;
  /** Only after the other side (or the disk) has confirmed. */
  done(): void;
  fail(): void;
}

const quietTask: Task = { at() {}, state() {}, done() {}, fail() {} };

export const silentProgress: Progress = { start: () => quietTask };

export const silentLog: Log = { info() {}, warn() {}, verbose() {}, debug() {} };
