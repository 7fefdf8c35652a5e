/** The three protocols of one endpoint against the embedded registry, with the real library beside the signed one. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLibraryRegistry } from "../../src/registry/library/index.ts";
import { capability, type Registry } from "../../src/registry/registry.ts";
import { createShubRegistry } from "../../src/registry/shub/index.ts";
import { createSregistryRegistry } from "../../src/registry/sregistry/index.ts";
import { Secret } from "../../src/secret.ts";
import { addUser, type Signer } from "../support/hmac-requests.ts";
import { failureOf, type TestClient, testClient } from "../support/http.ts";
import { countingSource, METADATA } from "../support/oci-client.ts";
import { FIXTURES } from "../support/program.ts";
import { type TestServer, testServer } from "../support/registry-server.ts";
import { quietCall as call, collect, named } from "../support/sregistry-client.ts";

const TINY = join(FIXTURES, "tiny.sif");

let server: TestServer;
let vanessa: Signer;
const opened: TestClient[] = [];

beforeEach(async () => {
  server = await testServer({ publicRead: true });
  vanessa = await addUser(server, "vanessa");
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await server[Symbol.asyncDispose]();
});

interface Endpoint {
  readonly registry: Registry;
  readonly shub: Registry;
}

/** Without a user: nobody. */
function open(protocol: "auto" | "hmac", user?: Signer): Endpoint {
  const base = new URL(server.url);
  const token = user === undefined ? undefined : new Secret(user.token);
  const signing = testClient(
    user === undefined || token === undefined ? {} : { hmac: { origin: base.origin, username: user.name, token } },
  );
  const bearer = testClient({
    credentials: { find: async () => (token === undefined ? undefined : { kind: "bearer", from: "the test", token }) },
  });
  opened.push(signing, bearer);
  const canSign = user !== undefined;
  const library = createLibraryRegistry({ base, front: base, transport: bearer });
  const shub = createShubRegistry({ base, transport: signing, hmac: canSign });
  const readBackWaits: readonly number[] = [1];
  const options = { base, library, shub, transport: signing, bearer, canSign, protocol, readBackWaits };
  return { registry: createSregistryRegistry(options), shub };
}

async function push({ registry }: Endpoint, name: string): Promise<string> {
  const reference = named(name);
  if (reference.selector.kind !== "tag") throw new Error(`${name} has no tag`);
  const tags = [reference.selector.tag];
  const source = countingSource(await readFile(TINY));
  const request = { reference, tags, source, title: "tiny.sif", metadata: METADATA, plainManifest: false };
  const { transfer, digest } = await capability(registry, "push")(request, call);
  return `${transfer} ${digest}`;
}

describe.each(["auto", "hmac"] as const)("--protocol %s", (protocol) => {
  it("pushes what every protocol pulls, and the same again sends nothing", async () => {
    const own = open(protocol, vanessa);
    expect(await push(own, "lab/tiny:1.0")).toMatch(/^uploaded sha256:/);
    expect(await push(own, "lab/tiny:1.0")).toMatch(/^present sha256:/);
    const nobody = open("auto");
    const digests = [
      await own.registry.resolve(named("lab/tiny:1.0"), {}, call),
      await nobody.registry.resolve(named("vanessa/lab/tiny:1.0"), {}, call),
      await nobody.shub.resolve(named("shub://lab/tiny:1.0"), {}, call),
    ].map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(1);
    const pin = `shub://lab/tiny@${digests[0]}`;
    expect((await nobody.shub.resolve(named(pin), {}, call)).digest).toBe(digests[0]);
  });

  it("deletes, lists and searches", async () => {
    const { registry } = open(protocol, vanessa);
    for (const name of ["lab/tiny:1.0", "lab/tiny:2.0", "dinosaur/tacos:delicious"])
      await push({ registry, shub: registry }, name);
    expect(await collect(capability(registry, "repositories")(call))).toEqual(["dinosaur/tacos", "lab/tiny"]);
    const hits = await collect(capability(registry, "search")("tin", {}, call));
    expect(hits.map(({ reference, tags }) => [reference.path, tags])).toEqual([["lab/tiny", ["1.0", "2.0"]]]);
    await capability(registry, "delete")(named("lab/tiny:1.0"), call);
    expect(await collect(capability(registry, "tags")(named("lab/tiny").path, call))).toEqual(["2.0"]);
  });
});

it("a private collection is made, filled, and closed to others", async () => {
  const own = open("hmac", vanessa);
  expect(await capability(own.registry, "createCollection")("Secret Lab", { private: true }, call)).toEqual({
    name: "secret-lab",
    private: true,
  });
  expect(await push(own, "secret-lab/tiny:1.0")).toMatch(/^uploaded/);
  expect((await own.shub.resolve(named("shub://secret-lab/tiny:1.0"), {}, call)).digest).toBeDefined();
  const codeFor = async ({ registry }: ReturnType<typeof open>): Promise<string> =>
    (await failureOf(registry.resolve(named("secret-lab/tiny:1.0"), {}, call))).code;
  expect(await codeFor(open("auto"))).toMatch(/^(?:UNAUTHORIZED|FORBIDDEN)$/);
  // As what is not there: a stranger does not learn that it is.
  expect(await codeFor(open("auto", await addUser(server, "mallory")))).toBe("NOT_FOUND");
});

it("shub:// tells what the image says of itself", async () => {
  const own = open("hmac", vanessa);
  await push(own, "lab/tiny:1.0");
  const image = await own.shub.resolve(named("shub://lab/tiny:1.0"), {}, call);
  const metadata = await capability(own.shub, "metadata")(image, call);
  expect(metadata?.format).toBe("sif");
});
