/** Files that are worth a thread: hashed where they are sent from, ahead of a slow registry, and not at all when they are known. */
import { randomBytes } from "node:crypto";
import { mkdtemp, open as openFile, readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { SregistryError } from "../../src/errors.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { HashedSource } from "../../src/registry/oci/hashed-source.ts";
import { openDigestMemo } from "../../src/transfer/digest-memo.ts";
import { openFileSource } from "../../src/transfer/file-source.ts";
import { HashRing } from "../../src/transfer/hash-ring.ts";
import { createUploadSessions } from "../../src/transfer/sessions.ts";
import type { Source } from "../../src/transfer/source.ts";
import { delay, type Faults, startFaults } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type Client, type ClientOptions, MIB, ociClient } from "../support/oci-client.ts";
import { DISTRIBUTION_3, type Quirks, type QuirkyRegistry, REGISTRY_2, startQuirks } from "../support/quirks.ts";

/** No whole number of blocks, and more than the ring holds twice. */
const SIZE = 18 * MIB + 12_345;
const BYTES = randomBytes(SIZE);
const DIGEST = digestOf(BYTES);
const RULES = [{ host: "127.0.0.1", mode: "chunked", chunkSize: 4 * MIB }] as const;

/** Its config is of two bytes. */
const PLAIN = { metadata: undefined };

const open: { close(): Promise<void> }[] = [];
let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-large-"));
  file = join(directory, "tool.sif");
  await writeFile(file, BYTES);
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await rm(directory, { recursive: true, force: true });
});

async function quirky(quirks: Quirks = DISTRIBUTION_3): Promise<QuirkyRegistry> {
  const registry = await startQuirks(quirks);
  open.push(registry);
  return registry;
}

async function faultsBefore(upstream: URL): Promise<Faults> {
  const faults = await startFaults({ upstream });
  open.push(faults);
  return faults;
}

function clientOf({ url }: { readonly url: URL }, options: ClientOptions = {}): Client {
  const sessions = createUploadSessions(join(directory, "sessions"));
  const client = ociClient(url, { hostRules: RULES, sessions, ...options });
  open.push(client);
  return client;
}

const remembering = () => openFileSource(file, openDigestMemo(join(directory, "digests"), silentLog));

/** `source`, and the bytes that were read of it. */
function counted(source: Source): { readonly source: Source; read(): number } {
  let read = 0;
  return {
    read: () => read,
    source: {
      ...source,
      open: () => expect.fail("it is read into the caller's memory"),
      async reader() {
        const opened = await source.reader?.();
        if (opened === undefined) throw new Error("a file can be read into memory of the caller's");
        return {
          async read(into, position) {
            const bytes = await opened.read(into, position);
            read += bytes;
            return bytes;
          },
          [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
        };
      },
    },
  };
}

const held = ({ content }: QuirkyRegistry) => content.blobs.get(`lab/tool@${DIGEST}`)?.equals(BYTES) === true;
const patches = ({ requests }: QuirkyRegistry) => requests.filter(({ method }) => method === "PATCH").length;

describe("a large file", () => {
  it("is read once, in chunks, and arrives as it is", async () => {
    const registry = await quirky();
    const { source, read } = counted(await openFileSource(file));
    expect(await clientOf(registry).push("lab/tool:1", source, PLAIN)).toMatchObject({
      digest: DIGEST,
      transfer: "uploaded",
    });
    expect([read(), registry.uploaded(), patches(registry), held(registry)]).toEqual([SIZE, SIZE + 2, 4, true]);
  });

  it.each([
    ["keeps what came", DISTRIBUTION_3],
    ["loses the upload", REGISTRY_2],
  ])("is hashed once, though it is sent again where a cut registry %s", async (_title, quirks) => {
    const registry = await quirky(quirks);
    registry.arrange({ method: "PATCH", nth: 2, after: 1_500_000, how: "cut" });
    registry.arrange({ method: "PATCH", nth: 4, after: 2_500_000, how: "cut" });
    const source = await openFileSource(file);
    expect(await clientOf(registry).push("lab/tool:1", source, PLAIN)).toMatchObject({ digest: DIGEST });
    expect(held(registry)).toBe(true);
  });

  it.each([1, 2, 3])("gets a new token each time that one runs out, after %d requests", async (tokenUses) => {
    const registry = await quirky({ ...DISTRIBUTION_3, tokenUses });
    const source = await openFileSource(file);
    expect(await clientOf(registry).push("lab/tool:1", source)).toMatchObject({ digest: DIGEST });
    expect(held(registry)).toBe(true);
  });

  it("goes in one request where chunks are refused, read no more than twice", async () => {
    const registry = await quirky({ refusesPatch: 405 });
    const { source, read } = counted(await openFileSource(file));
    expect(await clientOf(registry).push("lab/tool:1", source, PLAIN)).toMatchObject({ digest: DIGEST });
    expect(held(registry)).toBe(true);
    expect(read()).toBeLessThan(2 * SIZE + 4 * MIB);
  });

  it("is gone on with by a later process, which hashes what it does not send", async () => {
    const registry = await quirky();
    const stop = new AbortController();
    const faults = await faultsBefore(registry.url);
    faults.on({ method: "PATCH", skip: 2 }, () => stop.abort(new SregistryError("INTERRUPTED", "told to stop")));
    // Another address would be another registry.
    const first = clientOf(faults, { signal: stop.signal });
    expect((await failureOf(first.push("lab/tool:1", await openFileSource(file)))).code).toBe("INTERRUPTED");
    faults.clear();
    registry.forget();
    const { source, read } = counted(await openFileSource(file));
    expect(await clientOf(faults).push("lab/tool:1", source, PLAIN)).toMatchObject({
      digest: DIGEST,
      transfer: "resumed",
    });
    expect([read(), held(registry)]).toEqual([SIZE, true]);
    expect(registry.uploaded()).toBe(SIZE - 8 * MIB + 2);
    expect(await readdir(join(directory, "sessions"))).toEqual([]);
  });

  it("that a slow registry has under another tag is not sent to its end", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry.url);
    const client = clientOf(faults);
    await client.push("lab/tool:1", await openFileSource(file));
    registry.forget();
    faults.on({ method: "PATCH" }, delay(800));
    expect(await client.push("lab/tool:2", await openFileSource(file))).toMatchObject({ transfer: "present" });
    expect(patches(registry)).toBeLessThan(4);
    expect(registry.content.tags.get("lab/tool:2")).toBe(registry.content.tags.get("lab/tool:1"));
  });

  it("that is slow to send, and new to the registry, arrives as it is", async () => {
    const registry = await quirky();
    const faults = await faultsBefore(registry.url);
    faults.on({ method: "PATCH", times: 1 }, delay(800));
    expect(await clientOf(faults).push("lab/tool:1", await openFileSource(file))).toMatchObject({
      digest: DIGEST,
      transfer: "uploaded",
    });
    expect(held(registry)).toBe(true);
  });

  it.each([
    ["rewritten", () => writeFile(file, randomBytes(SIZE))],
    ["cut short", () => truncate(file, 9 * MIB)],
    ["touched", () => utimes(file, 1e9, 1e9)],
  ])("that is %s while it is pushed is never named", async (_title, change) => {
    const registry = await quirky();
    const faults = await faultsBefore(registry.url);
    faults.on({ method: "PATCH", skip: 1, times: 1 }, async (exchange) => {
      await change();
      await exchange.forward();
    });
    expect(await failureOf(clientOf(faults).push("lab/tool:1", await remembering()))).toMatchObject({
      code: "INTEGRITY",
      message: `${file} changed while it was being pushed; nothing was tagged`,
    });
    expect(registry.content.tags.size).toBe(0);
    expect(await (await remembering()).known?.()).toBeUndefined();
  });

  it("of two pushes to one tag leaves the tag of one of them, and no push is told a success that it did not have", async () => {
    const registry = await quirky();
    const other = join(directory, "other.sif");
    await writeFile(other, randomBytes(SIZE));
    const outcomes = await Promise.allSettled(
      [file, other].map(async (path) => clientOf(registry).push("lab/tool:1", await openFileSource(path))),
    );
    const tagged = registry.content.tags.get("lab/tool:1");
    const last = outcomes.find((one) => one.status === "fulfilled" && one.value.manifest === tagged);
    expect(last).toBeDefined();
    for (const one of outcomes) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "CONFLICT" });
  });
});

