/** The port through which every byte over HTTP goes. One implementation (undici.ts); the rest are decorators. */
import type { Readable } from "node:stream";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * A body is a recipe, never a stream that can be used once: a 401, a reset or a retry opens it again.
 * `size` in bytes is sent as Content-Length; absent means chunked transfer coding.
 */
export interface Body {
  readonly size?: number;
  open(): Readable | Uint8Array;
  /** The same bytes in large pieces: each is used again once it is taken. For `bulk` requests, where it is there. */
  pour?(take: Take): Promise<void>;
}

/** Takes bytes that are only valid until it is done. */
export type Take = (bytes: Buffer) => Promise<void>;

/** Hands over its bytes in order, one piece at a time. */
export interface Pourable {
  pour(take: Take): Promise<void>;
}

/**
 * `registry`: credentials of the request's own origin (see credential.ts), with the scopes to ask a token server for.
 * `hmac`: a signature of the old client's protocol over these words, made anew for each attempt (hmac.ts).
 * `none`: nothing, even when a credential is known (presigned URLs, foreign upload locations).
 */
export type Auth =
  | { readonly kind: "none" }
  | { readonly kind: "hmac"; readonly words: HmacWords }
  | {
      readonly kind: "registry";
      readonly repository?: string;
      readonly scopes: readonly string[];
      /**
       * Sends a known credential without waiting for a 401. For endpoints that answer an anonymous request with less, or
       * with 403 or 404 (the library API of Singularity Registry Server 2.1), instead of challenging it.
       */
      readonly eager?: boolean;
    };

/** What the signature of Singularity Registry Server's own protocol covers, besides the hour. */
export interface HmacWords {
  readonly action: "push" | "upload" | "pull" | "delete";
  /** Normalised as the server stores it. */
  readonly collection: string;
  readonly name: string;
  readonly tag: string;
}

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Statuses the caller handles. Any other becomes a SregistryError that carries the server's decoded words. */
  readonly accept: readonly number[];
  readonly auth: Auth;
  /** `safe`: may be sent again after a lost connection or a status worth retrying. */
  readonly retry: "safe" | "never";
  /** `follow` (default): by hand, credentials stay at their origin. `never`: a 3xx goes through `accept`. */
  readonly redirect?: "follow" | "never";
  /** Milliseconds to wait for the answer once the body is sent; default: the transport's. A closing PUT may take long. */
  readonly headersTimeout?: number;
  /** A body of many MiB, in either direction: worth a connection that does not copy (bulk.ts). */
  readonly bulk?: boolean;
  readonly signal: AbortSignal;
  /** As a call's. */
  readonly waiting?: ((words: string) => void) | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. A header that came several times is joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** Where the answer came from after redirects. */
  readonly url: URL;
  /** Must be read to its end or destroyed, best by pour.ts. Fails with SregistryError NETWORK or TIMEOUT when the connection does. */
  readonly body: Readable;
}

export interface Transport {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Ends idle connections so that the process can exit. */
  close(): Promise<void>;
}
