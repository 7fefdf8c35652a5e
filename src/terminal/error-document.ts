/** A failure as `--json` tells it, on stderr and within an answer: without the secrets that a server may have repeated. */
import type { SregistryError } from "../errors.ts";
import { redact } from "../secret.ts";

export interface ErrorDocument {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly hint: string | null;
}

/** Taken out before anything is escaped: in JSON a secret with a quote in it would look like another one. */
export function errorDocument({ code, exitStatus: exit, message, hint }: SregistryError): ErrorDocument {
  return { code, exit, message: redact(message), hint: hint === undefined ? null : redact(hint) };
}
