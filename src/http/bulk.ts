/**
 * Requests with large bodies, past undici: it hands every 64 KiB to JavaScript in memory of their own, which costs more than
 * receiving them. Here a body goes between socket and caller in large buffers that are used again. Only what is plain comes
 * this way: a known length in either direction and no proxy; redirects, logins and retries are decided above, as for any
 * request.
 */
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { SregistryError } from "../errors.ts";
import { orAborted } from "./abortable.ts";
import { BulkBody } from "./bulk-body.ts";
import { BulkSocket, CUT, type Patience } from "./bulk-socket.ts";
import { codingRefusal } from "./headers.ts";
import { abortError, networkError } from "./network-error.ts";
import { pourRequest } from "./pour.ts";
import { dechunk, parseResponseHead, type ResponseHead } from "./response-head.ts";
import type { HttpRequest, HttpResponse } from "./transport.ts";

export interface BulkOptions {
  /** Milliseconds. */
  readonly timeouts: { readonly headers: number; readonly idle: number };
  /** Opens a connection to the URL's origin; `onread` is to be given to the socket. */
  connect(url: URL, onread: BulkSocket["onread"]): Promise<Socket>;
}

export interface BulkClient {
  /** Undefined for an answer whose length is not known beforehand: it is to be asked for again through undici. */
  send(request: HttpRequest, headers: Readonly<Record<string, string>>): Promise<HttpResponse | undefined>;
  close(): void;
}

/** Milliseconds that a connection is kept for the next request; servers close idle ones after 5 s and more. */
const LONGEST_IDLE = 4_000;

/** Bytes of an answer that does not say its length: such are short, words about an error mostly. */
const LONGEST_UNMEASURED = 256 * 1024;

export function createBulkClient(options: BulkOptions): BulkClient {
  const idle = new Map<string, { readonly socket: BulkSocket; readonly since: number }[]>();
  const open = new Set<BulkSocket>();

  async function connectionTo({ url, signal }: HttpRequest): Promise<BulkSocket> {
    for (let found = idle.get(url.origin)?.pop(); found !== undefined; found = idle.get(url.origin)?.pop()) {
      if (found.socket.reusable && performance.now() - found.since < LONGEST_IDLE) return found.socket;
      drop(found.socket);
    }
    const socket = new BulkSocket(url.host);
    socket.attach(await orAborted(options.connect(url, socket.onread), signal, (late) => late.destroy()));
    open.add(socket);
    return socket;
  }

  function drop(socket: BulkSocket): void {
    open.delete(socket);
    socket.destroy(new SregistryError("NETWORK", "the connection is not needed any more"));
  }

  return {
    async send(request, headers) {
      if (request.signal.aborted) throw abortError(request.signal);
      const { url } = request;
      const socket = await connectionTo(request);
      const abort = () => socket.destroy(abortError(request.signal));
      request.signal.addEventListener("abort", abort, { once: true });
      if (request.signal.aborted) abort();
      const over = (reusable: boolean) => {
        request.signal.removeEventListener("abort", abort);
        if (!reusable || !socket.reusable) return drop(socket);
        const others = idle.get(url.origin) ?? [];
        idle.set(url.origin, [...others, { socket, since: performance.now() }]);
      };
      return await new BulkExchange(request, socket, options.timeouts, over).run(headers);
    },
    close() {
      for (const socket of open) drop(socket);
      idle.clear();
    },
  };
}

class BulkExchange {
  readonly #request: HttpRequest;
  readonly #socket: BulkSocket;
  readonly #headersPatience: Patience;
  readonly #sendPatience: Patience;
  readonly #bodyPatience: Patience;
  readonly #over: (reusable: boolean) => void;
  /** The request went out whole: otherwise nothing can follow on the connection. */
  #sent = false;

  constructor(
    request: HttpRequest,
    socket: BulkSocket,
    timeouts: BulkOptions["timeouts"],
    over: (reusable: boolean) => void,
  ) {
    this.#request = request;
    this.#socket = socket;
    this.#over = over;
    this.#headersPatience = { milliseconds: request.headersTimeout ?? timeouts.headers, words: "did not answer" };
    this.#sendPatience = { milliseconds: timeouts.idle, words: "took none of the data sent to it" };
    this.#bodyPatience = { milliseconds: timeouts.idle, words: "sent nothing more" };
  }

