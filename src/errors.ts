/**
 * The one error of this program. Every failure that a user can meet is a SregistryError with a code out of the closed
 * table below; the exit status follows from the code alone, so scripts may rely on it.
 */

/** code -> exit status; what they mean is in exit-status.ts. */
export const EXIT_STATUS = {
  INTERNAL: 1,
  USAGE: 2,
  REFERENCE_INVALID: 2,
  CONFIG_INVALID: 2,
  TLS_UNVERIFIED: 2,
  NOT_FOUND: 3,
  UNAUTHORIZED: 4,
  FORBIDDEN: 4,
  CONFLICT: 5,
  INTEGRITY: 6,
  IMAGE_INVALID: 6,
  DISK: 7,
  UNSUPPORTED: 8,
  REFUSED: 8,
  REPLY_INVALID: 8,
  NETWORK: 75,
  TIMEOUT: 75,
  RATE_LIMITED: 75,
  SERVER_ERROR: 75,
  LOCKED: 75,
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

/** What is not there, for whoever looks for what has a name like it. */
export interface Missing {
  readonly kind: "image" | "file";
  /** An image's as it may be typed, with its scheme; a file's path. */
  readonly name: string;
  /** A list of it has come out empty: no hint to list it helps. */
  readonly listed?: true;
}

export interface ErrorDetails {
  /** A command to type or a thing to look at next; one line. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** HTTP status, where a server's answer is the reason. */
  readonly status?: number;
  /** Of a NOT_FOUND: what was looked for. */
  readonly missing?: Missing | undefined;
  /** Milliseconds after which the server asked to be tried again. */
  readonly retryAfter?: number;
}

export class SregistryError extends Error {
  override readonly name = "SregistryError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;
  readonly missing: Missing | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.status = details.status;
    this.retryAfter = details.retryAfter;
    this.missing = details.missing;
  }

  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}

/** The same failure, of which more is known; its stack is that of the first time. */
export function enriched(
  error: SregistryError,
  { message = error.message, ...more }: Pick<ErrorDetails, "hint" | "missing"> & { readonly message?: string },
): SregistryError {
  const { code, hint, cause, status, retryAfter, missing, stack = "" } = error;
  const same = new SregistryError(code, message, {
    cause,
    ...(hint === undefined ? {} : { hint }),
    ...(status === undefined ? {} : { status }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(missing === undefined ? {} : { missing }),
    ...more,
  });
  same.stack = stack.replace(error.message, () => message);
  return same;
}

/** True for an error of ours with one of the given codes. */
export function isCode(error: unknown, ...codes: readonly ErrorCode[]): error is SregistryError {
  return error instanceof SregistryError && codes.includes(error.code);
}

/** The `code` of a Node system error (ENOENT, ECONNRESET, UND_ERR_...), undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
