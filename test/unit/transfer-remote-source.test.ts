/** An image at an endpoint as what is pushed: nobody reads on for a request that is over. */
import { once } from "node:events";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Call, silentProgress } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import { pourRequest } from "../../src/http/pour.ts";
import type { Body } from "../../src/http/transport.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { HashedSource } from "../../src/registry/oci/hashed-source.ts";
import { sourceBody } from "../../src/registry/source-body.ts";
import { uploadForm } from "../../src/registry/sregistry/form.ts";
import { readSource } from "../../src/transfer/read-source.ts";
import { type RemoteSource, remoteSource } from "../../src/transfer/remote-source.ts";
import type { Source } from "../../src/transfer/source.ts";
import { callWith } from "../support/copying.ts";
import { failureOf } from "../support/http.ts";

const BYTES = Buffer.from("bytes of an image");

interface Asked {
  readonly source: RemoteSource;
  /** Signals of the requests so far. */
  readonly signals: readonly AbortSignal[];
}

function remote(read: (call: Call) => Promise<Readable>): Asked {
  const signals: AbortSignal[] = [];
  const source = remoteSource({
    name: "tool",
    size: BYTES.length,
    digest: digestOf(BYTES),
    call: callWith(),
    limits: { base: 1, cap: 1, tries: 1_000_000 },
    async read({ start }, call) {
      signals.push(call.signal);
      return { start, total: BYTES.length, body: await read(call) };
    },
  });
  return { source, signals };
}

/** The endpoint's connection breaks before the first byte, each time. */
const broken = () =>
  remote(async () => {
    throw new SregistryError("NETWORK", "cut");
  });

/** The endpoint answers, and sends nothing. */
function stalled(): Asked & { readonly bodies: readonly Readable[] } {
  const bodies: Readable[] = [];
  const asked = remote(async () => {
    const body = new Readable({ read() {} });
    bodies.push(body);
    return body;
  });
  return { ...asked, bodies };
}

function hashed(source: Source): Promise<Body> {
  const task = silentProgress.start("tool", source.size);
  return new HashedSource(source, task, new AbortController().signal, undefined).part(0, source.size);
}

function opened(body: Body): Readable {
  const stream = body.open();
  if (!(stream instanceof Readable)) throw new Error("no stream");
  return stream;
}

const told = { signal: new AbortController().signal, moved: () => {}, told: () => {} };

/** Every way that a source goes out as a stream. */
const ways: readonly (readonly [string, (source: Source) => Promise<Readable>])[] = [
  ["as it is", async (source) => source.open(0)],
  ["at an OCI registry", async (source) => opened(await hashed(source))],
  ["at a library", async (source) => opened(sourceBody(source, 0, source.size, told))],
  ["in a form", async (source) => opened(uploadForm({}, source, told).body)],
];

it.each(ways)("does not ask again for what nobody reads any more (%s)", async (_name, open) => {
  const { source, signals } = broken();
  const body = await open(source);
  body.on("error", () => {}).resume();
  while (signals.length < 3) await sleep(1);
  body.destroy();
  await once(body, "close");
  const asked = signals.length;
  await sleep(20);
  expect(signals.length).toBe(asked);
  expect(signals.at(-1)?.aborted).toBe(true);
  expect(source.failure).toBeUndefined();
});

it.each(ways)("does not wait for bytes that nobody reads any more (%s)", async (_name, open) => {
  const { source, signals, bodies } = stalled();
  const body = await open(source);
  body.on("error", () => {}).resume();
  while (bodies.length === 0) await sleep(1);
  body.destroy();
  await once(body, "close");
  expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  expect(source.failure).toBeUndefined();
});

it.each(ways)("asks for nothing when it is given up before it is read (%s)", async (_name, open) => {
  const { source, signals } = stalled();
  const body = await open(source);
  body.destroy();
  await once(body, "close");
  expect(signals).toEqual([]);
});

it("is held to its digest when it is opened again while a body that was given up still waits", async () => {
  let first = true;
  const { source } = remote(async () => {
    if (!first) return Readable.from([BYTES.subarray(0, 5), Buffer.from("wrong things")]);
    first = false;
    return new Readable({ read() {} });
  });
  const given = source.open(0);
  given.on("error", () => {}).resume();
  await sleep(1);
  given.destroy();
  expect(await failureOf(source.open(0).toArray())).toMatchObject({ code: "INTEGRITY" });
});

it("is not waited for by a reader that is told to stop", async () => {
  const { source, bodies } = stalled();
  const stop = new AbortController();
  const read = readSource(source, 0, source.size, stop.signal).next();
  while (bodies.length === 0) await sleep(1);
  stop.abort();
  expect(await failureOf(read)).toMatchObject({ code: "INTERRUPTED" });
  expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true]);
});

it("is given up when the request that it is the body of breaks off", async () => {
  const { source, signals } = remote(async () => Readable.from([BYTES.subarray(0, 5), BYTES.subarray(5)]));
  const poured = pourRequest(await hashed(source), async () => {
    throw new SregistryError("NETWORK", "reset");
  });
  expect(await failureOf(poured)).toMatchObject({ code: "NETWORK", message: "reset" });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
