/** The faults proxy is what other tests stand on, so each of its faults is looked at with plain eyes once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  cutRequest,
  cutResponse,
  delay,
  type Faults,
  forgedRange,
  ignoreRange,
  redirectTo,
  reply,
  slow,
  stall,
  startFaults,
  tooMany,
  wrongByte,
  wrongLength,
} from "../support/faults.ts";

let upstream: Faults;
let faults: Faults;

beforeEach(async () => {
  upstream = await startFaults();
  faults = await startFaults({ upstream: upstream.url });
  upstream.on(
    { method: "GET", when: ({ headers }) => headers["range"] !== undefined },
    reply(206, { body: "67890", headers: { "content-range": "bytes 5-9/10" } }),
  );
  upstream.on({ method: "GET" }, reply(200, { body: "1234567890" }));
  upstream.on({ method: "PUT" }, reply(201));
});

afterEach(async () => {
  await faults.close();
  await upstream.close();
});

const fetched = async (init: RequestInit = {}) => {
  const response = await fetch(new URL("/blob", faults.url), { redirect: "manual", ...init });
  return [response.status, await response.text().catch(() => "broken"), response.headers.get("content-range")];
};
const ranged = { headers: { range: "bytes=5-" } };

test("without a rule it is not there", async () => {
  expect(await fetched()).toEqual([200, "1234567890", null]);
  expect(await fetched(ranged)).toEqual([206, "67890", "bytes 5-9/10"]);
  expect(await fetched({ method: "PUT", body: "x".repeat(100_000) })).toEqual([201, "", null]);
  expect([
    faults.count(),
    faults.count({ method: "PUT" }),
    faults.requests[2]?.bodyBytes,
    upstream.requests[2]?.bodyBytes,
  ]).toEqual([3, 1, 100_000, 100_000]);
});

test("a rule lets through, hits, and is used up", async () => {
  faults.on({ path: /blob/, skip: 1, times: 1 }, tooMany(7));
  const statuses = [];
  for (let round = 0; round < 3; round += 1) statuses.push((await fetched())[0]);
  expect(statuses).toEqual([200, 429, 200]);
  expect(faults.requests.map(({ status }) => status)).toEqual([200, 429, 200]);
  faults.clear();
  expect(faults.requests).toEqual([]);
});

test.each([
  ["cut", cutResponse({ after: 5 }), [200, "broken", null]],
  ["reset", cutResponse({ after: 5, how: "rst" }), [200, "broken", null]],
  ["too long a length", wrongLength(5), [200, "broken", null]],
  ["wrong byte", wrongByte(9), [200, "1234567891", null]],
  ["forged range", forgedRange("bytes 0-9/99"), [206, "1234567890", "bytes 0-9/99"]],
  ["redirect", redirectTo((path) => `/elsewhere${path}`), [307, "", null]],
  ["slow", slow(1000), [200, "1234567890", null]],
  ["late", delay(5), [200, "1234567890", null]],
] as const)("%s", async (_name, fault, expected) => {
  faults.on({}, fault);
  expect(await fetched()).toEqual(expected);
});

test("a range that is ignored, a request that is cut, an answer that stalls", async () => {
  faults.on({ times: 1 }, ignoreRange);
  expect(await fetched(ranged)).toEqual([200, "1234567890", null]);
  faults.on({ method: "PUT" }, cutRequest({ after: 70_000 }));
  await expect(fetched({ method: "PUT", body: "x".repeat(1_000_000) })).rejects.toThrow("fetch failed");
  expect(upstream.requests.at(-1)?.bodyBytes).toBeLessThanOrEqual(70_000);
  faults.on({}, stall({ after: 5 }));
  const response = await fetch(faults.url);
  const { value } = (await response.body?.getReader().read()) ?? {};
  expect(Buffer.from(value ?? []).toString()).toBe("12345");
});
