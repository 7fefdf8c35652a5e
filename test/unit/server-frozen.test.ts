/** Frozen tags: whoever asks, they stay where they are; and only they. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { manifestOf, pushManifest, type TestServer, testServer } from "../support/registry-server.ts";

const PATH = "/v2/lab/tool/manifests/";
const tag = parseTag;
const at = ({ root }: TestServer) => openStore(root).repository("lab/tool");

async function withFrozen(server: TestServer): Promise<{ readonly frozen: string; readonly other: string }> {
  const frozen = await manifestOf(server, "lab/tool", "one");
  const other = await manifestOf(server, "lab/tool", "two");
  await pushManifest(server, "lab/tool", "1.0", frozen);
  await pushManifest(server, "lab/tool", "latest", frozen);
  await at(server).freeze(tag("1.0"), true);
  return { frozen, other };
}

describe("a frozen tag", () => {
  it("is neither moved nor deleted, nor is its manifest; others of the image are", async () => {
    await using server = await testServer();
    const { frozen, other } = await withFrozen(server);
    const refusal = [409, { errors: [{ code: "DENIED", message: "lab/tool:1.0 is frozen" }] }];
    const asked = [
      await pushManifest(server, "lab/tool", "1.0", other),
      await server.ask("DELETE", `${PATH}1.0`),
      await server.ask("DELETE", PATH + digestOf(frozen)),
    ];
    for (const { status, body } of asked) expect([status, JSON.parse(body.toString())]).toEqual(refusal);
    expect((await pushManifest(server, "lab/tool", "latest", other)).status).toBe(201);
    expect((await server.ask("GET", `${PATH}1.0`)).headers["docker-content-digest"]).toBe(digestOf(frozen));
    expect((await server.ask("GET", `${PATH}latest`)).headers["docker-content-digest"]).toBe(digestOf(other));
  });

  it("refused leaves nothing of the manifest behind", async () => {
    await using server = await testServer();
    const { other } = await withFrozen(server);
    await pushManifest(server, "lab/tool", "1.0", other);
    expect((await server.ask("GET", PATH + digestOf(other))).status).toBe(404);
    expect(await at(server).blobSize(digestOf(other))).toBeUndefined();
  });

  it("takes the same manifest again, and more names for it", async () => {
    await using server = await testServer();
    const { frozen } = await withFrozen(server);
    expect((await pushManifest(server, "lab/tool", "1.0", frozen)).status).toBe(201);
    expect((await pushManifest(server, "lab/tool", "new", frozen)).status).toBe(201);
    const frozenTags = [...((await at(server).index())?.tags.values() ?? [])].filter((entry) => entry.frozen);
    expect(frozenTags.map((entry) => entry.tag)).toEqual(["1.0"]);
  });

  it("is an annotation of its own entry in index.json", async () => {
    await using server = await testServer();
    await withFrozen(server);
    const index = JSON.parse(await readFile(join(server.root, "lab/tool/index.json"), "utf8"));
    expect(index.manifests.map(({ annotations }: { annotations: object }) => annotations)).toEqual([
      { "org.opencontainers.image.ref.name": "1.0", "org.sregistry.frozen": "true" },
      { "org.opencontainers.image.ref.name": "latest" },
    ]);
  });

  it("of an index keeps the manifests in it", async () => {
    await using server = await testServer();
    const child = await manifestOf(server, "lab/tool", "one");
    await pushManifest(server, "lab/tool", digestOf(child), child);
    const type = "application/vnd.oci.image.index.v1+json";
    const manifests = [{ mediaType: JSON.parse(child).mediaType, digest: digestOf(child), size: child.length }];
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests });
    await server.ask("PUT", `${PATH}1.0`, { body, headers: { "content-type": type } });
    await at(server).freeze(tag("1.0"), true);
    expect((await server.ask("DELETE", PATH + digestOf(child))).status).toBe(409);
    await at(server).freeze(tag("1.0"), false);
    expect((await server.ask("DELETE", PATH + digestOf(child))).status).toBe(202);
  });

  it("moves again once it is thawed", async () => {
    await using server = await testServer();
    const { other } = await withFrozen(server);
    await at(server).freeze(tag("1.0"), false);
    expect((await pushManifest(server, "lab/tool", "1.0", other)).status).toBe(201);
  });

  it("has to be there", async () => {
    await using server = await testServer();
    await withFrozen(server);
    await expect(at(server).freeze(tag("2.0"), true)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "lab/tool has no tag 2.0",
    });
  });
});

it("the store says so to local pushes and deletions as well", async () => {
  await using server = await testServer();
  const { other } = await withFrozen(server);
  const expected = { code: "CONFLICT", message: "lab/tool:1.0 is frozen" };
  const bytes = Buffer.from(other);
  const repository = at(server);
  await expect(repository.putManifest({ bytes, contentType: undefined, tags: [tag("1.0")] })).rejects.toMatchObject(
    expected,
  );
  await expect(repository.deleteTag(tag("1.0"))).rejects.toMatchObject(expected);
  await repository.putManifest({ bytes, contentType: undefined, tags: [] });
  await expect(repository.tag(digestOf(other), [tag("1.0")])).rejects.toMatchObject(expected);
  const index = await repository.index();
  const digest = index?.tags.get(tag("1.0"))?.digest;
  await expect(repository.deleteManifest(digest ?? digestOf(""))).rejects.toMatchObject(expected);
});

it("a deletion of a frozen tag is not advised to push under another tag", async () => {
  await using server = await testServer();
  const { other } = await withFrozen(server);
  const repository = at(server);
  const thaw = "on the registry's machine: sregistry serve unfreeze lab/tool:1.0";
  await expect(repository.deleteTag(tag("1.0"))).rejects.toMatchObject({ hint: thaw });
  const push = { bytes: Buffer.from(other), contentType: undefined, tags: [tag("1.0")] };
  await expect(repository.putManifest(push)).rejects.toMatchObject({ hint: `push under another tag; ${thaw}` });
});
