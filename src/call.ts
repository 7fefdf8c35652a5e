/** What every operation is handed besides its arguments: a way to stop it, and somewhere to tell its story. */

export interface Call {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly log: Log;
  /**
   * Runs a step that is worth its end though everything else is to stop, such as a chunk that a registry keeps whole or not
   * at all: SIGTERM waits some seconds for it. Fails at once when the work is to stop already. Absent: nothing waits.
   */
  readonly finishing?: <T>(step: () => Promise<T>) => Promise<T>;
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
  start(label: string, total?: number): Task;
}

export interface Task {
  /** `offset`: bytes in place so far. */
  at(offset: number): void;
  /** A word on what goes on: "verifying", "resuming at 3.1 GiB", "waiting for process 4711". */
  state(words: string): void;
  /** Only after the other side (or the disk) has confirmed. */
  done(): void;
  fail(): void;
}

const quietTask: Task = { at() {}, state() {}, done() {}, fail() {} };

export const silentProgress: Progress = { start: () => quietTask };

export const silentLog: Log = { info() {}, warn() {}, verbose() {}, debug() {} };
