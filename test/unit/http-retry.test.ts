import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import {
  backoff,
  createRetryPolicy,
  isTransient,
  RETRY_LIMITS,
  type RetryOptions,
} from "../../src/http/retry-policy.ts";
import { failureOf } from "../support/http.ts";

const lost = () => new SregistryError("NETWORK", "reg.example reset the connection");

/** A policy whose waits do not pass but are written down. */
function policy(options: Partial<RetryOptions> = {}) {
  const waits: number[] = [];
  const lines: string[] = [];
  const stats = { retries: 0 };
  const note = (line: string) => void lines.push(line);
  const made = createRetryPolicy({
    what: "GET https://reg.example/x",
    signal: new AbortController().signal,
    random: () => 0.999_999,
    wait: async (milliseconds) => void waits.push(milliseconds),
    log: { info: note, warn: note, verbose: note, debug: note },
    stats,
    ...options,
  });
  return { made, waits, lines, stats };
}

describe("waiting", () => {
  test("doubles from half a second up to the cap", () => {
    const bounds = [1, 2, 3, 4, 7, 20].map((attempt) => backoff(attempt, RETRY_LIMITS, () => 0.999_999));
    expect(bounds).toEqual([500, 1000, 2000, 4000, 30_000, 30_000]);
  });

  test("is told in words when it takes a second or more", async () => {
    const said: string[] = [];
    const { made } = policy({ waiting: (words) => void said.push(words), limits: { base: 999 } });
    await made.next(lost());
    await made.next(lost());
    await made.next(new SregistryError("SERVER_ERROR", "overloaded", { status: 503, retryAfter: 5_000 }));
    await made.next(new SregistryError("TIMEOUT", "no answer from reg.example"));
    expect(said).toEqual([
      "waiting 2 s, then trying again (connection lost)",
      "waiting 5 s, then trying again (503)",
      "waiting 8 s, then trying again (no answer)",
    ]);
  });

  test("is fully jittered", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const bound = Math.min(30_000, 500 * 2 ** (attempt - 1));
          expect(backoff(attempt, RETRY_LIMITS, () => random)).toBe(Math.round(random * bound));
        },
      ),
    );
  });
});

describe("a policy", () => {
  test("gives up at the fifth failure with that failure, and an outer one does not start over", async () => {
    const { made, waits, stats, lines } = policy();
    for (let attempt = 1; attempt <= 4; attempt += 1) await made.next(lost());
    const last = lost();
    await expect(made.next(last)).rejects.toBe(last);
    expect(waits).toEqual([500, 1000, 2000, 4000]);
    expect(stats).toEqual({ retries: 4 });
    expect(lines[0]).toBe(
      "try 1 of 5 failed, again in 0.5 s: GET https://reg.example/x: reg.example reset the connection",
    );
    expect(isTransient(last)).toBe(false);
    await expect(policy().made.next(last)).rejects.toBe(last);
  });

  test("has a full budget again when bytes moved", async () => {
    const { made, waits } = policy({ limits: { tries: 3 } });
    for (let round = 0; round < 20; round += 1) {
      await made.next(lost());
      await made.next(lost());
      made.progressed();
    }
    expect(waits).toEqual(Array.from({ length: 20 }, () => [500, 1000]).flat());
  });

  test("keeps to Retry-After up to the limit", async () => {
    const busy = (retryAfter: number) => new SregistryError("RATE_LIMITED", "slow down", { status: 429, retryAfter });
    const { made, waits } = policy({ limits: { longestRetryAfter: 60_000 } });
    await made.next(busy(60_000));
    expect(waits).toEqual([60_000]);
    const failure = await failureOf(made.next(busy(60_001)));
    expect(failure.code).toBe("RATE_LIMITED");
    expect(failure.message).toMatch(
      /^slow down; it asks to be left alone for 60 s, until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    );
    expect(failure.hint).toMatch(/^try again after \d{4}-/);
  });

  test("throws what is not worth another try as it is", async () => {
    for (const error of [
      new SregistryError("INTEGRITY", "x"),
      new SregistryError("TLS_UNVERIFIED", "x"),
      new Error("bug"),
      "text",
    ]) {
      await expect(policy().made.next(error)).rejects.toBe(error);
    }
  });

  test("ends at once when it is stopped, also while it waits", async () => {
    const stopped = new AbortController();
    const made = createRetryPolicy({
      what: "x",
      signal: stopped.signal,
      limits: { base: 60_000_000, cap: 60_000_000 },
    });
    const waiting = failureOf(made.next(lost()));
    stopped.abort(new SregistryError("TERMINATED", "stopped by SIGTERM"));
    expect(await waiting).toMatchObject({ code: "TERMINATED" });
    expect(await failureOf(made.next(lost()))).toMatchObject({ code: "TERMINATED" });
  });
});

test.each([
  ...[408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524].map((status) => [status, true] as const),
  ...[400, 401, 403, 404, 405, 409, 413, 416, 501, 505, 525].map((status) => [status, false] as const),
])("status %d is worth another try: %s", (status, expected) => {
  expect(isTransient(new SregistryError("SERVER_ERROR", "x", { status }))).toBe(expected);
});

test("a lost connection is worth another try, a misspelt name is not", () => {
  const cause = (code: string) => Object.assign(new Error(code), { code });
  expect(isTransient(new SregistryError("NETWORK", "x", { cause: cause("ECONNRESET") }))).toBe(true);
  expect(isTransient(new SregistryError("NETWORK", "x", { cause: cause("EAI_AGAIN") }))).toBe(true);
  expect(isTransient(new SregistryError("TIMEOUT", "x"))).toBe(true);
  expect(isTransient(new SregistryError("NETWORK", "x", { cause: cause("ENOTFOUND") }))).toBe(false);
});
