/** Decorator: what really goes over the wire, one --debug line out and one back. Secrets are redacted by name and value. */
import type { Log } from "../call.ts";
import { redact } from "../secret.ts";
import type { Transport } from "./transport.ts";

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-amz-security-token",
]);

export function trace(inner: Transport, log: Log): Transport {
  return {
    async send(request) {
      const line = redact(`${request.method} ${request.url.href}`);
      log.debug(`> ${line}${shown(Object.entries(request.headers ?? {}))}`);
      const started = performance.now();
      const elapsed = () => `${Math.round(performance.now() - started)} ms`;
      try {
        const response = await inner.send(request);
        log.debug(`< ${response.status} ${line} in ${elapsed()}${shown(response.headers)}`);
        return response;
      } catch (error) {
        log.debug(redact(`! ${line} after ${elapsed()}: ${error instanceof Error ? error.message : String(error)}`));
        throw error;
      }
    },
    close: () => inner.close(),
  };
}

function shown(headers: Iterable<readonly [string, string]>): string {
  const lines = [...headers].map(([name, value]) => {
    const key = name.toLowerCase();
    const scheme = /^[A-Za-z][\w-]* (?=.)/.exec(value)?.[0] ?? "";
    return SECRET_HEADERS.has(key)
      ? `${key}: ${key.endsWith("authorization") ? scheme : ""}***`
      : redact(`${key}: ${value}`);
  });
  return lines.length === 0 ? "" : ` [${lines.join(" | ")}]`;
}
