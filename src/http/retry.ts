/** Decorator: sends a `safe` request again after a lost connection or a status worth it; body recipes are opened anew. */
import type { Log } from "../call.ts";
import { redact } from "../secret.ts";
import { createRetryPolicy, isTransient, type RetryLimits, type RetryStats } from "./retry-policy.ts";
import type { Transport } from "./transport.ts";

export interface RetryTransportOptions {
  readonly limits?: Partial<RetryLimits> | undefined;
  readonly log: Log;
  readonly stats?: RetryStats | undefined;
}

export function retry(inner: Transport, options: RetryTransportOptions): Transport {
  return {
    async send(request) {
      if (request.retry === "never") return inner.send(request);
      const what = redact(`${request.method} ${request.url.href}`);
      const policy = createRetryPolicy({ ...options, what, signal: request.signal, waiting: request.waiting });
      for (;;) {
        try {
          return await inner.send(request);
        } catch (error) {
          if (!isTransient(error)) throw error;
          await policy.next(error);
        }
      }
    },
    close: () => inner.close(),
  };
}