describe("a file that was pushed before", () => {
  it("is a matter of requests: nothing is read, nothing is sent", async () => {
    const registry = await quirky();
    const client = clientOf(registry);
    await client.push("lab/tool:1", await remembering());
    registry.forget();
    const { source, read } = counted(await remembering());
    expect(await client.push("lab/tool:2", source)).toMatchObject({ digest: DIGEST, transfer: "present" });
    expect([read(), registry.uploaded()]).toEqual([0, 0]);
  });

  it("and is new to another registry is sent without being hashed again, and right", async () => {
    await clientOf(await quirky()).push("lab/tool:1", await remembering());
    const registry = await quirky();
    const { source, read } = counted(await remembering());
    expect(await clientOf(registry).push("lab/tool:1", source, PLAIN)).toMatchObject({
      digest: DIGEST,
      transfer: "uploaded",
    });
    expect([read(), held(registry)]).toEqual([SIZE, true]);
  });

  it("and was changed, its time set back, is read and sent again", async () => {
    const client = clientOf(await quirky());
    await client.push("lab/tool:1", await remembering());
    const handle = await openFile(file, "r+");
    const { atime, mtime } = await handle.stat();
    await handle.write(Buffer.from([(BYTES[(SIZE / 2) | 0] ?? 0) ^ 1]), 0, 1, (SIZE / 2) | 0);
    await handle.utimes(atime, mtime);
    await handle.close();
    const pushed = await client.push("lab/tool:1", await remembering());
    expect(pushed.transfer).toBe("uploaded");
    expect(pushed.digest).not.toBe(DIGEST);
  });
});

describe("a hashed source", () => {
  const task = silentProgress.start("");
  const { signal } = new AbortController();

  async function read(body: Readable | Uint8Array): Promise<Buffer> {
    if (body instanceof Uint8Array) return Buffer.from(body);
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  it("gives a stream bytes of its own (a proxy is spoken to through one)", async () => {
    await using bytes = new HashedSource(await openFileSource(file), task, signal, undefined);
    const first = await read((await bytes.part(0, 12 * MIB)).open());
    const again = await read((await bytes.part(2 * MIB, 13 * MIB)).open());
    const { digest, body } = await bytes.last(13 * MIB);
    const last = await read(body.open());
    expect(first.equals(BYTES.subarray(0, 12 * MIB))).toBe(true);
    expect(again.equals(BYTES.subarray(2 * MIB, 13 * MIB))).toBe(true);
    expect(last.equals(BYTES.subarray(13 * MIB))).toBe(true);
    expect(digest).toBe(DIGEST);
  });

  it("ends with the signal's reason, whoever waits for the hash", async () => {
    const stop = new AbortController();
    await using ring = new HashRing(SIZE, stop.signal);
    const reason = new SregistryError("INTERRUPTED", "told to stop");
    setTimeout(() => stop.abort(reason), 20);
    await expect(ring.digest()).rejects.toBe(reason);
    await expect(
      (async () => {
        for (;;) ring.add((await ring.room(MIB)).length);
      })(),
    ).rejects.toBe(reason);
  });
});
