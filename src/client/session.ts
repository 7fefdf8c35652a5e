/** What the calls of one client share: the services under them, the way to stop them, and their common end. */
import { setMaxListeners } from "node:events";
import type { Call, Log, Progress } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { Services } from "./services.ts";

/** The last members of every call's options. */
export interface CallOptions {
  /** Stops the call, which then fails with the signal's reason. What it did stays resumable. */
  readonly signal?: AbortSignal | undefined;
  /** Told of this call alone, instead of the client's. */
  readonly progress?: Progress | undefined;
}

export interface SessionOptions {
  readonly log: Log;
  readonly progress: Progress;
  /** New ones see what was changed on disk; `signal` stops what they ask on the way to an endpoint. */
  readonly services: (signal: AbortSignal) => Promise<Services>;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closers = new Set<() => Promise<void>>();
  /** In use; undefined once what they read may have changed. */
  #services: Promise<Services> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
    // Node warns of more than ten, and a client may have any number of calls at a time.
    setMaxListeners(0, this.#end.signal);
  }

  /** @throws SregistryError CONFIG_INVALID, before anything is asked for. */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    await session.#current();
    return session;
  }

  /** @throws whatever `work` does; the signal's reason once it is aborted; SregistryError USAGE after `close`. */
  run<T>(options: CallOptions, work: Work<Promise<T>>): Promise<T> {
    const running = this.#run(options, work);
    this.#running.add(running);
    const ended = (): void => void this.#running.delete(running);
    running.then(ended, ended);
    return running;
  }

  async #run<T>(options: CallOptions, work: Work<Promise<T>>): Promise<T> {
    const call = this.#call(options);
    try {
      return await work(stoppable(await this.#current(), call.signal), call);
    } catch (error) {
      throw reasonFor(error, call);
    }
  }

  /** As `run`, for what is told bit by bit; nothing is asked before the first bit is wanted. */
  async *stream<T>(options: CallOptions, work: Work<AsyncIterable<T>>): AsyncGenerator<T, void, undefined> {
    const call = this.#call(options);
    try {
      for await (const item of work(stoppable(await this.#current(), call.signal), call)) {
        yield item;
        call.signal.throwIfAborted();
      }
    } catch (error) {
      throw reasonFor(error, call);
    }
  }

  /** As `run`, for what changes configuration or logins: the calls after it see that. */
  change<T>(options: CallOptions, work: Work<Promise<T>>): Promise<T> {
    return this.run(options, async (services, call) => {
      try {
        return await work(services, call);
      } finally {
        this.#services = undefined;
      }
    });
  }

  /** For what outlives its call: `close` is called at the client's end, unless the returned function was before. */
  keep(close: () => Promise<void>): () => Promise<void> {
    let closed: Promise<void> | undefined;
    const once = (): Promise<void> => {
      this.#closers.delete(once);
      closed ??= close();
      return closed;
    };
    this.#closers.add(once);
    return once;
  }

  /** Stops what is running, waits until it has stopped, and closes every connection. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#end.abort(new SregistryError("INTERRUPTED", "the client was closed while this was under way"));
    await Promise.allSettled(this.#running);
    await Promise.all([...this.#closers].map((close) => close()));
  }

  #current(): Promise<Services> {
    this.#services ??= this.#make();
    return this.#services;
  }

  async #make(): Promise<Services> {
    try {
      const services = await this.#options.services(this.#end.signal);
      this.keep(async () => services[Symbol.asyncDispose]());
      return services;
    } catch (error) {
      this.#services = undefined;
      throw error;
    }
  }

  #call({ signal, progress = this.#options.progress }: CallOptions): Call {
    if (this.#closed !== undefined) {
      throw new SregistryError("USAGE", "this client is closed", { hint: "make another one with createClient" });
    }
    // Always one of its own: what listens to it goes with the call.
    const stop = AbortSignal.any(signal === undefined ? [this.#end.signal] : [signal, this.#end.signal]);
    setMaxListeners(0, stop);
    stop.throwIfAborted();
    return { signal: stop, progress, log: this.#options.log };
  }
}

type Work<Result> = (services: Services, call: Call) => Result;

/** What a stopped step fails with depends on where it stood; its caller knows the reason that he gave. */
function reasonFor(error: unknown, { signal }: Call): unknown {
  return signal.aborted ? signal.reason : error;
}

/** What a server speaks is asked once for all calls: one that is stopped leaves the question to the others. */
function stoppable(services: Services, signal: AbortSignal): Services {
  return {
    ...services,
    place: (reference) => until(signal, () => services.place(reference)),
    placement: (pattern) => until(signal, () => services.placement(pattern)),
    open: (reference, oneOfTwo) => until(signal, () => services.open(reference, oneOfTwo)),
    openFor: (pattern) => until(signal, () => services.openFor(pattern)),
  };
}

async function until<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const stopped = new Promise<never>((_done, failed) => {
    stop = () => failed(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(), stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