  async run(headers: Readonly<Record<string, string>>): Promise<HttpResponse | undefined> {
    try {
      const head = await this.#sendAndHear(headers);
      const refusal = codingRefusal(head.status, head.headers, this.#host);
      if (refusal !== undefined) throw refusal;
      const body = await this.#body(head);
      if (body === undefined) return undefined;
      return { status: head.status, headers: head.headers, url: this.#request.url, body };
    } catch (error) {
      const failure = this.#socket.failure ?? networkError(error, this.#host);
      this.#over(false);
      throw failure;
    }
  }

  /**
   * A server may refuse a large body early (401, 413, 416): its answer ends the sending. Without a body, nothing is
   * listened for until the request is out.
   */
  async #sendAndHear(headers: Readonly<Record<string, string>>): Promise<ResponseHead> {
    const { method, url, body } = this.#request;
    const lines = Object.entries({ host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n`;
    await this.#socket.write(Buffer.from(head, "latin1"), this.#sendPatience);
    if (body === undefined) {
      this.#sent = true;
      return await this.#hear(this.#headersPatience);
    }
    // The clock of the sending is that of its writes; this one only has to outlast them.
    const early = this.#hear({ ...this.#headersPatience, milliseconds: LONGEST });
    early.catch(() => undefined);
    const write = async (bytes: Buffer) => {
      const first = await Promise.race([this.#socket.write(bytes, this.#sendPatience), early]);
      if (first !== undefined) throw ANSWERED;
    };
    try {
      await pourRequest(body, write);
      this.#sent = true;
    } catch (error) {
      if (error === ANSWERED) return await early;
      // Our own end of it (a file that cannot be read) is not the network's fault.
      if (!(error instanceof SregistryError) || this.#socket.failure === undefined) throw error;
      // The connection broke; the last words of the server may still be there to read.
      return await early;
    }
    return await this.#within(early, this.#headersPatience);
  }

  async #within(answer: Promise<ResponseHead>, { milliseconds, words }: Patience): Promise<ResponseHead> {
    const timer = setTimeout(
      () => this.#socket.destroy(new SregistryError("TIMEOUT", `${this.#host} ${words} for ${milliseconds / 1000} s`)),
      milliseconds,
    );
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  async #hear(patience: Patience): Promise<ResponseHead> {
    for (;;) {
      const bytes = await this.#socket.glance(patience);
      if (bytes === undefined) throw networkError(CUT, this.#host);
      // 100 and 103 come before the answer.
      for (let at = 0; ; ) {
        const head = parseResponseHead(bytes.subarray(at), this.#host);
        if (head === undefined) break;
        this.#socket.consume(head.size);
        at += head.size;
        if (head.status >= 200) return head;
      }
    }
  }

  async #body(head: ResponseHead): Promise<Readable | undefined> {
    if (typeof head.body === "number") {
      return new BulkBody({
        socket: this.#socket,
        host: this.#host,
        length: head.body,
        patience: this.#bodyPatience,
        over: () => this.#over(this.#sent && head.keepAlive),
      });
    }
    if (this.#request.method === "GET" && head.status < 300) {
      this.#over(false);
      return undefined;
    }
    const bytes = await this.#unmeasured(head.body === "chunked");
    this.#over(false);
    return Readable.from([bytes]);
  }

  async #unmeasured(chunked: boolean): Promise<Buffer> {
    for (let bytes = this.#socket.unread; ; ) {
      const whole = chunked ? dechunk(bytes, this.#host) : undefined;
      if (whole !== undefined) return Buffer.from(whole);
      const more = await this.#socket.glance(this.#bodyPatience);
      if (more === undefined && !chunked) return Buffer.from(bytes);
      if (more === undefined) throw networkError(CUT, this.#host);
      bytes = more;
      if (bytes.length > LONGEST_UNMEASURED) {
        throw new SregistryError("REPLY_INVALID", `${this.#host} answered without a length, and at length`);
      }
    }
  }

  get #host(): string {
    return this.#request.url.host;
  }
}

const ANSWERED = new Error("the answer came before the request was sent in full");

/** Milliseconds; as long as a timer can run. */
const LONGEST = 2 ** 31 - 1;
