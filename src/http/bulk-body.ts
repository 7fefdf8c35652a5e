/** The body of an answer on a connection for large bodies: poured in large pieces, or read as any other stream. */
import { Readable } from "node:stream";
import { SregistryError } from "../errors.ts";
import { type BulkSocket, CUT, type Patience } from "./bulk-socket.ts";
import { networkError } from "./network-error.ts";
import type { Pourable, Take } from "./transport.ts";

export interface BulkBodyOptions {
  readonly socket: BulkSocket;
  readonly host: string;
  /** Bytes. */
  readonly length: number;
  readonly patience: Patience;
  /** Told once, when all has been handed over or nothing more will be. */
  over(): void;
}

export class BulkBody extends Readable implements Pourable {
  readonly #options: BulkBodyOptions;
  #begun = false;
  #complete = false;
  #wanted: () => void = () => {};

  constructor(options: BulkBodyOptions) {
    super({ highWaterMark: 1 });
    this.#options = options;
    // A connection may break before anybody reads; the error stays in the stream for whoever reads it later.
    this.on("error", () => {});
    if (options.length === 0) this.#end();
  }

  /** One piece is taken while the next one arrives. */
  async pour(take: Take): Promise<void> {
    const { socket, host, length, patience } = this.#options;
    this.#begun = true;
    let taken: Promise<void> = Promise.resolve();
    try {
      for (let rest = length; rest > 0; ) {
        const bytes = await socket.gather(rest, patience);
        await taken;
        if (bytes.length === 0) throw networkError(CUT, host);
        rest -= bytes.length;
        taken = take(bytes);
        // Awaited in the next round; until then a failure must not count as unhandled.
        taken.catch(() => undefined);
      }
      await taken;
    } catch (error) {
      // Bytes that came before a failure are taken first.
      await taken.catch(() => undefined);
      socket.destroy(networkError(error, host));
      this.#end();
      throw socket.failure ?? error;
    }
    this.#end();
  }

  override _read(): void {
    if (this.#begun) {
      this.#wanted();
      return;
    }
    const push: Take = (bytes) =>
      new Promise((resolve) => {
        // The stream's reader keeps what it gets.
        if (this.push(Buffer.from(bytes))) resolve();
        else this.#wanted = resolve;
      });
    this.pour(push).then(
      () => void this.push(null),
      (error: Error) => void this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#complete) {
      this.#options.socket.destroy(
        networkError(error ?? new SregistryError("INTERRUPTED", "the answer was not read"), this.#options.host),
      );
      this.#wanted();
      this.#end();
    }
    done(error);
  }

  #end(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#options.over();
  }
}
