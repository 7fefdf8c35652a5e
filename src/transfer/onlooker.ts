/** Shows how far another process is with the download that this one waits for. */
import type { Call, Task } from "../call.ts";
import { readJournal } from "./journal.ts";
import { type Owner, ownerWords } from "./owner.ts";

/** Milliseconds between two looks; each reads a small file on what may be a shared file system. */
const PAUSE = 2_000;

export class Onlooker implements Disposable {
  readonly #partial: string;
  readonly #task: Task;
  readonly #call: Call;
  #timer: NodeJS.Timeout | undefined;
  #words = "";

  /** `partial`: the file that grows meanwhile. */
  constructor(partial: string, task: Task, call: Call) {
    this.#partial = partial;
    this.#task = task;
    this.#call = call;
  }

  /** Called again when the process that is waited for is another one. */
  waitFor(owner: Owner): void {
    this.#words = `waiting for ${ownerWords(owner)}`;
    this.#task.state(this.#words);
    this.#timer ??= setInterval(() => void this.#look(), PAUSE);
    void this.#look();
  }

  async #look(): Promise<void> {
    try {
      const journal = await readJournal(this.#partial);
      if (journal === undefined || this.#timer === undefined) return;
      this.#task.at(journal.done.bytes, "found");
      this.#task.state(this.#words);
    } catch (error) {
      this.#call.log.debug(`${this.#partial} cannot be looked at: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** The wait is over: from here on the task is told of our own bytes. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
