/**
 * When to try again, and how long to wait (trust.md: 5 tries, 0.5 s doubling, full jitter, cap 30 s, Retry-After up to a
 * limit). The retry decorator uses one policy per request; resumable transfers use one per transfer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, silentLog } from "../call.ts";
import { isCode, SregistryError, systemCode } from "../errors.ts";
import { abortError } from "./network-error.ts";

export interface RetryLimits {
  /** Tries in all, the first included. */
  readonly tries: number;
  /** Milliseconds: upper bound of the first wait; doubles with each. */
  readonly base: number;
  /** Milliseconds: no computed wait is longer. */
  readonly cap: number;
  /** Milliseconds: a Retry-After beyond this ends the trying. */
  readonly longestRetryAfter: number;
}

export const RETRY_LIMITS: RetryLimits = { tries: 5, base: 500, cap: 30_000, longestRetryAfter: 300_000 };

/** Counted over the life of a transport, for --json. */
export interface RetryStats {
  retries: number;
}

export interface RetryOptions {
  /** What is tried, for the -v line: `GET https://host/path`. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly limits?: Partial<RetryLimits> | undefined;
  readonly log?: Log;
  readonly stats?: RetryStats | undefined;
  /** Told of pauses of a second and more, in words for a user. */
  readonly waiting?: ((words: string) => void) | undefined;
  /** For tests: 0 <= random() < 1, and a wait that need not pass. */
  readonly random?: () => number;
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export interface RetryPolicy {
  /** Waits until it is time to try again, or throws `error` (or what explains it better) when trying is over. */
  next(error: unknown): Promise<void>;
  /** Bytes moved: the budget is full again. */
  progressed(): void;
}

/** Milliseconds: a shorter one is over before it is read. */
const LONG_PAUSE = 1_000;

/** Statuses worth another try: overload, time-outs, and Cloudflare's 520-524. */
const STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

/** Errors a policy has given up on; an outer policy does not start over. */
const spent = new WeakSet<object>();

/** True when the same request may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof SregistryError) || spent.has(error)) return false;
  if (error.status !== undefined) return STATUSES.has(error.status);
  // A name that DNS does not know is a misspelling, not a hiccup (that would be EAI_AGAIN).
  return isCode(error, "NETWORK", "TIMEOUT") && systemCode(error.cause) !== "ENOTFOUND";
}

/** Milliseconds before try number `attempt` + 1 (`attempt` >= 1): uniformly 0 up to the doubling bound. */
export function backoff(attempt: number, limits: RetryLimits, random: () => number): number {
  return Math.round(random() * Math.min(limits.cap, limits.base * 2 ** (attempt - 1)));
}

export function createRetryPolicy(options: RetryOptions): RetryPolicy {
  const limits: RetryLimits = { ...RETRY_LIMITS, ...options.limits };
  const { signal, log = silentLog, random = Math.random, wait = pause } = options;
  let failures = 0;
  return {
    async next(error) {
      if (signal.aborted) throw abortError(signal);
      if (!isTransient(error) || !(error instanceof SregistryError)) throw error;
      failures += 1;
      if (error.retryAfter !== undefined && error.retryAfter > limits.longestRetryAfter)
        throw givenUp(tooLong(error, error.retryAfter));
      if (failures >= limits.tries) throw givenUp(error);
      const delay = error.retryAfter ?? backoff(failures, limits, random);
      if (options.stats !== undefined) options.stats.retries += 1;
      log.verbose(
        `try ${failures} of ${limits.tries} failed, again in ${seconds(delay)}: ${options.what}: ${error.message}`,
      );
      if (delay >= LONG_PAUSE) options.waiting?.(`waiting ${seconds(delay)}, then trying again (${reason(error)})`);
      await wait(delay, signal);
    },
    progressed() {
      failures = 0;
    },
  };
}

function givenUp(error: SregistryError): SregistryError {
  spent.add(error);
  return error;
}

function tooLong(error: SregistryError, retryAfter: number): SregistryError {
  const when = new Date(Date.now() + retryAfter).toISOString().replace(/\.\d+Z$/, "Z");
  return new SregistryError(
    error.code,
    `${error.message}; it asks to be left alone for ${seconds(retryAfter)}, until ${when}`,
    {
      hint: error.hint ?? `try again after ${when}`,
      retryAfter,
      cause: error,
      ...(error.status === undefined ? {} : { status: error.status }),
    },
  );
}

function reason({ code, status }: SregistryError): string {
  if (status !== undefined) return String(status);
  return code === "TIMEOUT" ? "no answer" : "connection lost";
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // The only way this timer fails.
    throw abortError(signal);
  }
}
