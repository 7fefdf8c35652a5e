/** Decorator: `Warning: 299 - "text"` is how an OCI registry speaks to the user (distribution-spec); shown once per text. */
import type { Log } from "../call.ts";
import type { Transport } from "./transport.ts";
import { plain } from "./words.ts";

const WARNING = /299 \S+ "((?:[^"\\]|\\.)*)"/g;

export function warning(inner: Transport, log: Log): Transport {
  const shown = new Set<string>();
  return {
    async send(request) {
      const response = await inner.send(request);
      for (const [, quoted = ""] of (response.headers.get("warning") ?? "").matchAll(WARNING)) {
        const line = `${response.url.host} says: ${plain(quoted.replaceAll(/\\(.)/g, "$1"))}`;
        if (!shown.has(line)) log.warn(line);
        shown.add(line);
      }
      return response;
    },
    close: () => inner.close(),
  };
}
