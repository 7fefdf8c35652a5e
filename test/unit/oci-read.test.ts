/** Reading where something is missing or breaks: the message names the reference, and the login is at home. */
import { afterEach, expect, it } from "vitest";
import { readCapped } from "../../src/http/body.ts";
import type { HttpResponse } from "../../src/http/transport.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { cutResponse, redirectTo, reply, startFaults } from "../support/faults.ts";
import { basic, failureOf, knows } from "../support/http.ts";
import { countingSource, ociClient } from "../support/oci-client.ts";
import { type QuirkyRegistry, startQuirks } from "../support/quirks.ts";

const IMAGE = Buffer.alloc(300_000, "sif");
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** `lab/tool:1.0`, asked for through a faults proxy. */
async function start(registry?: QuirkyRegistry) {
  const upstream = registry ?? (await startQuirks());
  const faults = await startFaults({ upstream: upstream.url });
  const login = knows(faults.host, basic("alice", "open sesame"));
  const client = ociClient(faults.url, { transport: { credentials: login } });
  open.push(upstream, faults, client);
  await client.push("lab/tool:1.0", countingSource(IMAGE));
  const image = await client.registry.resolve(client.reference("lab/tool:1.0"), {}, client.call);
  faults.clear();
  return { registry: upstream, faults, client, image };
}

async function bytesOf({ body }: Awaited<ReturnType<Registry["read"]>>): Promise<Buffer> {
  const response: HttpResponse = { status: 200, headers: new Map(), url: new URL("http://127.0.0.1/"), body };
  return readCapped(response, 2 * IMAGE.length);
}

it("a blob that is gone names the image", async () => {
  const { registry, client, image } = await start();
  registry.content.blobs.delete(`lab/tool@${image.digest}`);
  expect(await failureOf(client.registry.read(image, { start: 0 }, client.call))).toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringMatching(
      /^oras:\/\/127\.0\.0\.1:\d+\/lab\/tool:1\.0 is not there, or not for you: .*BLOB_UNKNOWN/,
    ),
  });
});

it("a blob at a storage is read there without the login", async () => {
  const { faults, client, image } = await start();
  const storage = await startFaults();
  open.push(storage);
  storage.on({}, reply(200, { body: IMAGE }));
  faults.on({ path: /blobs/, when: ({ headers }) => headers["authorization"] === undefined }, reply(401, BASIC));
  faults.on({ path: /blobs/ }, redirectTo(`${storage.url}blob?X-Amz-Signature=s`));
  expect((await bytesOf(await client.registry.read(image, { start: 0 }, client.call))).equals(IMAGE)).toBe(true);
  expect(storage.requests.map(({ headers }) => [headers["authorization"], headers["accept-encoding"]])).toEqual([
    [undefined, "identity"],
  ]);
});

it("a storage that has let its signature expire is not asked again: the registry is", async () => {
  const { faults, client, image } = await start();
  const storage = await startFaults();
  open.push(storage);
  storage.on({ times: 1 }, reply(403, { body: "<Error><Code>AccessDenied</Code></Error>" }));
  storage.on({}, reply(200, { body: IMAGE }));
  const signatures = ["1", "2"].values();
  faults.on(
    { path: /blobs/ },
    redirectTo(() => `${storage.url}blob?sig=${signatures.next().value}`),
  );
  const read = () => client.registry.read(image, { start: 0 }, client.call);
  expect((await failureOf(read())).code).toBe("FORBIDDEN");
  expect((await bytesOf(await read())).equals(IMAGE)).toBe(true);
  expect(storage.requests.map(({ path }) => path)).toEqual(["/blob?sig=1", "/blob?sig=2"]);
});

it("a body that breaks off is a NETWORK failure of whoever reads it, never a short image", async () => {
  const { faults, client, image } = await start();
  faults.on({ path: /blobs/ }, cutResponse({ after: 100_000, how: "rst" }));
  const part = await client.registry.read(image, { start: 0 }, client.call);
  expect((await failureOf(bytesOf(part))).code).toBe("NETWORK");
});

const BASIC = { headers: { "www-authenticate": 'Basic realm="quirks"' } };
