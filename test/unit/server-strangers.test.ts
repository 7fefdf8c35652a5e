/** What one user of the embedded server must not be able to do to another. */
import { describe, expect, it } from "vitest";
import { openStore } from "../../src/registry/local/index.ts";
import { createAccess } from "../../src/server/access.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { wirePush } from "../support/library-wire.ts";
import { addUser, bearer, type Signer } from "../support/hmac-requests.ts";
import { type Answer, MANIFEST_TYPE, type TestServer, testServer } from "../support/registry-server.ts";

interface Site extends TestServer {
  readonly alice: Signer;
  readonly mallory: Signer;
}

async function site(options: Parameters<typeof testServer>[0] = {}): Promise<Site> {
  const server = await testServer(options);
  const [alice, mallory] = [await addUser(server, "alice"), await addUser(server, "mallory")];
  return { ...server, alice, mallory };
}

/** The status, and what is said, whatever the form. */
const told = ({ status, body }: Answer): unknown => [status, body.length === 0 ? "" : JSON.parse(body.toString())];

/** An image of one layer, by OCI. */
async function pushOci({ ask }: TestServer, who: Signer, path: string, tag: string, layer: string): Promise<number[]> {
  const statuses: number[] = [];
  for (const content of ["{}", layer]) {
    const target = `/v2/${path}/blobs/uploads/?digest=${digestOf(content)}`;
    statuses.push((await ask("POST", target, { body: content, headers: bearer(who) })).status);
  }
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.sylabs.sif.config.v1+json", size: 2, digest: digestOf("{}") },
    layers: [{ mediaType: "application/vnd.sylabs.sif.layer.v1.sif", size: layer.length, digest: digestOf(layer) }],
  });
  const headers = { ...bearer(who), "content-type": MANIFEST_TYPE };
  statuses.push((await ask("PUT", `/v2/${path}/manifests/${tag}`, { body, headers })).status);
  return statuses;
}

const DONE = [201, 201, 201];

describe("an image of another user", () => {
  it("is not shadowed by a repository of the same entity, collection and container", async () => {
    await using server = await site();
    const { alice, mallory, ask } = server;
    expect(await pushOci(server, alice, "dinosaur-collection/another", "latest", "alice's")).toEqual(DONE);
    expect(await pushOci(server, mallory, "anybody/dinosaur-collection/another", "latest", "mallory's")).toEqual(DONE);
    const path = "/v1/imagefile/anybody/dinosaur-collection/another:latest";
    expect((await ask("GET", path, { headers: bearer(alice) })).body.toString()).toBe("alice's");
  });

  it("has a name that nobody else begins one with", async () => {
    await using server = await site();
    const { alice, mallory, ask } = server;
    expect(await pushOci(server, mallory, "alice/dinosaur-collection/another", "latest", "x")).toEqual([403, 403, 403]);
    const post = (name: string): Promise<Answer> =>
      ask("POST", "/v1/collections", { body: JSON.stringify({ name }), headers: bearer(mallory) });
    expect((await post("alice")).status).toBe(403);
    expect((await post("mallory")).status).toBe(200);
    expect(await pushOci(server, alice, "alice/dinosaur-collection/another", "latest", "x")).toEqual(DONE);
  });
});
