/**
 * A socket for large bodies. It reads into two buffers of its own in turn, and what is sent is waited for until the system
 * has taken it: buffers are used again in both directions, and nothing is copied in JavaScript.
 */
import type { Socket } from "node:net";
import { SregistryError } from "../errors.ts";
import { networkError } from "./network-error.ts";

/** Bytes of each buffer: large enough that a GiB is a thousand writes, small enough for a dozen connections. */
const BUFFER = 1024 * 1024;

/** Bytes read at once while the length of what comes is unknown. */
const GLANCE = 64 * 1024;

/** Milliseconds after which bytes are handed on though the buffer is not full: a slow network shows its progress. */
const LONGEST_GATHERING = 250;

export interface Patience {
  readonly milliseconds: number;
  /** What the other side does not do: `sent nothing more`. */
  readonly words: string;
}

export class BulkSocket {
  /** Node's way to read into memory of ours: what the socket is to be made with. It asks for the next place at once. */
  readonly onread = {
    buffer: (): Buffer => this.#place(),
    callback: (bytes: number): boolean => this.#arrived(bytes),
  };
  readonly #host: string;
  readonly #buffers = [Buffer.allocUnsafeSlow(BUFFER), Buffer.allocUnsafeSlow(BUFFER)] as const;
  #turn: 0 | 1 = 0;
  /** Bytes `start` up to `filled` of the buffer whose turn it is have arrived and not been handed on. */
  #start = 0;
  #filled = 0;
  /** Bytes that the body at hand still has; undefined while that is unknown. */
  #rest: number | undefined;
  #ready: Buffer | undefined;
  #socket: Socket | undefined;
  #wake: (() => void) | undefined;
  #failure: SregistryError | undefined;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  /** `host`: for messages. */
  constructor(host: string) {
    this.#host = host;
  }

  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on("error", (error) => this.destroy(networkError(error, this.#host)));
    const over = () => {
      this.#ended = true;
      this.#awake();
    };
    socket.on("end", over);
    socket.on("close", over);
  }

  /** Nothing has gone wrong, nothing unasked has arrived, and there is room for another head. */
  get reusable(): boolean {
    return this.#failure === undefined && !this.#ended && this.#start === this.#filled && this.#filled < BUFFER / 2;
  }

  /** What has arrived and not been handed on. */
  get unread(): Buffer {
    return this.#buffers[this.#turn].subarray(this.#start, this.#filled);
  }

  get failure(): SregistryError | undefined {
    return this.#failure;
  }

  destroy(error: SregistryError): void {
    this.#failure ??= error;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#awake();
  }

  /** Resolves when the system has taken the bytes. @throws SregistryError NETWORK, TIMEOUT. */
  async write(bytes: Uint8Array | string, patience: Patience): Promise<void> {
    this.#requireWhole();
    const timer = this.#clock(patience);
    try {
      await new Promise<void>((resolve, reject) => {
        const stop = () => reject(this.#failure ?? networkError(CUT, this.#host));
        if (this.#socket === undefined || this.#socket.destroyed) return stop();
        this.#socket.once("close", stop);
        this.#socket.write(bytes, (error) => {
          this.#socket?.off("close", stop);
          if (error) reject(this.#failure ?? networkError(error, this.#host));
          else resolve();
        });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** What has arrived and not been handed on, waiting for more if nothing new has; undefined at the connection's end. */
  async glance(patience: Patience): Promise<Buffer | undefined> {
    this.#rest = undefined;
    const before = this.#filled;
    await this.#until(() => this.#filled > before, patience);
    this.#requireWhole();
    return this.#filled === before ? undefined : this.unread;
  }

  /** These bytes of the last glance have been understood. */
  consume(bytes: number): void {
    this.#start += bytes;
  }

  /**
   * The next bytes of a body that has `rest` more: a full buffer, or fewer at its end, on a slow network, or before a failure.
   * They stay as they are until the call after the next one. Empty at the connection's end.
   * @throws SregistryError NETWORK, TIMEOUT, REPLY_INVALID when more arrives than the body has.
   */
  async gather(rest: number, patience: Patience): Promise<Buffer> {
    this.#rest = rest;
    if (this.#ready === undefined && this.unread.length === 0) {
      const impatient = setInterval(() => this.unread.length > 0 && this.#awake(), LONGEST_GATHERING);
      await this.#until(() => this.#ready !== undefined, patience);
      clearInterval(impatient);
    }
    const bytes = this.#ready ?? this.unread;
    if (this.#ready === undefined) this.#start = this.#filled;
    this.#ready = undefined;
    if (bytes.length > rest) this.destroy(moreThanAnnounced(this.#host));
    if (bytes.length === 0 || bytes.length > rest) this.#requireWhole();
    return bytes;
  }

  #place(): Buffer {
    return this.#rest === undefined
      ? this.#buffers[this.#turn].subarray(this.#filled, this.#filled + GLANCE)
      : this.#buffers[this.#turn].subarray(this.#filled);
  }

  /** True: go on reading. Once false is said, nothing is read before somebody waits again. What is full is set aside at once. */
  #arrived(bytes: number): boolean {
    this.#filled += bytes;
    this.#timer?.refresh();
    const gathered = this.#filled - this.#start;
    if (this.#rest !== undefined && gathered < this.#rest && this.#filled < BUFFER) return this.#wake !== undefined;
    if (this.#rest !== undefined) {
      this.#ready = this.unread;
      // What comes next is another answer, and most of this buffer has to be left for its body.
      if (gathered >= this.#rest) this.#rest = undefined;
      this.#turn = this.#turn === 0 ? 1 : 0;
      this.#start = 0;
      this.#filled = 0;
    }
    this.#awake();
    return false;
  }

  async #until(arrived: () => boolean, patience: Patience): Promise<void> {
    if (arrived() || this.#ended) return;
    this.#timer = this.#clock(patience);
    await new Promise<void>((wake) => {
      this.#wake = wake;
      this.#socket?.resume();
    });
    clearTimeout(this.#timer);
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #clock({ milliseconds, words }: Patience): NodeJS.Timeout {
    return setTimeout(
      () => this.destroy(new SregistryError("TIMEOUT", `${this.#host} ${words} for ${milliseconds / 1000} s`)),
      milliseconds,
    );
  }

  #requireWhole(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** As the kernel calls an end in the middle. */
export const CUT = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });

function moreThanAnnounced(host: string): SregistryError {
  return new SregistryError("REPLY_INVALID", `${host} sent more than it had announced`);
}
