/**
 * One request and its answer on the wire: undici's dispatch handler on one side, our promise and body stream on the
 * other. It keeps the clock (headers, idle), honours back-pressure, and turns every failure into a SregistryError.
 */
import { Readable } from "node:stream";
import { SregistryError } from "../errors.ts";
import { codingRefusal, responseHeaders } from "./headers.ts";
import { abortError, networkError } from "./network-error.ts";
import { openBody, sourceError } from "./pour.ts";
import type { HttpRequest, HttpResponse } from "./transport.ts";

/** What undici hands a handler to steer the exchange with. */
export interface Controller {
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

type RawHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface ExchangeTimeouts {
  /** Milliseconds from the last byte of the request to the answer's headers. */
  readonly headers: number;
  /** Milliseconds in which no byte moves while a body is on its way, in either direction. */
  readonly idle: number;
}

/** Bytes kept ready for a consumer that is busy; beyond that the socket is not read. */
const READ_AHEAD = 256 * 1024;

/** Bodies in memory above this are sent in slices, so that the idle clock sees them move. */
const SLICE = 256 * 1024;

export class Exchange {
  readonly response: Promise<HttpResponse>;
  /** What undici sends. */
  readonly payload: Readable | Buffer | undefined;
  readonly #request: HttpRequest;
  readonly #timeouts: ExchangeTimeouts;
  readonly #source: Readable | undefined;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: SregistryError) => void;
  readonly #onAbort = () => this.#fail(abortError(this.#request.signal));
  #controller: Controller | undefined;
  #body: Readable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: SregistryError | undefined;
  #over = false;

  constructor(request: HttpRequest, timeouts: ExchangeTimeouts) {
    const { promise, resolve, reject } = withResolvers<HttpResponse>();
    this.response = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#request = request;
    this.#timeouts = timeouts;
    const opened = request.signal.aborted ? undefined : request.body === undefined ? undefined : openBody(request.body);
    if (opened instanceof Readable) this.#source = opened;
    this.payload = this.#payload(opened);
    request.signal.addEventListener("abort", this.#onAbort, { once: true });
    if (request.signal.aborted) this.#onAbort();
  }

  #payload(opened: Readable | Uint8Array | undefined): Readable | Buffer | undefined {
    if (opened === undefined) return undefined;
    if (opened instanceof Readable) return Readable.from(this.#feed(opened));
    const bytes = Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
    return bytes.length <= SLICE ? bytes : Readable.from(this.#feed(slices(bytes)));
  }

  /** Stands between the source and undici: keeps the clock, and tells a source that fails from a network that does. */
  async *#feed(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown, void, void> {
    this.#watch(this.#timeouts.idle, "took none of the data sent to it");
    try {
      for await (const chunk of source) {
        this.#timer?.refresh();
        yield chunk;
      }
    } catch (error) {
      throw sourceError(error);
    }
    if (this.#body === undefined) this.#watchHeaders();
  }

  /** The connection stands and the request is about to be written. */
  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
    else if (!(this.payload instanceof Readable)) this.#watchHeaders();
  }

  onResponseStart(controller: Controller, status: number, raw: RawHeaders): void {
    if (status < 200 || this.#over) return;
    const headers = responseHeaders(raw);
    const refusal = codingRefusal(status, headers, this.#host);
    if (refusal !== undefined) {
      this.#fail(refusal);
      return;
    }
    const body = new Readable({
      highWaterMark: READ_AHEAD,
      read: () => {
        this.#timer?.refresh();
        controller.resume();
      },
      destroy: (error, done) => {
        if (!this.#over)
          this.#fail(networkError(error ?? new SregistryError("INTERRUPTED", "the answer was not read"), this.#host));
        done(error);
      },
    });
    // A connection may break before anybody reads; the error stays in the stream for whoever reads it later.
    body.on("error", () => {});
    this.#body = body;
    this.#watch(this.#timeouts.idle, "sent nothing more");
    this.#resolve({ status, headers, url: this.#request.url, body });
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#timer?.refresh();
    if (this.#body?.push(chunk) === false) controller.pause();
  }

  /**
   * undici frees the connection a turn of the event loop after the answer's end; the reader hears of the end after that, so
   * that its next request finds the connection instead of opening another.
   */
  onResponseEnd(): void {
    this.#end();
    setImmediate(() => setImmediate(() => this.#body?.push(null)));
  }

  /** Also called when the answer came early and the rest of the request could not be sent: nobody listens then. */
  onResponseError(_controller: Controller, error: Error): void {
    this.#fail(networkError(error, this.#host));
  }

  get #host(): string {
    return this.#request.url.host;
  }

  #fail(error: SregistryError): void {
    if (this.#over) return;
    this.#failure ??= error;
    this.#end();
    this.#controller?.abort(this.#failure);
    this.#body?.destroy(this.#failure);
    this.#reject(this.#failure);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#source?.destroy();
    this.#request.signal.removeEventListener("abort", this.#onAbort);
  }

  #watchHeaders(): void {
    this.#watch(this.#request.headersTimeout ?? this.#timeouts.headers, "did not answer");
  }

  /** (Re)starts the clock. A full read-ahead waits for us and does not count as a stalled server. */
  #watch(milliseconds: number, words: string): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#timer = setTimeout(() => {
      const waitsForUs = this.#body !== undefined && this.#body.readableLength >= READ_AHEAD;
      if (waitsForUs) this.#watch(milliseconds, words);
      else this.#fail(new SregistryError("TIMEOUT", `${this.#host} ${words} for ${milliseconds / 1000} s`));
    }, milliseconds);
  }
}

function* slices(bytes: Buffer): Generator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
